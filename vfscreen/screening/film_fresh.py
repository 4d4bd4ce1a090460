"""Whether the fractures that the film chain measured are fresh, where a site has asked for this research classifier.

Belongs here: which vertebrae are read. Does not belong here: the classifier (models.fresh_classifier), the crop
(spine.film_crop), whether it is switched on (settings `fresh_fracture`, registry).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vfscreen.geometry.radiograph import Radiograph
from vfscreen.models.film_ports import FreshClassifier
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.spine.film_crop import crop_vertebra

GRADE_MIN = 1
"""Only a fracture can be fresh: vertebrae below this grade are not read."""


def with_fresh(
    vertebrae: Sequence[FilmVertebra], film: Radiograph, classifier: FreshClassifier | None
) -> tuple[FilmVertebra, ...]:
    """The vertebrae, those that are fractured with `fresh_probability`; unchanged without a classifier.

    film: as it was stored, in whose pixels the vertebrae's points are.
    """
    if classifier is None:
        return tuple(vertebrae)
    found = list(vertebrae)
    fractured = [n for n, v in enumerate(found) if v.keypoints_px is not None and (v.genant_grade or 0) >= GRADE_MIN]
    if not fractured:
        return tuple(found)
    crops = []
    for n in fractured:
        points = found[n].keypoints_px
        assert points is not None
        crops.append(crop_vertebra(film.image, film.inside, points, classifier.crop_spec))
    images, inside = np.stack([c for c, _ in crops]), np.stack([i for _, i in crops])
    for n, probability in zip(fractured, classifier.read(images, inside), strict=True):
        found[n] = replace(found[n], fresh_probability=float(probability))
    return tuple(found)
