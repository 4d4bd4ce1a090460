"""How well the audit reads report sentences: precision and recall per status, with Wilson intervals.

    python benchmarks/report_sentences.py                          # English, the held-out file
    python benchmarks/report_sentences.py --file development.txt --errors
    python benchmarks/report_sentences.py --language de --file german.txt
    python benchmarks/report_sentences.py --file /data/our-labelled-sentences.txt

Sentences, format and provenance (written by us, synthetic): benchmarks/report_sentences/README.md. A sentence counts
once a status: true positive where label and reading both have it. `levels` counts (status, level) pairs.
`reported` merges affirmed, historical and hedged: what the audit's lists are made of.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest

from vfscreen.audit.mentions import REPORTED, ReportReader, Status
from vfscreen.audit.rules import load_rules

FOLDER = Path(__file__).parent / "report_sentences"


@dataclass(frozen=True)
class Labelled:
    """A sentence with what it says: status -> levels."""

    line: int
    style: str
    text: str
    labels: dict[Status, frozenset[str]]


def read_labelled(path: Path) -> Iterator[Labelled]:
    """The sentences of a file. ValueError naming the line that is not `style | labels | text`."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            style, labels, text = (part.strip() for part in line.split("|", 2))
            found: dict[Status, frozenset[str]] = {}
            for label in labels.split(";"):
                status, *levels = label.split()
                if status != "none":
                    names = levels[0].split(",") if levels else []
                    known = found.get(Status(status), frozenset())
                    found[Status(status)] = known | {n.replace("D", "T") for n in names}
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        yield Labelled(number, style, text.replace("\\n", "\n"), found)


def read_statuses(reader: ReportReader, text: str) -> dict[Status, frozenset[str]]:
    """What the program reads: status -> levels."""
    found: dict[Status, frozenset[str]] = {}
    for mention in reader.read(text):
        found[mention.status] = found.get(mention.status, frozenset()) | frozenset(mention.levels)
    return found


Counts = dict[str, list[int]]


def measure(reader: ReportReader, sentences: list[Labelled]) -> tuple[Counts, list[str]]:
    """(class -> [true positives, false positives, false negatives], descriptions of the sentences read wrongly)."""
    names = ["reported", *(s.value for s in Status), "levels"]
    counts: Counts = {name: [0, 0, 0] for name in names}
    errors = []
    for sentence in sentences:
        found = read_statuses(reader, sentence.text)
        sets: dict[str, tuple[set[object], set[object]]] = {
            s.value: ({1} if s in sentence.labels else set(), {1} if s in found else set()) for s in Status
        }
        sets["reported"] = (
            {1} if any(s in sentence.labels for s in REPORTED) else set(),
            {1} if any(s in found for s in REPORTED) else set(),
        )
        sets["levels"] = (
            {(s, level) for s, levels in sentence.labels.items() for level in levels},
            {(s, level) for s, levels in found.items() if s is not Status.QUESTION for level in levels},
        )
        for name, (wanted, got) in sets.items():
            counts[name][0] += len(wanted & got)
            counts[name][1] += len(got - wanted)
            counts[name][2] += len(wanted - got)
        if any(wanted != got for wanted, got in sets.values()):
            errors.append(
                f"line {sentence.line}: {sentence.text!r}\n    {_text(sentence.labels)}  read as  {_text(found)}"
            )
    return counts, errors


def _text(labels: dict[Status, frozenset[str]]) -> str:
    return "; ".join(f"{s.value} {','.join(sorted(levels))}".strip() for s, levels in labels.items()) or "none"


def _share(hits: int, total: int) -> str:
    if not total:
        return "-"
    low, high = binomtest(hits, total).proportion_ci(method="wilson")
    return f"{hits}/{total} = {hits / total:.3f} ({low:.3f}-{high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", default="held_out.txt", help="in benchmarks/report_sentences, or any path")
    parser.add_argument("--language", default="en", help="a language, or a rule file")
    parser.add_argument("--errors", action="store_true", help="print the sentences that were read wrongly")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    arguments = parser.parse_args()
    path = Path(arguments.file) if Path(arguments.file).exists() else FOLDER / arguments.file
    sentences = list(read_labelled(path))
    reader = ReportReader(load_rules(arguments.language))
    started = time.perf_counter()
    counts, errors = measure(reader, sentences)
    seconds = time.perf_counter() - started
    if arguments.json:
        print(json.dumps({"file": path.name, "rules": reader.rules.release, "sentences": len(sentences), **counts}))
        return
    print(f"{path.name}: {len(sentences)} sentences, rules {reader.rules.release}, {len(errors)} with an error")
    print(f"{1000 * seconds / len(sentences):.1f} ms a sentence\n")
    print(f"| {'class':<10} | {'precision':<32} | {'recall':<32} |\n|---|---|---|")
    for name, (true, wrong, missed) in counts.items():
        print(f"| {name:<10} | {_share(true, true + wrong):<32} | {_share(true, true + missed):<32} |")
    if arguments.errors:
        print("\n" + "\n".join(errors))


if __name__ == "__main__":
    main()
