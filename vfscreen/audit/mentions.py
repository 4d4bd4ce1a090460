"""What a report says of vertebral fractures: each mention with its status, levels, grade words and the words that
decided.

Belongs here: targets, status of a mention, its levels. Does not belong here: sentences (`sentences`), cues (`context`),
what a whole report amounts to (`readings`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, cast

from spacy.matcher import Matcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from vfscreen.audit.context import ContextReader, Cue
from vfscreen.audit.levels import LevelGroup, LevelReader
from vfscreen.audit.phrases import token_pattern
from vfscreen.audit.rules import Property, Rules, SectionKind, Target
from vfscreen.audit.sentences import Sentence, SentenceReader


class Status(StrEnum):
    """What a report says of a fracture."""

    AFFIRMED = "affirmed"
    HISTORICAL = "historical"
    HEDGED = "hedged"
    NEGATED = "negated"
    QUESTION = "question"


REPORTED = (Status.AFFIRMED, Status.HISTORICAL, Status.HEDGED)
"""Statuses by which a reader of the report learns of a fracture, be it old or doubtful."""


@dataclass(frozen=True)
class Mention:
    """A fracture (deformity, loss of height) that a report speaks of.

    sentence: characters start:end of the report. cue: the words that gave the status, empty where none did. levels: may
    be empty. recent_only: a negation of new fractures only ("no acute fracture"), which says nothing of old ones.
    grade: Genant's, as written or as the words mild, moderate, severe stand for it. height_loss_percent: as written.
    """

    status: Status
    target: str
    cue: str
    levels: tuple[str, ...]
    start: int
    end: int
    recent_only: bool = False
    grade: int | None = None
    shape: str | None = None
    height_loss_percent: float | None = None


class Reads(Protocol):
    """What reads a report's text."""

    def read(self, text: str) -> list[Mention]: ...


@dataclass(frozen=True)
class _Part:
    """A sentence and its targets, each with the levels that are its own."""

    sentence: Sentence
    targets: Sequence[tuple[Span, tuple[str, ...]]]

    @property
    def spans(self) -> list[Span]:
        return [span for span, _ in self.targets]


_PERCENT = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*(?:-\s*(\d{1,2})\s*)?(?:%|percent\b|prozent\b)", re.IGNORECASE)
_GENANT = re.compile(r"genant\D{0,12}?([0-3])(?!\d)|(?:grade|grad)\s*([0-3])(?!\d)", re.IGNORECASE)


class ReportReader:
    """Reads reports by the rules of a language. Made once, used for many reports; not for use from several threads."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._sentences = SentenceReader(rules)
        self._levels = LevelReader(rules.levels)
        self._context = ContextReader(self._sentences.nlp, rules)
        self._spinal = {word.lower() for word in rules.spinal_words}
        self._matcher = Matcher(self._sentences.nlp.vocab)
        for target, phrases in rules.targets.items():
            self._matcher.add(target, [token_pattern(p, rules.lists, self._levels.token) for p in phrases])

    def read(self, text: str) -> list[Mention]:
        """Mentions in the order of the text."""
        doc, sentences = self._sentences.read(text)
        groups = self._levels.find(doc.text)
        found = [s for s in self._targets(doc) if s.label_ != "distractor"]
        parts = [_Part(s, _own(_within(found, s), groups, s)) for s in sentences]
        cues = self._context.read(doc, [span for part in parts for span in part.spans])
        mentions: list[Mention] = []
        done = 0
        for part in parts:
            if part.targets:
                mentions += self._of_sentence(doc, part, cues[done : done + len(part.spans)])
                done += len(part.spans)
        return mentions

    def _targets(self, doc: Doc) -> list[Span]:
        """Targets that do not overlap (the longest wins) nor reach over the end of a sentence."""
        matches = self._matcher(doc, as_spans=True)
        return filter_spans([s for s in matches if not any(t.is_sent_start for t in s[1:])])

    def _of_sentence(self, doc: Doc, part: _Part, cues: Sequence[Mapping[Property, Cue]]) -> list[Mention]:
        sentence, spans = part.sentence, part.spans
        text = doc.text[sentence.start : sentence.end]
        named = any(levels for _, levels in part.targets)
        words = doc.char_span(sentence.start, sentence.end, alignment_mode="expand") or ()
        spinal = named or any(t.norm_ in self._spinal for t in words)
        mentions: list[Mention] = []
        signs: list[bool] = []
        for i, ((span, levels), found) in enumerate(zip(part.targets, cues, strict=True)):
            target = cast("Target", span.label_)
            status, cue = _status(target, found, sentence.section)
            if "other_person" in found or not _is_vertebral(target, status, spinal):
                continue
            mention = Mention(
                status=status,
                target=span.text,
                cue=cue,
                levels=levels,
                start=sentence.start,
                end=sentence.end,
                recent_only=status is Status.NEGATED and target != "intact" and _recent_is_denied(found),
            )
            mentions.append(self._with_details(mention, _around(doc, spans, i, sentence), text, len(spans) == 1))
            signs.append(target == "sign")
        return _joined(_doubted(mentions, signs))

    def _with_details(self, mention: Mention, around: str, sentence: str, alone: bool) -> Mention:
        """Grade, shape and percentage from the words between this mention's neighbours (or the sentence, if alone)."""
        if mention.status not in REPORTED:
            return mention
        text = (sentence if alone else around).lower()
        words = re.findall(r"\w+", text)
        genant = _GENANT.search(text)
        severity = [self.rules.severity[w] for w in words if w in self.rules.severity]
        percent = _PERCENT.search(text)
        shapes = [self.rules.shapes[w] for w in words if w in self.rules.shapes]
        return replace(
            mention,
            grade=int(genant[1] or genant[2]) if genant else max(severity, default=None),
            shape=shapes[0] if shapes else None,
            height_loss_percent=float(percent[2] or percent[1]) if percent else None,
        )


