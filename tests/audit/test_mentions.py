"""What a report says: statuses, levels, details, and the words that decided."""

from __future__ import annotations

import pytest

from vfscreen.audit.mentions import Mention, ReportReader, Status


def read(reader: ReportReader, text: str) -> list[Mention]:
    return reader.read(text)


def test_two_things_in_one_sentence_keep_their_own_levels_and_statuses(english: ReportReader) -> None:
    old, new = read(english, "Old T12 compression fracture and new wedge fracture of L1.")
    assert (old.status, old.levels, old.cue) == (Status.HISTORICAL, ("T12",), "Old")
    assert (new.status, new.levels, new.cue) == (Status.AFFIRMED, ("L1",), "new")


def test_a_denial_of_new_fractures_is_told_from_one_of_all(english: ReportReader) -> None:
    (recent,) = read(english, "No acute compression fracture.")
    (whole,) = read(english, "No compression fracture.")
    assert recent.recent_only and not whole.recent_only
    assert {recent.status, whole.status} == {Status.NEGATED}


def test_details_are_read_where_a_fracture_is_reported(english: ReportReader) -> None:
    (mention,) = read(english, "Severe crush fracture of L1 with 45% loss of height.")
    assert (mention.grade, mention.shape, mention.height_loss_percent) == (3, "crush", 45.0)
    (genant,) = read(english, "T9: Genant grade 2 wedge fracture.")
    assert (genant.grade, genant.levels) == (2, ("T9",))
    (denied,) = read(english, "No moderate compression fracture.")
    assert denied.grade is None


def test_a_sentence_is_found_again_in_the_report(english: ReportReader) -> None:
    text = "FINDINGS:\r\nThe lungs and the mediastinum are clear. Compression fracture of\r\nL1 is seen. No effusion."
    (mention,) = read(english, text)
    plain = text.replace("\r\n", "\n")
    assert " ".join(plain[mention.start : mention.end].split()) == "Compression fracture of L1 is seen."


def test_the_referrer_has_read_nothing(english: ReportReader) -> None:
    text = "INDICATION: known T12 fracture, rule out new fracture.\n\nFINDINGS: Vertebral body heights are preserved."
    assert [m.status for m in read(english, text)] == [Status.QUESTION, Status.NEGATED]


def test_a_question_section_ends_where_the_next_begins(english: ReportReader) -> None:
    inline = "Indication: pain. Findings: Compression fracture of L1."
    assert [m.status for m in read(english, inline)] == [Status.AFFIRMED]
    paragraph = "History: fracture of L1.\n\nThere is a fracture of L1."
    assert [m.status for m in read(english, paragraph)] == [Status.QUESTION, Status.AFFIRMED]


@pytest.mark.parametrize(
    "text",
    [
        "Fracture of the left seventh rib.",
        "L2 transverse process fracture.",
        "Family history of vertebral fracture in her mother.",
        "Loss of disc height at L4-L5.",
        "Collapse of the right middle lobe.",
        "",
        " \n\n ",
        "Fracture risk is high.",
    ],
)
def test_other_things_are_not_mentions(english: ReportReader, text: str) -> None:
    assert read(english, text) == []


def test_what_follows_a_mention_does_not_reach_over_the_next_one(english: ReportReader) -> None:
    first, second = read(english, "Compression fracture of L1 and wedge deformity of T12, unchanged.")
    assert (first.status, second.status) == (Status.AFFIRMED, Status.HISTORICAL)


def test_targets_do_not_reach_over_sentences(english: ReportReader) -> None:
    (mention,) = read(english, "Fracture of L1. Rib cage is intact.")
    assert (mention.status, mention.levels) == (Status.AFFIRMED, ("L1",))


def test_reading_is_repeatable(english: ReportReader) -> None:
    text = "Chornic wedge deformity of T12. No vertebral fractrue."
    assert read(english, text) == read(english, text)
    assert [m.status for m in read(english, text)] == [Status.HISTORICAL, Status.NEGATED]
