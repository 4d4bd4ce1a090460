"""Data folders become read spines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from tests.training import columns
from tests.training.test_readings import entry
from vfscreen.geometry.volume import Volume
from vfscreen.training.vertebra_sources import label_maps, phantoms, readings, verse_folder

NONE: frozenset[str] = frozenset()


def write_nifti(volume: Volume, path: Path) -> None:
    image = SimpleITK.GetImageFromArray(volume.hu)
    image.SetOrigin(tuple(volume.affine_lps[:3, 3]))
    image.SetSpacing(volume.spacing_mm)
    image.SetDirection(tuple((volume.affine_lps[:3, :3] / np.array(volume.spacing_mm)).ravel()))
    SimpleITK.WriteImage(image, str(path))


def test_a_reading_finds_the_volume_beside_it(tmp_path: Path) -> None:
    import json

    (tmp_path / "a_six_points.json").write_text(json.dumps(entry()))
    with pytest.raises(FileNotFoundError, match="--volume a="):
        list(readings(tmp_path, {}, None, NONE))
    write_nifti(columns.ct(), tmp_path / "a_spine.nii.gz")
    (spine,) = readings(tmp_path, {}, None, NONE)
    assert spine.name == "a"
    assert not spine.known_below, "L4 is not the last vertebra"
    np.testing.assert_allclose(spine.volume.affine_lps, columns.ct().affine_lps)
    assert spine.case().points.shape == (4, 6, 2)
    assert list(readings(tmp_path, {}, None, frozenset({"a"}))) == []


def test_label_maps_take_grades_and_know_what_they_left_out(tmp_path: Path) -> None:
    labels = columns.label_map(2.0)
    top = int(labels.to_ijk(columns.centres()[0])[2])
    write_nifti(Volume(labels.hu[:top], labels.affine_lps), tmp_path / "s_seg-vert_msk.nii.gz")
    (tmp_path / "genant_grades.csv").write_text("subject,verse_label,genant_grade\ns,21,2\ns,22,0\nother,23,3\n")
    spines = list(label_maps(tmp_path, 2, None, NONE))
    assert [s.name for s in spines] == ["rendered-s-0", "rendered-s-1"]
    assert [v.level for v in spines[0].vertebrae] == ["L2", "L3", "L4"]
    assert spines[0].fractured == (1, 0, -1)
    assert not spines[0].known_above, "the cut L1 is in view"
    assert spines[0].known_below


def test_phantoms_are_drawn_by_seed() -> None:
    (spine,) = phantoms(5, 1)
    assert spine.name == "phantom5"
    assert len(spine.vertebrae) == len(spine.fractured) >= 20
    for vertebra in spine.vertebrae:
        assert spine.volume.contains(vertebra.keypoints_lps_mm).all()


def test_a_verse_folder_gives_cts_with_the_points_of_their_masks(tmp_path: Path) -> None:
    raw, derived = tmp_path / "rawdata" / "s", tmp_path / "derivatives" / "s"
    for folder in (raw, derived):
        folder.mkdir(parents=True)
    write_nifti(columns.label_map(), derived / "s_seg-vert_msk.nii.gz")
    write_nifti(columns.label_map(), derived / "alone_seg-vert_msk.nii.gz")
    (tmp_path / "genant_grades.csv").write_text("subject,verse_label,genant_grade\ns,21,3\n")
    write_nifti(columns.ct(), raw / "s_ct.nii.gz")
    (spine,) = verse_folder(tmp_path, None, NONE)
    assert spine.name == "s"
    assert int(spine.volume.hu.max()) == 500, "the CT, not its mask"
    assert [v.published_genant_grade for v in spine.vertebrae] == [None, 3, None, None]
    for found, truth in zip(spine.vertebrae, columns.vertebrae(), strict=True):
        np.testing.assert_allclose(found.keypoints_lps_mm, truth.keypoints_lps_mm, atol=1.5)

    moved = columns.ct().affine_lps.copy()
    moved[:3, 3] += 400.0
    write_nifti(Volume(columns.ct().hu, moved), raw / "s_ct.nii.gz")
    with pytest.raises(ValueError, match="frame"):
        list(verse_folder(tmp_path, None, NONE))
