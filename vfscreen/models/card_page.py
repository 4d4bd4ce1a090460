"""A weight card as a page of the documentation, so that no number is written by hand.

Belongs here: card -> Markdown. `python -m vfscreen.models.card_page CARD.yaml > docs/models/NAME.md` writes the page.
Does not belong here: the card (cards).
"""

from __future__ import annotations

import sys
from pathlib import Path

from vfscreen.models.cards import Metric, WeightCard, read_card


def card_page(card: WeightCard) -> str:
    """Markdown of one card: what it is, on what it was trained, what was measured, what it cannot do."""
    lines = [
        f"# {card.name}",
        "",
        "Generated from the weight card by `python -m vfscreen.models.card_page`; do not edit.",
        "",
        card.description,
        "",
        f"Architecture `{card.architecture}`, "
        + ", ".join(f"{name} {value}" for name, value in card.hyperparameters.items())
        + f". Weights sha256 `{card.sha256}`. Licence: {card.licence}.",
        "",
        "## Data",
        "",
        "| name | use | origin | licence | what |",
        "|---|---|---|---|---|",
        *(f"| {s.name} | {s.use} | {s.origin} | {s.licence} | {s.description} |" for s in card.training_data),
        "",
        "Trained with:",
        "",
        "```",
        card.training_command,
        "```",
        "",
        "## Measured",
    ]
    for data in dict.fromkeys(metric.data for metric in card.metrics):
        metrics = [metric for metric in card.metrics if metric.data == data]
        lines += ["", f"### {data}", "", "```", metrics[0].command, "```", "", "| | value | 95 % CI | n |"]
        lines += ["|---|---|---|---|", *(_metric_row(metric) for metric in metrics)]
    lines += ["", "## What it cannot do", "", *(f"- {limit}" for limit in card.limitations)]
    return "\n".join(lines) + "\n"


def _metric_row(metric: Metric) -> str:
    interval = "" if metric.ci95 is None else f"{metric.ci95[0]:.3g} to {metric.ci95[1]:.3g}"
    unit = f" {metric.unit}" if metric.unit else ""
    return f"| {metric.name} | {metric.value:.3g}{unit} | {interval} | {metric.n} |"


if __name__ == "__main__":
    sys.stdout.write(card_page(read_card(Path(sys.argv[1]))))
