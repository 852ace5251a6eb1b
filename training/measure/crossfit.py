"""Judges scores by cuts and odds that were fitted to other patients, so that no picture flatters."""

import numpy as np
import numpy.typing as npt

from casebook.words import REFERABLE_FROM
from training.measure.calibrate import fit_odds
from training.measure.scores import Grades, Numbers, fit_thresholds, grades_of

_GROUPS = 5


def cross_fitted(
    scores: Numbers, grades: Grades, patients: list[str], *, seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the grade shown and the probability of referable disease for each score.

    Patients are dealt into five groups; cuts and odds of each come from the other four.

    Args:
        scores: (n,) of the network.
        grades: (n,) of the readers.
        patients: (n,) names.
        seed: of the deal.
    """
    names, member = np.unique(np.array(patients), return_inverse=True)
    group = np.random.default_rng(seed).permutation(len(names))[member] % min(_GROUPS, len(names))
    shown = np.zeros(len(scores), dtype=np.int64)
    chance = np.zeros(len(scores))
    for number in np.unique(group):
        here = group == number
        others = ~here if len(names) > 1 else here
        shown[here] = grades_of(scores[here], fit_thresholds(scores[others], grades[others]))
        odds = fit_odds(scores[others], grades[others])
        chance[here] = 1 / (1 + np.exp(-odds.slope * (scores[here] - odds.cuts[REFERABLE_FROM - 1])))
    return shown, chance
