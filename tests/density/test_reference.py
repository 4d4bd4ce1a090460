"""L1, or a declared fall-back, against the site's thresholds."""

from __future__ import annotations

import pytest

from vfscreen.density.reference import density_category, reference_value
from vfscreen.schema.names import DensityCategory
from vfscreen.settings_density import DensitySettings

SETTINGS = DensitySettings()


@pytest.mark.parametrize(
    ("sound", "value", "levels"),
    [
        ({"L1": 120.0, "T12": 150.0, "L2": 90.0}, 120.0, ("L1",)),
        ({"T12": 150.0, "L2": 90.0, "L3": 10.0}, 120.0, ("T12", "L2")),
        ({"L2": 90.0, "T11": 200.0}, 90.0, ("L2",)),
        ({"T10": 200.0, "L5": 100.0}, 200.0, ("T10",)),
        ({"T2": 250.0, "C5": 300.0}, None, ()),
        ({}, None, ()),
    ],
)
def test_the_fall_back_is_declared(sound: dict[str, float], value: float | None, levels: tuple[str, ...]) -> None:
    assert reference_value(sound, SETTINGS) == (value, levels)


@pytest.mark.parametrize(
    ("hu", "category"),
    [
        (90.0, DensityCategory.OSTEOPOROSIS_RANGE),
        (110.0, DensityCategory.OSTEOPOROSIS_RANGE),
        (110.01, DensityCategory.LOW),
        (160.0, DensityCategory.LOW),
        (160.01, DensityCategory.NORMAL),
        (None, None),
    ],
)
def test_borders_belong_to_the_lower_category(hu: float | None, category: DensityCategory | None) -> None:
    assert density_category(hu, SETTINGS) is category


def test_thresholds_are_settings() -> None:
    """169 and 104 HU in one UK cohort."""
    site = DensitySettings(osteoporosis_max_hu=104.0, low_max_hu=169.0)
    assert density_category(165.0, site) is DensityCategory.LOW
    assert density_category(107.0, site) is DensityCategory.LOW
