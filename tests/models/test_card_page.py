"""The pages of the documentation say what the cards say."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfscreen.models.card_page import card_page
from vfscreen.models.cards import read_card
from vfscreen.models.registry import WEIGHTS_DIR

PAGES = Path(__file__).parents[2] / "docs" / "models"


@pytest.mark.parametrize(("card", "page"), [("vertebra-v1", "vertebra.md"), ("ribs-v1", "ribs-v1.md")])
def test_page_is_current(card: str, page: str) -> None:
    expected = card_page(read_card(WEIGHTS_DIR / f"{card}.yaml"))
    remedy = f"python -m vfscreen.models.card_page vfscreen/models/weights/{card}.yaml > docs/models/{page}"
    assert (PAGES / page).read_text(encoding="utf-8") == expected, remedy


def test_every_metric_and_source_is_on_the_page() -> None:
    card = read_card(WEIGHTS_DIR / "vertebra-v1.yaml")
    page = card_page(card)
    for metric in card.metrics:
        assert f"| {metric.name} | {metric.value:.3g}" in page
    for source in card.training_data:
        assert source.licence in page
