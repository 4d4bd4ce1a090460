"""`vfscreen screen`: JSON in any case, exit status 0 for a screened series only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from tests.dicom_builder import SeriesSpec, write_series
from tests.screening.beads import affine_around, make_patient, oracle_models, render
from tests.screening.film_beads import OracleViewReader, draw, make_film_patient, oracle_film_models, write_film
from vfscreen.cli import screen as command
from vfscreen.models import registry
from vfscreen.models.film_ports import FilmModels
from vfscreen.models.ports import ModelSet

PATIENT = make_patient(
    heights_mm=[(22, 22, 24), (23, 23, 25), (18, 23, 26.5), (27, 26, 27.5), (27, 26, 28), (28, 26, 27)]
)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bead patient's own models in place of a release."""

    def load(*_: Any, **__: Any) -> ModelSet:
        return oracle_models(PATIENT)

    monkeypatch.setattr(registry, "load_models", load)


def run(app: typer.Typer, *arguments: object) -> Any:
    return CliRunner().invoke(app, ["screen", *map(str, arguments)])


def write_patient(folder: Path, axes: np.ndarray | None = None) -> Path:
    affine, shape = affine_around(PATIENT, axes, spacing_mm=(1.2, 1.2, 2.0))
    volume = render(PATIENT, affine, shape)
    write_series(folder, SeriesSpec(series_uid="1.2.3.4"), volume.hu, volume.affine_lps)
    return folder


SAGITTAL = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])


@pytest.mark.parametrize("axes", [None, SAGITTAL], ids=["axial", "sagittal"])
def test_a_series_of_any_orientation_is_screened(
    app: typer.Typer, oracle: None, tmp_path: Path, axes: np.ndarray | None
) -> None:
    folder = write_patient(tmp_path / "ct", axes)
    done = run(app, folder, "--json", tmp_path / "o.json", "--overlay", tmp_path / "o.png")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["state"] == "screened" and document["reason_code"] is None
    assert [v["vertebra_level"] for v in document["vertebrae"]] == list(PATIENT.levels)
    for vertebra, truth in zip(document["vertebrae"], PATIENT.keypoints, strict=True):
        found = np.array(list(vertebra["keypoints_lps_mm"].values()))
        assert np.linalg.norm(found - truth, axis=1).max() < 0.5
    assert document["patient"]["max_genant_grade"] == 2
    assert document["series"]["SeriesInstanceUID"] == "1.2.3.4"
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_series_leaves_a_json_and_a_status(app: typer.Typer, oracle: None, tmp_path: Path) -> None:
    """Known mistake: exit status 0 after a failure."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("not DICOM")
    for path in (tmp_path / "notes", tmp_path / "absent"):
        done = run(app, path, "--json", tmp_path / "o.json", "--overlay", tmp_path / "o.png")
        assert done.exit_code == 1
        document = json.loads((tmp_path / "o.json").read_text())
        assert document["state"] == "failed" and document["reason_code"] in ("not_dicom", "file_unreadable")
        assert document["vertebrae"] == [] and document["patient"]["grade2_probability"] is None
        assert not (tmp_path / "o.png").exists()
        (tmp_path / "o.json").unlink()


def test_a_series_without_a_spine_is_rejected(app: typer.Typer, oracle: None, tmp_path: Path) -> None:
    affine, shape = affine_around(PATIENT, spacing_mm=(2.0, 2.0, 3.0))
    affine[:3, 3] += (0, 0, 900)
    hu = np.random.default_rng(0).integers(-200, 300, shape[::-1]).astype(np.int16)
    write_series(tmp_path / "ct", SeriesSpec(), hu, affine)
    done = run(app, tmp_path / "ct", "--json", tmp_path / "o.json")
    assert done.exit_code == 1
    document = json.loads((tmp_path / "o.json").read_text())
    assert (document["state"], document["reason_code"]) == ("rejected", "spine_not_found")


def test_a_defect_of_the_program_is_not_hidden(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> ModelSet:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(registry, "load_models", load)
    done = run(app, write_patient(tmp_path / "ct"), "--json", tmp_path / "o.json")
    assert done.exit_code != 0 and isinstance(done.exception, ZeroDivisionError)
    document = json.loads((tmp_path / "o.json").read_text())
    assert (document["state"], document["reason_code"]) == ("failed", "internal_error")


def test_where_nothing_can_be_written_the_message_says_so(app: typer.Typer, oracle: None, tmp_path: Path) -> None:
    done = run(app, write_patient(tmp_path / "ct"), "--json", tmp_path / "absent" / "o.json")
    assert done.exit_code != 0 and "cannot be written" in str(done.exception)


FILM = make_film_patient(heights=[(0.95, 0.94, 1)] * 2 + [(0.6, 0.85, 1)] + [(1, 0.97, 1)] * 3)


@pytest.fixture
def film_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bead film's own models in place of a release."""

    def load(*_: Any, **__: Any) -> FilmModels:
        return oracle_film_models(FILM)

    monkeypatch.setattr("vfscreen.models.film_release.load_film_models", load)


