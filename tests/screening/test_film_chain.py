"""The film chain's geometry: however a film was stored, the six points come back where they are in its own pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.screening.film_beads import (
    PX_A_MM,
    FilmPatient,
    OracleFilmDetector,
    OracleFilmLocator,
    OracleViewReader,
    draw,
    make_film_patient,
    oracle_film_models,
)
from vfscreen.errors import ReasonCode
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.models.film_ports import FilmModels
from vfscreen.models.film_ports import FilmView as FilmViewReading
from vfscreen.schema.names import BodyRegion, DeformityType, FilmView, PictureSide, SpacingSource
from vfscreen.screening.film_chain import screen_film
from vfscreen.screening.film_result import FilmResult
from vfscreen.settings import ScreeningSettings
from vfscreen.settings_films import FilmScreeningSettings

NO_SHRINK = settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
HEIGHTS = [(0.95, 0.94, 1), (0.95, 0.94, 1), (0.65, 0.85, 1), (0.95, 0.6, 0.98), (1, 0.97, 1), (1, 0.97, 1)]
FRACTURED = make_film_patient(heights=HEIGHTS)


def screened(film: Radiograph, models: FilmModels | None = None, **changes: float) -> FilmResult:
    settings = ScreeningSettings(films=FilmScreeningSettings(**changes))
    return screen_film(film, models or oracle_film_models(FRACTURED), settings)


def points_found(result: FilmResult) -> np.ndarray:
    assert result.rejected is None
    found = [v.keypoints_px for v in result.vertebrae]
    assert all(points is not None for points in found)
    return np.stack([points for points in found if points is not None])


def stored(film: Radiograph, turns: int, mirror: bool) -> Radiograph:
    """Another way to store the same picture: turned by quarters, then mirrored."""
    images = [np.rot90(a, turns) for a in (film.image, film.inside)]
    if mirror:
        images = [a[:, ::-1] for a in images]
    return Radiograph(np.ascontiguousarray(images[0]), np.ascontiguousarray(images[1]))


def where(points: np.ndarray, shape: tuple[int, int], turns: int, mirror: bool) -> np.ndarray:
    """Where `stored` puts positions of a picture of `shape`."""
    rows, columns = shape
    r, c = points[..., 0], points[..., 1]
    for _ in range(turns):
        r, c = columns - 1 - c, r
        rows, columns = columns, rows
    return np.stack([r, columns - 1 - c if mirror else c], axis=-1)


@NO_SHRINK
@given(st.integers(0, 3), st.booleans(), st.booleans())
def test_however_it_is_turned_or_mirrored(turns: int, mirror: bool, facing_right: bool) -> None:
    patient = make_film_patient(heights=HEIGHTS, facing_right=facing_right)
    film = draw(patient)
    result = screened(stored(film, turns, mirror), oracle_film_models(patient))
    truth = where(patient.keypoints, film.shape, turns, mirror)
    assert np.linalg.norm(points_found(result) - truth, axis=-1).max() < 0.3
    assert [v.vertebra_level for v in result.vertebrae] == list(patient.levels)
    assert [v.genant_grade for v in result.vertebrae] == [0, 0, 2, 2, 0, 0]
    assert result.picture.rotation_deg == (90 * turns if mirror else 360 - 90 * turns) % 360
    side = result.picture.anterior_side
    if turns == 0:
        assert side is (PictureSide.RIGHT if facing_right != mirror else PictureSide.LEFT)
    elif turns == 2:
        assert side is (PictureSide.LEFT if facing_right != mirror else PictureSide.RIGHT)
    else:
        assert side is None  # the front looks up or down


@NO_SHRINK
@given(st.floats(0.8, 3.0), st.floats(0.01, 5e4), st.floats(-2e4, 2e4))
def test_neither_resolution_nor_exposure_matters(scale: float, gain: float, offset: float) -> None:
    result = screened(draw(FRACTURED, scale, gain, offset))
    truth = (FRACTURED.keypoints + 0.5) * scale - 0.5
    assert np.linalg.norm(points_found(result) - truth, axis=-1).max() < 0.4 * max(scale, 1.0)
    for vertebra, points in zip(result.vertebrae, truth, strict=True):
        heights = np.linalg.norm(points[0::2] - points[1::2], axis=1)
        assert vertebra.height_loss_ratio_raw == pytest.approx(1 - heights.min() / heights.max(), abs=0.02)


def test_findings_of_a_known_film() -> None:
    result = screened(draw(FRACTURED, 2.0))
    wedge, dent = result.vertebrae[2], result.vertebrae[3]
    assert (wedge.genant_grade, wedge.deformity_type) == (2, DeformityType.WEDGE)
    assert (dent.genant_grade, dent.deformity_type) == (2, DeformityType.BICONCAVE)
    assert (wedge.grade2_probability or 0) > 0.9 and (result.vertebrae[4].fracture_probability or 1) < 0.2
    assert (result.patient.max_genant_grade, result.patient.sdi) == (2, 4)
    assert result.patient.sdi_levels_assessed == FRACTURED.levels
    assert result.picture.view is FilmView.LATERAL and result.picture.body_region is BodyRegion.THORACOLUMBAR
    sd = wedge.height_sd_px
    assert sd is not None and (sd > 0.5).all() and (sd < 2.5).all()  # 0.4 strip pixels, two ends, two film pixels each


@pytest.mark.parametrize("source", [None, SpacingSource.DETECTOR, SpacingSource.CALIBRATED])
def test_millimetres_only_where_the_film_is_calibrated(source: SpacingSource | None) -> None:
    spacing = None if source is None else (1 / PX_A_MM, 1 / PX_A_MM)
    result = screened(draw(FRACTURED, spacing_mm=spacing, source=source))
    for vertebra in result.vertebrae:
        assert vertebra.heights_px is not None and vertebra.height_loss_ratio_adjusted is not None
        if source is SpacingSource.CALIBRATED:
            assert vertebra.heights_mm == pytest.approx(vertebra.heights_px / PX_A_MM)
            assert vertebra.height_sd_mm is not None and vertebra.keypoint_sd_mm is not None
        else:
            assert vertebra.heights_mm is None and vertebra.height_sd_mm is None and vertebra.keypoint_sd_mm is None


def test_pixels_that_are_not_square() -> None:
    """Columns half as far apart as rows: points lie in stored pixels, heights are lengths all the same."""
    film = draw(FRACTURED, 1.5, spacing_mm=(0.4, 0.25), source=SpacingSource.CALIBRATED)
    result = screened(film)
    truth = (FRACTURED.keypoints + 0.5) * np.array([1.5, 1.5 * 0.4 / 0.25]) - 0.5
    assert np.abs(points_found(result) - truth).max() < 0.6
    for vertebra, points in zip(result.vertebrae, FRACTURED.keypoints * 1.5, strict=True):
        assert vertebra.heights_px == pytest.approx(np.linalg.norm(points[0::2] - points[1::2], axis=1), abs=0.6)
        assert vertebra.heights_mm == pytest.approx(0.4 * np.asarray(vertebra.heights_px))


@pytest.mark.parametrize(("view", "region", "reason"), [
    ("ap", "lumbar", ReasonCode.VIEW_NOT_LATERAL),
    ("other", "other", ReasonCode.VIEW_NOT_LATERAL),
    ("lateral", "other", ReasonCode.REGION_NOT_SPINE),
    ("lateral", "chest", None),
])  # fmt: skip
def test_only_lateral_films_of_a_spine(view: str, region: str, reason: ReasonCode | None) -> None:
    result = screened(draw(FRACTURED), oracle_film_models(FRACTURED, OracleViewReader(view, region)))
    assert (None if result.rejected is None else result.rejected.reason) is reason
    assert result.picture.view is not None and result.picture.view.value == view  # what was seen is kept
    assert bool(result.vertebrae) == (reason is None)


def test_without_a_view_network_the_locator_stands_alone() -> None:
    models = replace(oracle_film_models(FRACTURED), view=None)
    result = screened(draw(FRACTURED), models)
    assert [v.vertebra_level for v in result.vertebrae] == list(FRACTURED.levels)
    assert result.picture.view is None and result.picture.body_region is None
    assert result.picture.anterior_side is PictureSide.RIGHT


def test_a_view_network_that_fails_is_done_without_and_said_so() -> None:
    class Broken:
        def read(self, image: np.ndarray, inside: np.ndarray) -> FilmViewReading:
            raise RuntimeError("no such shape")

    result = screened(draw(FRACTURED), replace(oracle_film_models(FRACTURED), view=Broken()))
    assert len(result.vertebrae) == 6 and result.picture.view is None
    assert "no such shape" in (result.picture.problem or "")


@pytest.mark.parametrize("facing", [0.3, 0.5, 0.7])
def test_where_the_side_is_in_doubt_both_are_looked_at(facing: float) -> None:
    models = replace(oracle_film_models(FRACTURED), locator=OracleFilmLocator(facing=facing), view=None)
    result = screened(draw(FRACTURED), models)
    assert len(result.vertebrae) == 6 and result.picture.anterior_side is PictureSide.RIGHT
    assert result.picture.anterior_side_probability == pytest.approx(facing)


@pytest.mark.parametrize("size", [0.7, 0.85, 1.3, 1.45])
def test_a_wrong_size_is_looked_at_again(size: float) -> None:
    """The first strip's bodies are too small or too large for the detector; some of them show how much."""
    detector = OracleFilmDetector(FRACTURED.levels, size_tolerance=0.45)
    models = replace(oracle_film_models(FRACTURED), locator=OracleFilmLocator(size=size), detector=detector)
    result = screened(draw(FRACTURED, 2.0), models)
    assert len(result.vertebrae) == 6
    assert result.strip is not None
    heights = np.median([v.heights_px.max() for v in result.vertebrae if v.heights_px is not None])
    assert np.median(result.strip.course.body_height_px) == pytest.approx(
        heights, rel=0.18
    )  # means, and within SIZE_LOG


