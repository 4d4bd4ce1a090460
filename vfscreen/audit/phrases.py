"""Phrases of a rule file as token patterns of spaCy's Matcher.

A phrase is words separated by spaces. `a|b` is one word of two; `<name>` a word of the list `name`; `<level>` a level's
name ("T12"), `<number>` digits; each may end in `?`, `*`, `+` or `{m,n}`. `compression <fracture>` is two tokens.

Belongs here: that small language. Does not belong here: words, matching.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vfscreen.audit.rules import WordList
from vfscreen.errors import SettingsError

_PART = re.compile(r"^(?P<item><\w+>|[^\s<>?*+{}]+)(?P<op>[?*+]|\{\d+(?:,\d+)?\})?$")


def token_pattern(phrase: str, lists: Mapping[str, WordList], level: str) -> list[dict[str, Any]]:
    """`phrase` as a pattern for spaCy's Matcher on the attribute NORM (lower case, spelling corrected).

    level: regular expression of a whole token that names a level. SettingsError where the phrase cannot be read.
    """
    pattern = []
    for part in phrase.split():
        match = _PART.match(part)
        if match is None:
            raise SettingsError(f"rule file: {part!r} in the phrase {phrase!r} cannot be read")
        token: dict[str, Any] = {"NORM": _values(match["item"], phrase, lists, level)}
        if match["op"]:
            token["OP"] = match["op"]
        pattern.append(token)
    return pattern


def _values(item: str, phrase: str, lists: Mapping[str, WordList], level: str) -> dict[str, Any]:
    if item == "<level>":
        return {"REGEX": level}
    if item == "<number>":
        return {"REGEX": r"^\d+$"}
    if not item.startswith("<"):
        return {"IN": [word.lower() for word in item.split("|")]}
    words = lists.get(item[1:-1])
    if words is None:
        raise SettingsError(f"rule file: the phrase {phrase!r} names the list {item}, which is not in lists")
    if words.words:
        return {"IN": [word.lower() for word in words.words]}
    return {"NOT_IN": [word.lower() for word in words.excluded]}
