"""Reporting checklists, filled from what is known and left open where it is not.

Belongs here: reading checklists/*.yaml and putting facts beside items. Does not belong here: what is known (facts).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from vfscreen.evaluation.fact import Fact

OPEN = "to be filled by the site"
Row = dict[str, Any]


def load_checklists() -> list[dict[str, Any]]:
    """Every checklist: name, title, citation, note, items (id, topic, facts)."""
    folder = resources.files("vfscreen.evaluation") / "checklists"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return [yaml.safe_load(f.read_text(encoding="utf-8")) for f in files]


def fill_checklists(facts: Mapping[str, Fact]) -> list[Row]:
    """One row an item: checklist, item, topic, answer, source, filled. One that is known in part says so."""
    rows: list[Row] = []
    for checklist in load_checklists():
        for item in checklist["items"]:
            known = [facts[name] for name in item["facts"] if name in facts]
            partly = bool(known) and len(known) < len(item["facts"])
            answer = " ".join(fact.text for fact in known)
            rows.append(
                {
                    "checklist": checklist["name"],
                    "item": item["id"],
                    "topic": item["topic"],
                    "answer": f"{answer} The rest: {OPEN}." if partly else answer or OPEN,
                    "source": "; ".join(dict.fromkeys(fact.source for fact in known)),
                    "filled": "partly" if partly else "yes" if known else "no",
                }
            )
    return rows