def test_bodies_beyond_the_ends_of_the_course_are_reached() -> None:
    """A locator that saw the middle of the column only."""
    models = replace(oracle_film_models(FRACTURED), locator=OracleFilmLocator(keep=slice(12, 24)))
    result = screened(draw(FRACTURED, 2.0), models)
    assert len(result.vertebrae) == 6


def collimated(film: Radiograph, below_row: float) -> Radiograph:
    inside = film.inside.copy()
    inside[round(below_row) :] = False
    return replace(film, inside=inside)


def test_a_vertebra_cut_by_the_collimator_is_truncated_and_not_graded() -> None:
    film = draw(FRACTURED, 2.0)
    bottom = 2.0 * FRACTURED.keypoints[-1, 1::2, 0].min() - 8.0
    result = screened(collimated(film, bottom))
    last = result.vertebrae[-1]
    assert last.truncated and last.reason is ReasonCode.TRUNCATED and last.vertebra_level == "L3"
    measured = (last.heights_px, last.keypoints_px, last.genant_grade, last.deformity_type, last.fracture_probability)
    assert all(value is None for value in measured)
    assert not any(v.truncated for v in result.vertebrae[:-1])
    assert "L3" not in result.patient.sdi_levels_assessed


def test_an_edge_read_as_an_endplate_is_truncated() -> None:
    """The lower half of the last body lies behind the collimator; a network puts its points on the border."""

    class EdgeReader(OracleFilmDetector):
        def detect(self, strip: np.ndarray, inside: np.ndarray) -> list:
            found = super().detect(strip, inside)
            if not found:
                return found
            points = found[-1].keypoints.copy()
            points[1::2, 0] = np.flatnonzero(inside.any(axis=1)).max() - 2.0
            return [*found[:-1], replace(found[-1], keypoints=points, centre=points.mean(axis=0))]

    models = replace(oracle_film_models(FRACTURED), detector=EdgeReader(FRACTURED.levels))
    film = draw(FRACTURED, 2.0)
    result = screened(collimated(film, 2.0 * FRACTURED.keypoints[-1, :, 0].mean() + 2.0), models)
    assert result.vertebrae[-1].truncated
    assert not any(v.truncated for v in result.vertebrae[:-1])


