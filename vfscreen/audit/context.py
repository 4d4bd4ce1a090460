"""Which properties (negated, hedged, historical ...) the words around a mention give it.

negspacy finds the phrases, drops pseudo phrases and cuts sentences at terminations (NegEx; Chapman et al., J Biomed
Inform 2001), once for each property of ConText (Harkema et al., J Biomed Inform 2009). Ours is what it does not have:
the reach in tokens, that a phrase belongs to the mention next to it, and the phrase itself as evidence. docs/adr/0004
says which libraries were tried.

Belongs here: phrase -> mention. Does not belong here: the phrases (rules), what properties amount to (mentions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from negspacy.negation import Negex
from spacy.language import Language
from spacy.tokens import Doc, Span

from vfscreen.audit.rules import PROPERTIES, Property, Rules

_INSIDE: tuple[Property, ...] = ("hedged", "historical", "recent")
"""Properties whose phrase may be part of the mention itself: "T12 is chronically compressed"."""


@dataclass(frozen=True)
class Cue:
    """A phrase that gives a mention a property. distance: tokens between the two. start, end: tokens of the phrase."""

    phrase: str
    distance: int
    start: int
    end: int


class ContextReader:
    """Finds the cues of mentions by the rules of a language."""

    def __init__(self, nlp: Language, rules: Rules) -> None:
        self._reach = {name: rules.modifiers[name].reach_tokens for name in PROPERTIES}
        self._finders = {
            name: Negex(
                nlp,
                f"context_{name}",
                {
                    "pseudo_negations": list(modifier.pseudo),
                    "preceding_negations": list(modifier.preceding),
                    "following_negations": list(modifier.following),
                    "termination": [*rules.termination, *modifier.termination],
                },
                extension_name=f"context_{name}",
            )
            for name, modifier in rules.modifiers.items()
        }

    def read(self, doc: Doc, mentions: Sequence[Span]) -> list[Mapping[Property, Cue]]:
        """The nearest cue of each property for each of `mentions`, which are in the order of the document."""
        found: list[dict[Property, Cue]] = [{} for _ in mentions]
        doc = _corrected(doc)
        for name, finder in self._finders.items():
            preceding, following, terminating = finder.process_negations(doc)
            for low, high in finder.termination_boundaries(doc, terminating):
                before = [(s, e) for _, s, e in preceding if low <= s < high]
                after = [(s, e) for _, s, e in following if low <= s < high]
                inside = [(i, m) for i, m in enumerate(mentions) if low <= m.start < high]
                for place, (index, mention) in enumerate(inside):
                    # what follows a mention belongs to it only up to the next mention; what precedes may be shared,
                    # as in "no wedge, crush or burst fracture"
                    limit = inside[place + 1][1].start if place + 1 < len(inside) else high
                    cues = [
                        *(_cue(doc, s, e, mention.start - e) for s, e in before if e <= mention.start),
                        *(_cue(doc, s, e, 0) for s, e in before if name in _INSIDE and _holds(mention, s, e)),
                        *(_cue(doc, s, e, s - mention.end) for s, e in after if mention.end <= s < limit),
                    ]
                    reach = self._reach[name]
                    near = [c for c in cues if reach is None or c.distance <= reach]
                    if near:
                        # of phrases that end at one place the longest says most
                        found[index][name] = min(near, key=lambda c: (c.distance, c.start - c.end))
        return list(found)


def _corrected(doc: Doc) -> Doc:
    """The document, token by token, with its spelling corrected: negspacy looks at words, not at NORM."""
    if all(token.norm_ == token.lower_ for token in doc):
        return doc
    return Doc(
        doc.vocab,
        words=[token.text if token.norm_ == token.lower_ else token.norm_ for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        sent_starts=[bool(token.is_sent_start) for token in doc],
    )


def _holds(mention: Span, start: int, end: int) -> bool:
    return mention.start <= start and end <= mention.end


def _cue(doc: Doc, start: int, end: int, distance: int) -> Cue:
    return Cue(doc[start:end].text, distance, start, end)
