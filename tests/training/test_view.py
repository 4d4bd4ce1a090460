"""The view network's samples and training: labels follow what is shown, whatever is done to the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vfscreen.models.film_ports import BODY_REGIONS, VIEWS
from vfscreen.models.film_view import FilmViewNet, prepare_film
from vfscreen.training import view_data
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.view_cases import ViewCase, counted_on, from_film_case, load_view_case, save_view_case
from vfscreen.training.view_data import (
    TONE,
    UNKNOWN,
    ViewBatch,
    ViewSample,
    by_view,
    draw_sample,
    region_of,
    sample_case,
    seen_again,
)
from vfscreen.training.view_train import ViewTrainSettings, load_cases, measure, train_view, view_loss, view_metrics

LEVELS = [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)]


def case(view: str, source: str = "body", name: str = "case") -> ViewCase:
    """A toy trunk: dense at the head's end, and on a lateral film denser behind (larger columns)."""
    rows, columns = 170, 120
    soft = np.full((rows, columns), 120.0, dtype=np.float32) + np.linspace(150, 0, rows, dtype=np.float32)[:, None]
    if view == "lateral":
        soft = soft + np.linspace(0, 120, columns, dtype=np.float32)[None]
    if view == "other":
        soft = soft[::-1] * 0 + np.random.default_rng(3).random((rows, columns)).astype(np.float32) * 300
    centres = {level: np.array([5.0 + 10.0 * n, 60.0]) for n, level in enumerate(LEVELS)}
    return ViewCase(name, source, view, soft, np.zeros_like(soft) + 2.0, 2.0, {} if view == "other" else centres)


@pytest.mark.parametrize(
    ("levels", "whole", "region"),
    [
        (LEVELS, False, "whole_spine"),
        (LEVELS[:10], True, "chest"),
        (LEVELS[:10], False, "thoracic"),
        (LEVELS[8:], False, "thoracolumbar"),
        (LEVELS[11:], False, "lumbar"),
        (LEVELS[:1], False, "other"),
        ([], True, "other"),
    ],
)
def test_a_region_is_named_by_the_levels_in_view(levels: list[str], whole: bool, region: str) -> None:
    assert region_of(levels, whole) == region


def test_levels_are_counted_on_from_what_was_read() -> None:
    centres = counted_on({"T12": np.array([1.0, 2.0, 0.0]), "L1": np.array([1.0, 2.0, -30.0])})
    assert set(centres) == set(LEVELS)
    heights = [float(centres[level][2]) for level in LEVELS]
    assert (np.diff(heights) < 0).all()
    assert counted_on({}) == {}


def test_turning_the_picture_back_by_its_label_puts_the_head_up_and_the_front_where_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The film itself, caught before it is normalised: head dense, back dense."""
    caught: list[np.ndarray] = []

    def catch(image: np.ndarray, inside: np.ndarray, tone: object) -> np.ndarray:
        caught.append(image)
        return prepare_film(image, inside, TONE)

    monkeypatch.setattr(view_data, "prepare_film", catch)
    monkeypatch.setattr(view_data, "INVERTED_SHARE", 0.0)
    monkeypatch.setattr(view_data, "_collimated", lambda film, inside, rng: (film, inside))
    monkeypatch.setattr(view_data, "expose", lambda soft, bone, pixel_mm, exposure: soft.copy())
    rng = np.random.default_rng(0)
    turns = set()

    def check(image: np.ndarray, sample: ViewSample) -> None:
        upright = np.rot90(image, sample.rotation)
        edge = 4
        assert upright[:edge].mean() > upright[-edge:].mean(), "head up"
        faces_right = upright[:, :edge].mean() > upright[:, -edge:].mean()
        assert faces_right == bool(sample.facing_right)
        turns.add(sample.rotation)

    for _ in range(30):
        sample = sample_case(case("lateral"), rng)
        check(caught[-1], sample)
        again = seen_again(replace(sample, image=np.stack([caught[-1], caught[-1]])), rng)
        check(again.image[0], again)
    assert turns == {0, 1, 2, 3}


def test_labels_say_nothing_where_there_is_nothing_to_say() -> None:
    rng = np.random.default_rng(0)
    ap = sample_case(case("ap"), rng)
    assert (ap.view, ap.facing_right) == (VIEWS.index("ap"), UNKNOWN)
    assert ap.rotation != UNKNOWN
    other = sample_case(case("other"), rng)
    assert (other.rotation, other.region) == (UNKNOWN, BODY_REGIONS.index("other"))
    drawn = [draw_sample(by_view([case("lateral"), case("ap"), case("other")]), rng) for _ in range(40)]
    assert {s.view for s in drawn} == {0, 1, 2}
    assert all(np.isfinite(s.image).all() for s in drawn)
    assert drawn[0].image.shape == (2, 192, 192)


def test_unknown_labels_weigh_nothing() -> None:
    network = FilmViewNet(side=64, widths=(8, 8, 8, 8), hidden=8).eval()
    image = torch.randn(2, 2, 64, 64)
    nothing = torch.full((2,), UNKNOWN)
    labels = torch.tensor([0, 1])
    batch = ViewBatch(image, labels, nothing, nothing, nothing)
    parts = view_loss(network, batch)[1]
    assert parts["view"] > 0
    assert (parts["region"], parts["rotation"], parts["facing_right"]) == (0.0, 0.0, 0.0)


def test_cases_survive_their_file_and_a_film_case_is_binned(tmp_path: Path) -> None:
    kept = case("lateral")
    back = load_view_case(save_view_case(kept, tmp_path))
    assert np.allclose(back.soft, kept.soft, atol=0.3)
    assert back.centres_px.keys() == kept.centres_px.keys()
    size = (80, 60)
    points = np.zeros((1, 6, 2), dtype=np.float32) + np.array([41.5, 29.5], dtype=np.float32)
    one = np.ones(1, dtype=np.float32)
    film = FilmCase(
        "x", "body", "lateral", np.ones(size, np.float32), np.ones(size, np.float32), 0.5, points, ("L1",), one, one,
        one, (0.0, 80.0), np.full((2, 2), np.nan, np.float32),
    )  # fmt: skip
    small = from_film_case(film, "pool-x")
    assert (small.soft.shape, small.pixel_mm) == ((20, 15), 2.0)
    assert small.centres_px["L1"] == pytest.approx([(41.5 - 1.5) / 4, (29.5 - 1.5) / 4])


def test_a_short_training_runs_resumes_and_is_measured(tmp_path: Path) -> None:
    for view in ("lateral", "ap", "other"):
        save_view_case(case(view, name=view), tmp_path)
    save_view_case(case("ap", source="held-out", name="kept-apart"), tmp_path)
    settings = ViewTrainSettings(cases=tmp_path, run=tmp_path / "run", steps=2, batch=4)
    checkpoint = train_view(settings)
    assert int(torch.load(checkpoint, weights_only=True)["step"]) == 2
    assert {c.source for c in load_cases(tmp_path, exclude=("held",))} == {"body"}
    with pytest.raises(ValueError, match="no case"):
        load_cases(tmp_path, only=("nobody",))
    found = measure(FilmViewNet(), load_cases(tmp_path), 12, seed=0)
    metrics = {m.name: m for m in view_metrics(found, "toys", "command")}
    assert metrics["view right"].n == 12
    assert metrics["facing right right"].n == int((found["view"] == 0).sum())
    assert all(m.ci95 is not None and m.ci95[0] <= m.value <= m.ci95[1] for m in metrics.values())