def test_levels_are_uncertain_where_neither_end_is_in_view() -> None:
    result = screened(draw(FRACTURED))
    assert not any(v.level_certain for v in result.vertebrae)


def test_the_lower_end_of_the_column_numbers_it_and_makes_nothing_certain() -> None:
    levels = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
    patient = make_film_patient(levels, below=6.0)
    result = screened(draw(patient), oracle_film_models(patient))
    assert [v.vertebra_level for v in result.vertebrae] == list(levels)
    assert min(v.level_probability or 0.0 for v in result.vertebrae) > 0.9
    assert not any(v.level_certain for v in result.vertebrae)  # one end is not enough


class Silent(OracleFilmDetector):
    """Votes for no level."""

    def detect(self, strip: np.ndarray, inside: np.ndarray) -> list:
        return [replace(d, level_scores=np.zeros_like(d.level_scores)) for d in super().detect(strip, inside)]


def test_a_column_without_any_evidence_has_no_certain_level_and_raw_loss_only() -> None:
    models = replace(oracle_film_models(FRACTURED), detector=Silent(FRACTURED.levels))
    result = screened(draw(FRACTURED), models)
    assert not any(v.level_certain for v in result.vertebrae)
    assert all(v.level_probability is None or v.level_probability < 0.9 for v in result.vertebrae)


