"""Label maps rendered as CT keep their place and shape."""

from __future__ import annotations

import numpy as np

from tests.training import columns
from vfscreen.training.render import render_labels


def test_bone_lies_where_the_labels_are_on_any_label_spacing() -> None:
    truth = columns.label_map(1.0)
    for spacing in (1.0, 2.0):
        volume = render_labels(columns.label_map(spacing), np.random.default_rng(3))
        centre = columns.centres()[1]
        up = np.arange(0.0, 16.0, 0.5)
        line = centre + np.stack([0 * up, 0 * up, up], axis=1)
        ijk = np.rint(volume.to_ijk(line)).astype(int)
        profile = volume.hu[ijk[:, 2], ijk[:, 1], ijk[:, 0]].astype(float)
        edge = up[np.nonzero(np.diff(profile) < -60)[0]]
        # the endplate is the last steep fall of density on the way up
        assert edge.size
        assert abs(edge.max() - columns.HEIGHT / 2) <= 1.5
    assert truth.hu.max() == 23


def test_tissue_is_drawn_and_the_seed_fixes_it() -> None:
    labels = columns.label_map(2.0)
    one = render_labels(labels, np.random.default_rng(1))
    same = render_labels(labels, np.random.default_rng(1))
    other = render_labels(labels, np.random.default_rng(2))
    np.testing.assert_array_equal(one.hu, same.hu)
    assert not np.array_equal(one.hu, other.hu)