def _status(target: Target, cues: Mapping[Property, Cue], section: SectionKind) -> tuple[Status, str]:
    """Status of a mention and the words that gave it.

    The order is ConText's: who asks has read nothing; a denial beats doubt, doubt beats age. Between old and new the
    nearer phrase wins.
    """
    if section == "question":
        return Status.QUESTION, ""
    if "question" in cues:
        return Status.QUESTION, cues["question"].phrase
    if target == "intact":
        return Status.NEGATED, ""
    if "negated" in cues:
        return Status.NEGATED, cues["negated"].phrase
    if "hedged" in cues:
        return Status.HEDGED, cues["hedged"].phrase
    old, new = cues.get("historical"), cues.get("recent")
    if old and (new is None or old.distance <= new.distance):
        return Status.HISTORICAL, old.phrase
    if target == "treated" or (section == "comparison" and new is None):
        return Status.HISTORICAL, ""
    return Status.AFFIRMED, new.phrase if new else ""


def _is_vertebral(target: Target, status: Status, spinal: bool) -> bool:
    """Whether a target is about vertebral bodies: some words say so by themselves, a bare "fracture" needs a level or a
    word of the spine in its sentence."""
    if target == "treated":
        return status in (Status.HISTORICAL, Status.AFFIRMED)
    if target == "fracture_if_negated":
        return status is Status.NEGATED
    if target in ("fracture_if_spinal", "sign"):
        return spinal or status in (Status.NEGATED, Status.QUESTION)
    return True


def _recent_is_denied(cues: Mapping[Property, Cue]) -> bool:
    """ "no acute fracture": the word of recency stands between the negation and the mention."""
    negated, recent = cues.get("negated"), cues.get("recent")
    return negated is not None and recent is not None and negated.end <= recent.start


def _within(spans: Sequence[Span], sentence: Sentence) -> list[Span]:
    return [s for s in spans if sentence.start <= s.start_char < sentence.end]


def _own(spans: Sequence[Span], groups: Sequence[LevelGroup], sentence: Sentence) -> list[tuple[Span, tuple[str, ...]]]:
    """Targets of a sentence with their levels, without those that only describe the fracture before them."""
    if not spans:
        return []
    levels = _attached(spans, [g for g in groups if sentence.start <= g.start < sentence.end])
    pairs = list(zip(spans, levels, strict=True))
    return [(s, own) for i, (s, own) in enumerate(pairs) if i == 0 or own or s.label_ != "sign"]


def _attached(spans: Sequence[Span], groups: Sequence[LevelGroup]) -> list[tuple[str, ...]]:
    """Each group of levels goes to the mention nearest to it, of two as near to the earlier ("fracture of L1")."""
    levels: list[list[str]] = [[] for _ in spans]
    for group in groups:
        distances = [
            0 if s.start_char <= group.start < s.end_char
            else group.start - s.end_char if group.start >= s.end_char
            else s.start_char - group.end
            for s in spans
        ]  # fmt: skip
        levels[distances.index(min(distances))] += group.levels
    return [tuple(dict.fromkeys(found)) for found in levels]


def _around(doc: Doc, spans: Sequence[Span], index: int, sentence: Sentence) -> str:
    low = spans[index - 1].end_char if index else sentence.start
    high = spans[index + 1].start_char if index + 1 < len(spans) else sentence.end
    return doc.text[low:high]


def _doubted(mentions: Sequence[Mention], signs: Sequence[bool]) -> list[Mention]:
    """Signs beside a doubtful fracture without a level of its own are as doubtful as it is."""
    doubt = next((m for m in mentions if m.status is Status.HEDGED and not m.levels), None)
    return [
        replace(m, status=Status.HEDGED, cue=doubt.cue) if doubt and sign and m.status in REPORTED else m
        for m, sign in zip(mentions, signs, strict=True)
    ]


def _joined(mentions: Sequence[Mention]) -> list[Mention]:
    """A mention without levels beside one of the same status that has some is the same fracture said twice
    ("compression fracture of L1 with loss of height")."""
    kept: list[Mention] = []
    for mention in mentions:
        partner = next(
            (
                i
                for i, other in enumerate(kept)
                if other.status is mention.status and not (other.levels and mention.levels)
            ),
            None,
        )
        if partner is None:
            kept.append(mention)
            continue
        other = kept[partner]
        kept[partner] = replace(
            other,
            levels=other.levels or mention.levels,
            recent_only=other.recent_only and mention.recent_only,
            grade=other.grade if other.grade is not None else mention.grade,
            shape=other.shape or mention.shape,
            height_loss_percent=other.height_loss_percent or mention.height_loss_percent,
        )
    return kept