def film_file(folder: Path, kind: str) -> Path:
    film = draw(FILM, 1.5)
    if kind == "dicom":
        return write_film(film, folder / "film", ("1.2", "1.2.1", "1.2.1.1"))
    if kind == "folder":
        write_film(film, folder / "films" / "a", ("1.2", "1.2.1", "1.2.1.1"))
        return folder / "films"
    grey = np.clip(film.image / film.image.max() * 240, 0, 255).astype(np.uint8)
    path = folder / f"film.{kind}"
    Image.fromarray(grey).save(path, quality=95)
    return path


@pytest.mark.parametrize("kind", ["dicom", "folder", "png", "jpg"])
def test_a_film_is_screened(app: typer.Typer, film_oracle: None, tmp_path: Path, kind: str) -> None:
    done = run(app, film_file(tmp_path, kind), "--json", tmp_path / "o.json", "--overlay", tmp_path / "o.png")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["state"] == "screened" and document["centreline_lps_mm"] == []
    truth = ((FILM.keypoints + 0.5) * 1.5 - 0.5)[..., ::-1]
    for vertebra, points in zip(document["vertebrae"], truth, strict=True):
        assert np.abs(np.array(list(vertebra["keypoints_px"].values())) - points).max() < 1.0
        assert vertebra["keypoints_lps_mm"] is None and vertebra["anterior_height_mm"] is None
    assert document["patient"]["max_genant_grade"] == 2
    assert document["film"]["view"] == "lateral" and not document["film"]["height_calibrated"]
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    assert "T12" in done.output and " px" in done.output


def test_a_film_that_is_not_lateral_is_refused(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = oracle_film_models(FILM, OracleViewReader("ap"))
    monkeypatch.setattr("vfscreen.models.film_release.load_film_models", lambda *_, **__: models)
    done = run(app, film_file(tmp_path, "png"), "--json", tmp_path / "o.json", "--overlay", tmp_path / "o.png")
    assert done.exit_code == 1 and not (tmp_path / "o.png").exists()
    document = json.loads((tmp_path / "o.json").read_text())
    assert (document["state"], document["reason_code"]) == ("rejected", "view_not_lateral")
    assert document["film"]["view"] == "ap" and document["vertebrae"] == []


def test_a_release_without_film_networks_says_so(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vfscreen.models.film_release.load_film_models", lambda *_, **__: None)
    done = run(app, film_file(tmp_path, "dicom"), "--json", tmp_path / "o.json")
    assert done.exit_code == 1
    assert json.loads((tmp_path / "o.json").read_text())["reason_code"] == "film_models_missing"


@pytest.mark.slow
@pytest.mark.parametrize(("series", "reading"), [("chest_ct", "covid_ar"), ("abdomen_ct", "crlm_1004")])
def test_the_real_release_on_real_ct(
    app: typer.Typer, tmp_path: Path, shared_data: Path, series: str, reading: str
) -> None:
    """Every read vertebra is found where it is, by the weights that are shipped."""
    done = run(app, shared_data / "dicom" / series, "--json", tmp_path / "o.json")
    assert done.exit_code == 0, done.output
    found = [
        np.mean(list(v["keypoints_lps_mm"].values()), axis=0)
        for v in json.loads((tmp_path / "o.json").read_text())["vertebrae"]
        if not v["truncated"]
    ]
    read = json.loads((shared_data / "ct" / f"{reading}_six_points.json").read_text())["vertebrae"]
    for vertebra in read:
        centre = np.mean([vertebra["anterior_superior"], vertebra["posterior_inferior"]], axis=0)
        assert np.linalg.norm(np.array(found) - centre, axis=1).min() < 12, vertebra["level"]
