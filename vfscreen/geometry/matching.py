"""Points of one set and the points of another that are the same thing.

Belongs here: one-to-one matching by distance. Does not belong here: what the points are, matching by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

BODY_MATCH_MM = 12.0
"""Two centres this near to each other are of one vertebral body: half a thoracic disc-to-disc distance."""


def match_points(first_mm: ArrayLike, second_mm: ArrayLike, limit_mm: float = BODY_MATCH_MM) -> dict[int, int]:
    """Index in the first set -> index in the second, each used once, the total distance smallest.

    first_mm: (n, 3), second_mm: (m, 3), LPS mm of one frame of reference. Pairs farther apart than `limit_mm` are none.
    """
    first = np.asarray(first_mm, dtype=np.float64).reshape(-1, 3)
    second = np.asarray(second_mm, dtype=np.float64).reshape(-1, 3)
    distance = np.linalg.norm(first[:, None] - second[None], axis=2)
    # beyond the limit all are equally bad, so that far pairs cannot push near ones apart
    chosen = zip(*linear_sum_assignment(np.minimum(distance, 4 * limit_mm)), strict=True)
    return {int(a): int(b) for a, b in chosen if distance[a, b] <= limit_mm}
