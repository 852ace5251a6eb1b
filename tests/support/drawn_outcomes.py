"""Outcomes of graders and a network that were never there, with ties, photographs refused and patients of several."""

import numpy as np

from training.measure.bootstrap import Outcomes
from training.measure.scores import grades_of

CUTS = (0.5, 1.5, 2.5, 3.5)


def outcomes(count: int, seed: int = 1, *, refused: float = 0.1, in_one_patient: int = 2) -> Outcomes:
    """Draw as many photographs."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 5, count)
    scores = np.clip(np.round(truth + random.normal(0, 0.9, count), 1), 0, 4)  # rounded: there are ties
    graded = random.random(count) >= refused
    return Outcomes(
        patients=np.array([f"p{number // in_one_patient}" for number in range(count)]),
        truth=truth,
        graded=graded,
        shown=np.where(graded, grades_of(scores, CUTS), 0),
        scores=np.where(graded, scores, 0),
        confidence=random.random(count),
        chance=1 / (1 + np.exp(-2 * (scores - 1.5))),
    )


def scored(found: Outcomes, scores: np.ndarray) -> Outcomes:
    """Return the same photographs with other scores."""
    clipped = np.clip(scores, 0, 4)
    return Outcomes(
        found.patients, found.truth, found.graded, grades_of(clipped, CUTS), clipped, found.confidence, found.chance
    )
