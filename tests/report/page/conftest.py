"""Small lakes for the page: with findings and pictures, empty, without fractures, only rejected, with many patients."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.lake.builders import RELEASE, ended, land, manifest_row, put_index
from vfscreen.lake.store import Lake
from vfscreen.settings import Settings

Row = dict[str, Any]
SITES = ("North Hospital", "South & <West> Hospital", None)


def overlay(text: str, size: tuple[int, int] = (1400, 900)) -> bytes:
    """A picture of an overlay's size."""
    image = Image.new("RGB", size, (16, 18, 22))
    ImageDraw.Draw(image).text((20, 20), text, fill=(235, 235, 235))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def write_run(lake: Lake, run_id: str = "run-1", **values: Any) -> None:
    lake.write_run(
        {
            "run_id": run_id,
            "started_at": datetime(2024, 2, 1, 10, tzinfo=UTC),
            "finished_at": datetime(2024, 2, 1, 11, tzinfo=UTC),
            "archive": "archive",
            "model_release": RELEASE,
            "vfscreen_version": "0.1.0",
            "settings_json": Settings().model_dump_json(),
            "shards_planned": 1,
            "shards_done": 1,
            "outcome": "completed",
            **values,
        }
    )


def density(n: int) -> Row:
    """Reference attenuation of patient n: known for every second one, lower with n."""
    if n % 2:
        return {}
    hu = 190.0 - n % 100
    category = "osteoporosis_range" if hu < 110 else "low" if hu < 160 else "normal"
    return {
        "contrast_phase": "non_contrast",
        "density_reference_hu": hu - 4,
        "density_reference_hu_corrected": hu,
        "density_reference_levels": ["T5"],
        "density_category": category,
    }


def many(lake: Lake, patients: int, fractured: int, pictures: int = 0) -> None:
    """Patients 0 .. patients - 1 with one exam each; the first `fractured` have a grade 2, the worse the earlier, and
    the first `pictures` of them an overlay. Ages, sexes, sites, years and densities differ; some are missing."""
    manifest = [
        manifest_row(
            n,
            PatientAge_years=None if n % 11 == 10 else 45.0 + n % 50,
            PatientSex=("F", "M", None)[n % 3],
            StudyDate=None if n % 13 == 12 else f"{2019 + n % 5}0105",
            InstitutionName=SITES[n % 3],
            Manufacturer="ACME",
            ManufacturerModelName=f"Scan {n % 2}",
        )
        for n in range(patients)
    ]
    put_index(lake, manifest)
    ends = []
    for n, row in enumerate(manifest):
        loss = 0.39 - 0.13 * n / max(fractured, 1) if n < fractured else 0.05
        path = f"overlays/{RELEASE}/{n:04d}.png" if n < pictures else None
        headers = {k: row.get(k) for k in ("InstitutionName", "Manufacturer", "ManufacturerModelName")}
        series, vertebrae = ended(row, (0.1, loss, 0.08), overlay_path=path, **headers, **density(n))
        raw = 186.0 - n % 100
        vertebrae[1] |= {"trabecular_hu_mean": raw, "density_valid": n % 2 == 0, "focal_lesion_flag": "none"}
        vertebrae[1] |= {"density_reasons": [] if n % 2 == 0 else ["fractured"]}
        if n % 2 == 0:
            vertebrae[1] |= {
                "kvp_correction_hu": 0.0,
                "contrast_correction_hu": 4.0,
                "trabecular_hu_corrected": raw + 4,
            }
        ends.append((series, vertebrae))
        if path:
            lake.write_bytes(path, overlay(f"patient P{n}"))
    land(lake, "s", ends)
    write_run(lake)


@pytest.fixture(scope="session")
def found_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """40 patients, 12 with a grade 2, 3 of them with a picture."""
    lake = Lake.create(tmp_path_factory.mktemp("found") / "lake")
    many(lake, 40, 12, pictures=3)
    return lake


@pytest.fixture
def empty_lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


@pytest.fixture
def sound_lake(tmp_path: Path) -> Lake:
    """Screened patients, no fracture."""
    lake = Lake.create(tmp_path / "lake")
    many(lake, 9, 0)
    return lake


@pytest.fixture
def rejected_lake(tmp_path: Path) -> Lake:
    """Nothing but series that were left out."""
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(n, 1) for n in range(4)]
    put_index(lake, manifest)
    land(lake, "s", [ended(row) for row in manifest])
    write_run(lake)
    return lake
