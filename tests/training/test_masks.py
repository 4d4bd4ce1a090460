"""Six points read off a label map."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.training import columns
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.nifti import read_nifti
from vfscreen.training.masks import VERSE_LEVELS, read_label_map
from vfscreen.training.readings import load_reading


def test_boxes_give_their_corners_and_the_spinous_process_is_no_body() -> None:
    _, found = read_label_map(columns.label_map())
    assert [v.level for v in found] == list(columns.LEVEL_NAMES)
    for vertebra, truth in zip(found, columns.vertebrae(), strict=True):
        distance = np.linalg.norm(vertebra.keypoints_lps_mm - truth.keypoints_lps_mm, axis=1)
        assert distance.max() < 1.5
        np.testing.assert_allclose(vertebra.heights_mm, columns.HEIGHT + 1.0, atol=1.0)


def test_storage_order_does_not_matter() -> None:
    labels = columns.label_map()
    flipped_affine = labels.affine_lps.copy()
    flipped_affine[:3, 2] *= -1
    flipped_affine[:3, 3] = labels.to_lps(np.array([0.0, 0.0, labels.hu.shape[0] - 1.0]))
    _, one = read_label_map(labels)
    _, other = read_label_map(Volume(np.ascontiguousarray(labels.hu[::-1]), flipped_affine))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.keypoints_lps_mm, b.keypoints_lps_mm, atol=0.6)


def test_a_vertebra_cut_by_the_edge_is_left_out() -> None:
    labels = columns.label_map()
    top = int(labels.to_ijk(columns.centres()[0])[2])
    cut = Volume(labels.hu[:top], labels.affine_lps)
    assert [v.level for v in read_label_map(cut)[1]] == ["L2", "L3", "L4"]


def test_one_vertebra_makes_no_column() -> None:
    labels = columns.label_map()
    labels.hu[labels.hu != 20] = 0
    with pytest.raises(ValueError, match="at least two"):
        read_label_map(labels)


def test_verse_masks_agree_with_the_reader(shared_data: Path) -> None:
    folder = shared_data / "verse"
    read = {v.level: v for v in load_reading(folder / "sub-verse005_six_points.json").vertebrae}
    _, found = read_label_map(read_nifti(folder / "sub-verse005_seg-vert_msk.nii.gz"))
    distances = [np.linalg.norm(v.keypoints_lps_mm - read[str(v.level)].keypoints_lps_mm, axis=1) for v in found]
    assert len(found) >= 3
    assert np.median(distances) < 1.0
    assert np.max(distances) < 2.0


def test_verse_masks_lose_height_where_grades_say_so(shared_data: Path) -> None:
    folder = shared_data / "verse"
    with (folder / "genant_grades.csv").open() as stream:
        grades = {
            (r["subject"], VERSE_LEVELS[int(r["verse_label"])]): int(r["genant_grade"]) for r in csv.DictReader(stream)
        }
    _, found = read_label_map(read_nifti(folder / "sub-verse004_seg-vert_msk.nii.gz"))
    loss = {v.level: 1 - v.heights_mm.min() / v.heights_mm.max() for v in found}
    for level, value in loss.items():
        grade = grades.get(("sub-verse004", str(level)))
        if grade == 3:
            assert value >= 0.4
        if grade == 0:
            assert value < 0.2
