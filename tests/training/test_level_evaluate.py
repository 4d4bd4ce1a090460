"""Counting levels that are right, and whether certainty and probability keep their word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.screening.beads import affine_around, make_patient, oracle_models, render
from tests.training import columns
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.single import read_single
from vfscreen.models.registry import load_models
from vfscreen.settings import ScreeningSettings
from vfscreen.training.level_evaluate import NamedColumn, cropped, name_column, read_levels, summarise_levels
from vfscreen.training.readings import Reading, load_reading


def column(truth: str, named: str, probability: float, certain: bool) -> NamedColumn:
    levels = tuple(truth.split())
    n = len(levels)
    found = tuple(None if level == "-" else level for level in named.split())
    return NamedColumn("c", "g", levels, found, np.full(n, probability), np.full(n, certain))


def test_a_known_patient_is_named_rightly() -> None:
    patient = make_patient()

    def truth(centres: np.ndarray) -> list[str | None]:
        nearest = np.linalg.norm(centres[:, None] - patient.centres[None], axis=2).argmin(axis=1)
        return [patient.levels[i] if patient.levels[i] != "T10" else None for i in nearest]

    models, volume = oracle_models(patient), render(patient, *affine_around(patient))
    named = name_column("beads", "oracle", volume, truth, models, ScreeningSettings())
    assert named.truth == named.named == patient.levels[1:], "what is of unknown level is left out"
    assert named.right.all() and named.certain.all() and named.consecutive


@pytest.mark.parametrize("flip", [False, True])
def test_a_crop_holds_the_levels_and_keeps_their_place(flip: bool) -> None:
    affine, (k, j, i) = columns.grid()
    if flip:
        affine[:3, 3] += affine[:3, 2] * (k - 1)
        affine[:3, 2] *= -1
    hu = np.random.default_rng(0).integers(0, 99, (k, j, i)).astype(np.int16)
    volume = Volume(hu, affine)
    reading = Reading("boxes", columns.centreline().points_lps_mm, columns.vertebrae())
    part = cropped(volume, reading, "L2", "L3")
    inside = [v for v in reading.vertebrae if part.contains(v.keypoints_lps_mm).all()]
    assert [v.level for v in inside] == ["L2", "L3"]
    at = part.to_lps(np.array([3.0, 4.0, 5.0]))
    assert part.hu[5, 4, 3] == hu[tuple(np.rint(volume.to_ijk(at)).astype(int)[::-1])]
    with pytest.raises(ValueError, match="no reading of T1"):
        cropped(volume, reading, "T1", "L3")


def test_consecutive_past_missed_vertebrae_and_variants() -> None:
    assert column("T11 T12 L1", "T11 T12 L1", 1, True).consecutive
    assert column("T11 T12 L1", "T10 T12 L1", 1, True).consecutive, "one missed in between"
    assert column("T11 L1 L2", "T12 T13 L1", 1, True).consecutive
    assert not column("T11 T12 L1", "T12 T11 L1", 1, True).consecutive
    assert not column("T11 T12 L1", "T12 T12 L1", 1, True).consecutive


def test_the_summary_counts_vertebrae_columns_and_reliability() -> None:
    good = column("T12 L1 L2 L3", "T12 L1 L2 L3", 0.95, True)
    bad = column("T12 L1", "L1 L2", 0.6, False)
    numbers = {n.name: n for n in summarise_levels([good, bad])}
    assert numbers["levels right"].value == pytest.approx(4 / 6)
    assert numbers["levels right"].n == 6
    low, high = numbers["levels right"].ci95 or (1, 0)
    assert low < 4 / 6 < high
    assert numbers["columns wholly right"].value == 0.5
    assert (numbers["right where certain"].value, numbers["right where not certain"].value) == (1.0, 0.0)
    assert numbers["right where probability is 0.9 to 0.99"].n == 4
    assert numbers["right where probability is 0.5 to 0.8"].value == 0.0
    expected = (4 * 0.95 + 2 * 0.6) / 6 - 4 / 6
    assert numbers["mean probability less share right"].value == pytest.approx(expected)
    assert summarise_levels([]) == []


def test_levels_of_a_volume_that_no_network_was_trained_on(shared_data: Path) -> None:
    """Its last rib is in view: the detector counts rightly, the locator is off by one, the ribs decide."""
    settings = ScreeningSettings()
    reading = load_reading(shared_data / "ct" / "ircad_1_1_six_points.json")
    volume = read_single(shared_data / "ct" / "ircad_1_1_spine.nii.gz").volume
    models = load_models(device="cpu", screening=settings)
    named = name_column("ircad_1_1", "read", volume, read_levels(reading), models, settings)
    assert named.right.all() and len(named.truth) >= 5
    assert named.certain.all()
    blind = name_column("ircad_1_1", "read", volume, read_levels(reading), replace(models, ribs=None), settings)
    assert not blind.certain.any()