class NoColumn(OracleFilmLocator):
    def locate(self, image: np.ndarray, inside: np.ndarray):
        return replace(super().locate(image, inside), presence=np.zeros(36))


class Blind(OracleFilmDetector):
    def detect(self, strip: np.ndarray, inside: np.ndarray) -> list:
        return []


def test_nothing_found_is_a_rejection_with_its_reason() -> None:
    models = oracle_film_models(FRACTURED)
    lost = screened(draw(FRACTURED), replace(models, locator=NoColumn()))
    assert lost.rejected is not None and lost.rejected.reason is ReasonCode.SPINE_NOT_FOUND
    blind = screened(draw(FRACTURED), replace(models, detector=Blind(FRACTURED.levels)))
    assert blind.rejected is not None and blind.rejected.reason is ReasonCode.VERTEBRAE_NOT_FOUND
    assert len(blind.course_px) and blind.vertebrae == () and blind.patient.max_genant_grade is None
    assert screened(draw(FRACTURED), detection_threshold=0.96).vertebrae == ()


def test_the_same_twice() -> None:
    first, second = (screened(draw(FRACTURED)) for _ in range(2))
    np.testing.assert_array_equal(points_found(first), points_found(second))
    for a, b in zip(first.vertebrae, second.vertebrae, strict=True):
        assert (a.fracture_probability, a.level_probability) == (b.fracture_probability, b.level_probability)


def test_a_time_limit_ends_it() -> None:
    def late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        screen_film(draw(FRACTURED), oracle_film_models(FRACTURED), ScreeningSettings(), late)


def test_neck_vertebrae_are_measured_but_not_graded() -> None:
    patient: FilmPatient = make_film_patient(("C5", "C6", "C7", "T1", "T2"))
    result = screened(draw(patient, 2.0), oracle_film_models(patient))
    assert [v.reason for v in result.vertebrae[:3]] == [ReasonCode.LEVEL_NOT_GRADED] * 3
    assert all(v.heights_px is not None for v in result.vertebrae)
