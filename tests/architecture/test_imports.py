"""The arrows between packages point one way. The imports are read from the source, so nothing needs to be imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

EVERYWHERE = {
    "vfscreen",
    "vfscreen.errors",
    "vfscreen.settings",
    "vfscreen.settings_audit",
    "vfscreen.settings_density",
    "vfscreen.settings_evaluation",
    "vfscreen.settings_films",
    "vfscreen.settings_section",
    "vfscreen.schema.names",  # closed vocabularies, which settings are checked against
}
FOUNDATION = {"vfscreen.schema", "vfscreen.geometry"}
MEASURING = FOUNDATION | {"vfscreen.morphometry", "vfscreen.density", "vfscreen.spine"}
ADAPTORS = {"vfscreen.models", "vfscreen.ingest", "vfscreen.lake"}
PRODUCT = (
    MEASURING
    | ADAPTORS
    | {"vfscreen.screening", "vfscreen.report", "vfscreen.cohort", "vfscreen.evaluation", "vfscreen.audit"}
)
SIDE_BRANCHES = {"vfscreen.training", "vfscreen.synthesis"}

ALLOWED: dict[str, set[str]] = {
    "vfscreen.schema": {"vfscreen.schema"},
    "vfscreen.geometry": {"vfscreen.geometry", "vfscreen.schema"},
    "vfscreen.morphometry": FOUNDATION | {"vfscreen.morphometry"},
    "vfscreen.density": FOUNDATION | {"vfscreen.density"},
    "vfscreen.spine": FOUNDATION | {"vfscreen.spine"},
    "vfscreen.models": MEASURING | {"vfscreen.models"},
    "vfscreen.ingest": MEASURING | {"vfscreen.ingest"},
    "vfscreen.lake": MEASURING | {"vfscreen.lake"},
    "vfscreen.cohort": FOUNDATION | {"vfscreen.lake", "vfscreen.cohort"},
    "vfscreen.evaluation": FOUNDATION
    | {"vfscreen.morphometry", "vfscreen.lake", "vfscreen.cohort", "vfscreen.evaluation"},
    "vfscreen.audit": FOUNDATION | {"vfscreen.lake", "vfscreen.cohort", "vfscreen.ingest.identity", "vfscreen.audit"},
    "vfscreen.report.page": {
        *("vfscreen.schema", "vfscreen.lake", "vfscreen.cohort", "vfscreen.evaluation", "vfscreen.report.page"),
        *("vfscreen.models.cards", "vfscreen.models.registry"),  # what a release's papers say; no network, no back end
    },
    "vfscreen.report.evaluation": {"vfscreen.evaluation", "vfscreen.report.evaluation"},
    # the picture draws a screening's result, and a shard draws the picture: one layer, told apart by pure values
    "vfscreen.report": MEASURING
    | {
        *("vfscreen.report.overlay", "vfscreen.report.film_overlay"),
        *("vfscreen.report.layout", "vfscreen.report.canvas", "vfscreen.report.marks"),
        *("vfscreen.screening.result", "vfscreen.screening.film_result"),
    },
    "vfscreen.screening": MEASURING
    | ADAPTORS
    | {"vfscreen.screening", "vfscreen.report.overlay", "vfscreen.report.film_overlay"},
    "vfscreen.training": PRODUCT | SIDE_BRANCHES,
    "vfscreen.synthesis": PRODUCT | SIDE_BRANCHES,
    "vfscreen.cli": PRODUCT | SIDE_BRANCHES | {"vfscreen.cli"},
    # trainings are orchestrated too: this one module leads to the side branch, docs/adr/0006-training-flow.md
    "tasks.train": PRODUCT | SIDE_BRANCHES,
    "tasks": PRODUCT | {"tasks"},
    "flows": PRODUCT | {"tasks", "flows", "vfscreen.cli"},
}
"""What a package may import of this project, besides EVERYWHERE."""

THIRD_PARTIES: dict[str, set[str]] = {
    "pydicom": {"vfscreen.ingest", "vfscreen.synthesis"},
    "SimpleITK": {"vfscreen.ingest"},
    "gdcm": {"vfscreen.ingest"},
    "torch": {"vfscreen.models", "vfscreen.training", "vfscreen.cli.doctor"},  # the doctor looks whether it works
    "openvino": {"vfscreen.models", "vfscreen.training"},
    "pyarrow": {"vfscreen.schema", "vfscreen.lake", "vfscreen.cohort", "vfscreen.evaluation", "vfscreen.audit"},
    "duckdb": {"vfscreen.schema", "vfscreen.lake", "vfscreen.cohort", "vfscreen.evaluation", "vfscreen.audit"},
    "prefect": {"tasks", "flows"},
    "prefect_dask": {"tasks", "flows"},
    "dask": {"flows"},
    "distributed": {"flows"},
    "sklearn": {"vfscreen.evaluation"},
    "statsmodels": {"vfscreen.evaluation", "vfscreen.audit"},
    "spacy": {"vfscreen.audit"},
    "negspacy": {"vfscreen.audit"},
    "altair": {"vfscreen.report.page"},
    "vl_convert": {"vfscreen.report.page"},
    "jinja2": {"vfscreen.report.page", "vfscreen.report.evaluation"},
    "matplotlib": {"vfscreen.report"},
    "PIL": {"vfscreen.report", "vfscreen.ingest", "vfscreen.synthesis", "vfscreen.training"},
}
"""Who alone may import a library."""


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("vfscreen", "tasks", "flows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


MODULES = list(modules())


def imports(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, those inside functions and TYPE_CHECKING too."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base]).rstrip(".")
            # `from vfscreen.lake import paths` imports a module, `from vfscreen.errors import Failed` a name of one
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield node.lineno, whole if (ROOT / Path(*whole.split("."))).with_suffix(".py").exists() else base


def within(name: str, packages: set[str]) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in packages)


def owner(module: str) -> str | None:
    """The package of ALLOWED that a module belongs to."""
    return next((p for p in ALLOWED if within(module, {p})), None)


@pytest.mark.parametrize(("module", "path"), MODULES, ids=lambda v: v if isinstance(v, str) else "")
def test_imports_follow_the_arrows(module: str, path: Path) -> None:
    problems = []
    package = owner(module)
    for line, name in imports(module, path):
        top = name.partition(".")[0]
        if top in THIRD_PARTIES and not within(module, THIRD_PARTIES[top]):
            problems.append(f"line {line}: {name} belongs in {sorted(THIRD_PARTIES[top])}")
        if top not in ("vfscreen", "tasks", "flows") or name in EVERYWHERE:
            continue
        if package is None:
            if name not in EVERYWHERE:
                problems.append(f"line {line}: {name} may not be imported by {module}")
        elif not within(name, ALLOWED[package]):
            problems.append(f"line {line}: {package} may not import {name}")
    assert not problems, f"{path.relative_to(ROOT)}: " + "; ".join(problems)


def test_only_commands_that_make_or_measure_use_the_side_branches() -> None:
    users = {
        m
        for m, p in modules()
        if m.startswith("vfscreen.cli") and any(within(n, SIDE_BRANCHES) for _, n in imports(m, p))
    }
    assert users <= {"vfscreen.cli.demo", "vfscreen.cli.evaluate_model"}


def test_only_the_training_flow_leads_to_the_side_branches() -> None:
    """No worker of a sweep imports a trainer."""
    users = {m for m, p in modules() if any(within(n, {"tasks.train"}) for _, n in imports(m, p))}
    assert users == {"flows.train"}
    starters = {m for m, p in modules() if any(within(n, {"flows.train"}) for _, n in imports(m, p))}
    assert starters == {"flows.train_cli"}


def test_the_walk_sees_what_it_should() -> None:
    """The test can fail: it finds known imports, relative and nested ones too."""
    found = dict(MODULES)
    chain = {name for _, name in imports("vfscreen.screening.chain", found["vfscreen.screening.chain"])}
    assert {"vfscreen.models.ports", "vfscreen.errors", "numpy"} <= chain
    cli = {name for _, name in imports("vfscreen.cli.screen", found["vfscreen.cli.screen"])}
    assert "vfscreen.models.registry" in cli  # inside a function
    assert not within("vfscreen.lake", ALLOWED["vfscreen.models"])
    assert not within("vfscreen.modelsx", {"vfscreen.models"})


@pytest.mark.parametrize(("module", "path"), MODULES, ids=lambda v: v if isinstance(v, str) else "")
def test_modules_are_small_and_say_what_belongs_in_them(module: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, f"{path.relative_to(ROOT)} has grown to {text.count(chr(10))} lines: cut it"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path.relative_to(ROOT)} does not say what belongs in it"
