"""How good a grader is: agreement, referable disease, intervals by patient; and the cuts between grades."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from casebook.words import REFERABLE_FROM

Numbers = npt.NDArray[np.floating]
Grades = npt.NDArray[np.integer]
_GRADES = 5


def quadratic_kappa(truth: Grades, shown: Grades) -> float:
    """Return the quadratic weighted kappa (Cohen, Psychol Bull 1968;70:213) of grades 0-4; NaN where undefined."""
    table = np.bincount(truth * _GRADES + shown, minlength=_GRADES**2).reshape(_GRADES, _GRADES).astype(float)
    steps = np.arange(_GRADES)
    weight = (steps[:, None] - steps[None, :]) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(table.sum(), 1)
    expected = float((weight * chance).sum())
    return 1 - float((weight * table).sum()) / expected if expected else float("nan")


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


def sensitivity(truth: Grades, shown: Grades) -> float:
    """Return the share of referable photographs that are shown as referable."""
    referable = truth >= REFERABLE_FROM
    return float((shown[referable] >= REFERABLE_FROM).mean()) if referable.any() else float("nan")


def specificity(truth: Grades, shown: Grades) -> float:
    """Return the share of photographs that need no referral and are shown so."""
    healthy = truth < REFERABLE_FROM
    return float((shown[healthy] < REFERABLE_FROM).mean()) if healthy.any() else float("nan")


MEASURES: dict[str, Callable[[Grades, Numbers, Grades], float]] = {
    "quadratic_kappa": lambda truth, _scores, shown: quadratic_kappa(truth, shown),
    "accuracy": lambda truth, _scores, shown: float((truth == shown).mean()),
    "referable_auc": lambda truth, scores, _shown: auc(truth >= REFERABLE_FROM, scores),
    "sensitivity": lambda truth, _scores, shown: sensitivity(truth, shown),
    "specificity": lambda truth, _scores, shown: specificity(truth, shown),
}


def measured(
    truth: Grades, scores: Numbers, shown: Grades, patients: list[str], *, rounds: int = 1000, seed: int = 0
) -> dict[str, dict[str, float | None]]:
    """Measure a grader with 95 % bootstrap intervals, drawn by patient.

    Returns:
        For each measure its ``value``, ``low`` and ``high``; None where it is undefined.
    """
    names, member = np.unique(np.array(patients), return_inverse=True)
    positions = [np.flatnonzero(member == number) for number in range(len(names))]
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(rounds):
        sample = np.concatenate([positions[number] for number in random.integers(0, len(names), len(names))])
        for name, measure in MEASURES.items():
            drawn[name].append(measure(truth[sample], scores[sample], shown[sample]))
    told = {}
    for name, measure in MEASURES.items():
        finite = np.array([value for value in drawn[name] if np.isfinite(value)])
        low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (float("nan"), float("nan"))
        told[name] = {
            "value": _rounded(measure(truth, scores, shown)),
            "low": _rounded(float(low)),
            "high": _rounded(float(high)),
        }
    return told


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
