# make setup   the virtual environment alone          make demo    a demo archive, swept, with its cohort table
# make test    the tests but for the slow ones        make check   what CI runs: ruff, mypy --strict, every test
#
# Tests run on two cores; `make test WORKERS=8` takes eight, WORKERS=0 one process (to debug).
# CPU-only machines: `make setup TORCH=cpu` (or demo, test ...) downloads a tenth of what CUDA needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
TORCH ?=
WORKERS ?= 2
DEMO ?= demo
BIN := $(VENV)/bin
# A worker a core: numerical libraries that start a thread for each core as well would only get in each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

.DELETE_ON_ERROR:
.PHONY: setup demo test test-all lint types check docs clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "vfscreen needs Python 3.11 to 3.13; say which with make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
ifeq ($(TORCH),)
	@# pip, not uv: it honours a local directory of wheels where one is configured
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
else
	$(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend=$(TORCH) --constraint constraints.txt torch
endif
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/vfscreen demo --out $(DEMO)

test: setup
	$(PYTEST) -m 'not slow'

test-all: setup
	$(PYTEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: lint types test-all

docs: setup
	$(BIN)/python -m vfscreen.schema.dictionary

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
