"""A report as sentences of tokens, each in its section, spelling mistakes of the words that matter corrected.

Belongs here: sections, where a sentence ends, tokens, spelling. Does not belong here: what the words mean.

Sentence ends are found by rules and not by a model: reports are telegrams, lists and wrapped lines as often as prose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import spacy
from spacy.language import Language
from spacy.matcher.levenshtein import levenshtein
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from vfscreen.audit.rules import Rules, SectionKind, Spelling

_NO_WORD = re.compile(r"[^\w\s]|_")
_LIST_ITEM = re.compile(r"\s*(?:[-*•–]|\d{1,2}[.)])\s")  # noqa: RUF001 (dashes as typed)
_HEADING_LINE = re.compile(r"\s*[^\W\d_][^\n:.;]{1,40}:")
_WRAPPED_MIN = 60
"""A line at least this long that ends without punctuation goes on in the next one."""


@dataclass(frozen=True)
class Sentence:
    """Characters start:end of the report."""

    start: int
    end: int
    section: SectionKind


class SentenceReader:
    """Cuts reports by the rules of a language."""

    def __init__(self, rules: Rules) -> None:
        self.nlp = blank_language(rules.language)
        self._spelling = rules.spelling
        self._kinds = {name.lower(): kind for kind, names in rules.sections.items() for name in names}
        names = "|".join(re.escape(n) for n in sorted(self._kinds, key=lambda n: (-len(n), n)))
        self._heading = re.compile(rf"(?:^|(?<=[.;?!\n]))[ \t]*({names})[ \t]*(?::|[ \t]-[ \t]|\n)", re.IGNORECASE)
        self._abbreviation = re.compile(
            rf"(?:^|[\s(])(?:{'|'.join(re.escape(a) for a in rules.abbreviations)})\.$", re.IGNORECASE
        )

    def read(self, text: str) -> tuple[Doc, list[Sentence]]:
        """The report's tokens, with sentence starts set and NORM corrected, and its sentences in order."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        doc = self.nlp.make_doc(text)
        sentences = self._sentences(text)
        starts = {s.start for s in sentences}
        for token in doc:
            token.is_sent_start = token.i == 0 or token.idx in starts
            token.norm_ = corrected(token.lower_, self._spelling)
        return doc, sentences

    def _sentences(self, text: str) -> list[Sentence]:
        cuts = sorted({0, len(text), *self._ends(text), *(m.start() for m in self._heading.finditer(text))})
        headings = {m.start(): self._kinds[m[1].lower()] for m in self._heading.finditer(text)}
        sentences = []
        section: SectionKind = "report"
        for start, end in pairwise(cuts):
            part = text[start:end]
            if start in headings:
                section = headings[start]
            elif section != "report" and (_after_blank_line(text, start) or _HEADING_LINE.match(part)):
                section = "report"
            if part.strip():
                first = start + len(part) - len(part.lstrip())
                sentences.append(Sentence(first, end, section))
        return sentences

    def _ends(self, text: str) -> list[int]:
        ends = []
        for match in re.finditer(r"[.?!;]+(?=\s|$)|\n", text):
            end = match.end()
            if match[0] == "\n":
                if _line_ends(text, match.start()):
                    ends.append(end)
            elif match[0] == "." and (
                self._abbreviation.search(text[:end][-12:]) or _LIST_ITEM.match(_line_before(text, end) + " ")
            ):
                continue  # "approx. 30 %", "1. Fracture"
            else:
                ends.append(end)
        return ends


def blank_language(language: str) -> Language:
    """spaCy's language without any model, whose tokens are runs of letters and digits, and single other characters."""
    nlp = spacy.blank(language)
    nlp.tokenizer = Tokenizer(
        nlp.vocab,
        prefix_search=_NO_WORD.match,
        suffix_search=re.compile(r"(?:[^\w\s]|_)$").search,
        infix_finditer=_NO_WORD.finditer,
    )
    return nlp


@lru_cache(maxsize=100_000)
def corrected(word: str, spelling: Spelling) -> str:
    """`word` (lower case), or the listed word it is a misspelling of: one edit or one swap of neighbours, in words of
    eight letters or more two edits. The first letter is trusted."""
    if len(word) < 5 or word in spelling.words or word in spelling.left_alone or not word.isalpha():
        return word
    allowed = 2 if len(word) >= 8 else 1
    near = [
        (distance, known)
        for known in spelling.words
        if known[0] == word[0] and (distance := _edits(word, known, allowed)) <= allowed
    ]
    return min(near)[1] if near else word


def _edits(word: str, known: str, limit: int) -> int:
    if abs(len(word) - len(known)) > limit:
        return limit + 1
    if len(word) == len(known):
        wrong = [i for i, (a, b) in enumerate(zip(word, known, strict=True)) if a != b]
        if len(wrong) == 2 and wrong[1] == wrong[0] + 1 and word[wrong[0]] == known[wrong[1]]:
            return 1
    distance: int = levenshtein(word, known, limit)
    return distance


def _line_before(text: str, end: int) -> str:
    return text[text.rfind("\n", 0, end - 1) + 1 : end]


def _after_blank_line(text: str, start: int) -> bool:
    return re.search(r"\n[ \t]*\n[ \t]*$", text[:start]) is not None


def _line_ends(text: str, newline: int) -> bool:
    """Whether the line break at `newline` ends a sentence; it does not where a line of prose is merely wrapped."""
    line = _line_before(text, newline + 1).rstrip()
    following: Sequence[str] = text[newline + 1 :].split("\n", 1)
    following_line = following[0]
    if not line or not following_line.strip() or line.endswith((".", ":", ";", "?", "!")):
        return True
    if _LIST_ITEM.match(following_line) or _HEADING_LINE.match(following_line):
        return True
    return len(line) < _WRAPPED_MIN and not following_line.lstrip()[0].islower()
