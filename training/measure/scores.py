"""How good a grader is on one set of photographs: agreement, referable disease; and the cuts between grades."""

import numpy as np
import numpy.typing as npt

from casebook.words import REFERABLE_FROM

Numbers = npt.NDArray[np.floating]
Grades = npt.NDArray[np.integer]
GRADES = 5
_WEIGHT = (np.arange(GRADES)[:, None] - np.arange(GRADES)[None, :]) ** 2


def quadratic_kappa(truth: Grades, shown: Grades) -> float:
    """Return the quadratic weighted kappa (Cohen, Psychol Bull 1968;70:213) of grades 0-4; NaN where undefined."""
    return float(kappa_of(np.bincount(truth * GRADES + shown, minlength=GRADES**2).reshape(GRADES, GRADES)))


def kappa_of(tables: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the quadratic weighted kappa of (..., 5, 5) counts of true by shown grade; NaN where undefined."""
    counts = np.asarray(tables, dtype=np.float64)
    total = counts.sum(axis=(-2, -1))
    chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    expected = (_WEIGHT * chance).sum(axis=(-2, -1))
    observed = (_WEIGHT * counts).sum(axis=(-2, -1)) * total
    return np.asarray(1 - np.divide(observed, expected, out=np.full_like(expected, np.nan), where=expected > 0))


def auc(positive: npt.NDArray[np.bool_], scores: Numbers) -> float:
    """Return the area under the ROC curve, ties counted half; NaN where one class is empty."""
    count = int(positive.sum())
    if count in {0, len(positive)}:
        return float("nan")
    _, place, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def grades_of(scores: Numbers, thresholds: tuple[float, ...]) -> npt.NDArray[np.int64]:
    """Return the grade of each score: the number of thresholds it reaches."""
    return np.searchsorted(np.asarray(thresholds), np.asarray(scores, dtype=float), side="right").astype(np.int64)


def fit_thresholds(scores: Numbers, grades: Grades) -> tuple[float, float, float, float]:
    """Find the four cuts that agree best (quadratic kappa) with the graders, by moving one after the other.

    Of equally good places for a cut the middle one is taken.
    """
    cuts = np.array([0.5, 1.5, 2.5, 3.5])
    for _ in range(4):
        before = cuts.copy()
        for number in range(4):
            low = cuts[number - 1] + 0.05 if number else -0.5
            high = cuts[number + 1] - 0.05 if number < 3 else 4.5
            places = np.arange(low, high, 0.02)
            if not len(places):
                continue
            kappas = np.array(
                [
                    quadratic_kappa(grades, grades_of(scores, tuple(np.r_[cuts[:number], p, cuts[number + 1 :]])))
                    for p in places
                ]
            )
            kappas = np.nan_to_num(np.convolve(np.pad(np.nan_to_num(kappas), 4, "edge"), np.ones(9) / 9, "valid"))
            best = np.flatnonzero(kappas >= kappas.max() - 1e-9)
            cuts[number] = places[best[len(best) // 2]]
        if np.allclose(before, cuts):
            break
    first, second, third, fourth = (round(float(cut), 4) for cut in cuts)
    return first, second, third, fourth


def how_it_does(scores: Numbers, grades: Grades, sources: list[str]) -> dict[str, float]:
    """Return agreement and referable AUC, with the best cuts for these very scores: to follow a fit, not to quote."""
    if not len(scores):
        return {}
    shown = grades_of(scores, fit_thresholds(scores, grades))
    told: dict[str, float] = {"kappa": round(quadratic_kappa(grades, shown), 3)}
    for source in sorted(set(sources)):
        theirs = np.array([name == source for name in sources])
        told[f"{source} kappa"] = round(quadratic_kappa(grades[theirs], shown[theirs]), 3)
        told[f"{source} auc"] = round(auc(grades[theirs] >= REFERABLE_FROM, scores[theirs]), 3)
    return told
