"""Levels in a report's words: "T12", "D11 and L1", "T7/8", "L1 through L3", "first lumbar vertebra", "BWK 8 bis 10".

Belongs here: finding them and saying which levels they are. Does not belong here: which fracture they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vfscreen.audit.rules import LevelRules
from vfscreen.schema.names import LEVELS

COLUMN: tuple[str, ...] = tuple(level for level in LEVELS if level not in ("T13", "L6"))
"""Levels a range runs through: the regular column. T13 and L6 are read where they are named."""


@dataclass(frozen=True)
class LevelGroup:
    """Levels named together, at characters start:end of the text."""

    start: int
    end: int
    levels: tuple[str, ...]


class LevelReader:
    """Finds groups of levels in a text by the rules of a language."""

    def __init__(self, rules: LevelRules) -> None:
        self._region = {p.lower(): letter for letter, prefixes in rules.prefixes.items() for p in prefixes}
        self._ordinals = {word.lower(): number for word, number in rules.ordinals.items()}
        self._words = {word.lower(): letter for letter, words in rules.regions.items() for word in words}
        prefix = _any(self._region)
        no_level = "|".join(rules.followed_by_no_level)
        end = rf"(?!\w)(?!\s*(?:{_any(rules.units)})(?!\w))(?![.,]\d)"
        name = rf"(?:(?<![\w])({prefix})[\s-]?)(\d{{1,2}}){end}"
        through = rf"\s*(?:-|–|—|{_any(rules.through)})\s*"  # noqa: RUF001 (dashes as typed)
        further = rf"\s*(?:,?\s*(?:{_any(rules.and_)})|[,/&+])\s*"
        bare = rf"(?:(?:{prefix})[\s-]?)?(\d{{1,2}}){end}"
        self._group = re.compile(
            # atomic: "L4-L5 disc" may not be read as L4 once the disc has ruled the pair out
            rf"(?>{name}(?:(?:{through}|{further}){bare})*)(?!\s*[-/]?\s*(?:{no_level}))",
            re.IGNORECASE,
        )
        self._step = re.compile(
            rf"(?P<through>{through})?(?:{further})?(?P<prefix>{prefix})?[\s-]?(?P<number>\d{{1,2}})", re.IGNORECASE
        )
        number = rf"(?:({_any(self._ordinals)})|(\d{{1,2}})(?:st|nd|rd|th|\.))" if self._ordinals else r"()(\d{1,2})\."
        self._ordinal = re.compile(rf"(?<!\w){number}\s+({_any(self._words)})", re.IGNORECASE)
        self.token = rf"^(?:{prefix})\d{{1,2}}$"
        """Regular expression of a whole token, lower case, that names a level."""

    def find(self, text: str) -> list[LevelGroup]:
        """Groups in the order of the text; a name of no existing level ("T19") is left out."""
        groups = [*self._named(text), *self._in_words(text)]
        return sorted((g for g in groups if g.levels), key=lambda g: g.start)

    def _named(self, text: str) -> Iterator[LevelGroup]:
        for match in self._group.finditer(text):
            levels: list[str] = []
            letter = ""
            for step in self._step.finditer(match[0]):
                letter = self._region[step["prefix"].lower()] if step["prefix"] else letter
                level = f"{letter}{int(step['number'])}"
                if step["through"] and levels:
                    levels += _after(levels[-1], level)
                elif level in LEVELS:
                    levels.append(level)
            yield LevelGroup(match.start(), match.end(), tuple(dict.fromkeys(levels)))

    def _in_words(self, text: str) -> Iterator[LevelGroup]:
        for match in self._ordinal.finditer(text):
            number = self._ordinals[match[1].lower()] if match[1] else int(match[2])
            level = f"{self._words[match[3].lower()]}{number}"
            yield LevelGroup(match.start(), match.end(), (level,) if level in LEVELS else ())


def _after(first: str, last: str) -> Sequence[str]:
    """Levels after `first` up to `last`; only `last` where the two are no downward range of the regular column."""
    if first in COLUMN and last in COLUMN and COLUMN.index(first) < COLUMN.index(last):
        return COLUMN[COLUMN.index(first) + 1 : COLUMN.index(last) + 1]
    return (last,) if last in LEVELS else ()


def _any(words: Iterable[str]) -> str:
    """Alternatives of a regular expression, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w))) or r"(?!)"
