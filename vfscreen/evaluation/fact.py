"""A sentence for a reporting checklist, and those that are true of every evaluation this program makes.

Belongs here: what follows from how the program works. Does not belong here: what depends on the data (facts).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """text: for a checklist. source: the table, query, card or page it is read from."""

    text: str
    source: str


OF_EVERY_EVALUATION: dict[str, Fact] = {
    "intended_use": Fact(
        "Screening support for research and audits: finds vertebral fractures on CT made for other reasons. Not a "
        "medical device.",
        "vfscreen",
    ),
    "index_test": Fact(
        "Automatic six-point morphometry of every vertebra on CT (after Zakharov et al., Medical Image "
        "Analysis 83, "
        "2023): heights, height loss against the level's norm, Genant grade, probabilities.",
        "vfscreen",
    ),
    "index_blinding": Fact(
        "The program reads pixels and DICOM headers only; it has no access to the readings.", "vfscreen"
    ),
    "model_output": Fact(
        "For each vertebra a Genant grade 0-3 and probabilities of grade >= 1, 2 and 3; for a patient the "
        "probability of at least one such vertebra.",
        "docs/data-dictionary.md",
    ),
    "explainability": Fact(
        "Each call comes with the six points, the three heights, the height loss and an overlay picture, by "
        "which a "
        "reader verifies it.",
        "vfscreen",
    ),
    "deidentification": Fact(
        "PatientID and AccessionNumber are keyed pseudonyms (HMAC-SHA256); the key is not in the lake.", "vfscreen"
    ),
    "interval": Fact(
        "Index test and reference are of the same images: there is no interval between them.", "docs/evaluation.md"
    ),
    "metrics_used": Fact(
        "Sensitivity, specificity, PPV (precision), NPV, accuracy, F1; ROC and precision-recall curves with their "
        "areas; weighted kappa; limits of agreement; Brier score, calibration error, intercept and slope; net "
        "benefit.",
        "docs/evaluation.md",
    ),
    "uncertainty": Fact(
        "95 % intervals: Wilson and patient-clustered bootstrap of proportions; DeLong, for vertebrae Obuchowski's "
        "clustered version, of areas; McNemar, DeLong and Obuchowski-Rockette for comparisons.",
        "docs/evaluation.md",
    ),
    "availability": Fact(
        "Program, evaluation code and weights: Apache-2.0; weights as their cards say. Reader data: the site's.",
        "LICENSE",
    ),
    "missing_data": Fact(
        "What is missing stays missing and is counted as 'unknown'; items without a call are analysed three ways "
        "(per protocol, intention to screen, worst case).",
        "tables flow, confusion, subgroups",
    ),
}
