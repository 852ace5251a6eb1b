"""Every measure of a grader with its 95 % interval, drawn by patient.

A draw is a weight for each photograph: how often its patient was drawn. All draws are computed together, as rows of one
matrix of weights whose first row is ones: the value itself. So no measure has a second formula for its interval.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from casebook.words import REFERABLE_FROM
from training.measure.scores import GRADES, kappa_of

ROUNDS = 1000
INTERVAL = "95 % bootstrap by patient"
_GROUPS = 10  # of calibration, of equal size ...
_IN_GROUP = 15  # ... and with at least so many photographs

Row = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float64]
Found = dict[str, float | None]

RECALLS = tuple(f"recall_{grade}" for grade in range(GRADES))
MEASURES = (
    "quadratic_kappa",
    "accuracy",
    "referable_auc",
    "sensitivity",
    "specificity",
    *RECALLS,
    "ungradable",
    "calibration_error",
    "referable_calibration_error",
)
# Drawing again adds noise, and noise looks like a wrong calibration: the draws lie above the value and are moved back.
MOVED = frozenset({"calibration_error", "referable_calibration_error"})


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What graders and network said of n photographs, in one order.

    Attributes:
        patients: (n,) who must be drawn together.
        truth: (n,) grades 0-4 of the graders.
        graded: (n,) whether the network graded it; where not, the following are 0 and count for nothing.
        shown: (n,) grades 0-4 of the network.
        scores: (n,) 0-4.
        confidence: (n,) probability that the shown grade is the true one.
        chance: (n,) probability that the true grade is referable.
    """

    patients: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    graded: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.int64]
    scores: Row
    confidence: Row
    chance: Row

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def referable(self) -> npt.NDArray[np.bool_]:
        """Which eyes are referable by the graders."""
        return self.truth >= REFERABLE_FROM

    @property
    def certainty(self) -> Row:
        """How sure the network is whether the eye is referable: 0.5 to 1."""
        return np.maximum(self.chance, 1 - self.chance)

    def part(self, which: npt.NDArray[np.bool_]) -> Self:
        """Return those photographs alone."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def draws(patients: npt.NDArray[np.str_], *, rounds: int = ROUNDS, seed: int = 0) -> Rows:
    """Return (1 + rounds, n) weights: first the value itself, then patients drawn with replacement."""
    names, member = np.unique(patients, return_inverse=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / max(1, len(names))), size=rounds)
    return np.concatenate([np.ones((1, len(patients))), drawn[:, member]]).astype(np.float64)


def measures(found: Outcomes, weights: Rows) -> dict[str, Row]:
    """Return for each measure its value under each row of weights, NaN where it is undefined."""
    graded = weights * found.graded
    tables = tables_of(found, weights)
    right = tables.diagonal(axis1=1, axis2=2)
    total = tables.sum(axis=(1, 2))
    ill, well = tables[:, REFERABLE_FROM:], tables[:, :REFERABLE_FROM]
    recalls = ratio(right, tables.sum(axis=2))
    return {
        "quadratic_kappa": kappa_of(tables),
        "accuracy": ratio(right.sum(axis=1), total),
        "referable_auc": aucs(found.referable, found.scores, graded),
        "sensitivity": ratio(ill[:, :, REFERABLE_FROM:].sum(axis=(1, 2)), ill.sum(axis=(1, 2))),
        "specificity": ratio(well[:, :, :REFERABLE_FROM].sum(axis=(1, 2)), well.sum(axis=(1, 2))),
        **{name: recalls[:, grade] for grade, name in enumerate(RECALLS)},
        "ungradable": ratio(weights @ ~found.graded, weights.sum(axis=1)),
        "calibration_error": _calibration_error(found.confidence, found.truth == found.shown, found.graded, graded),
        "referable_calibration_error": _calibration_error(found.chance, found.referable, found.graded, graded),
    }


def measured(found: Outcomes, *, rounds: int = ROUNDS, seed: int = 0) -> dict[str, Found]:
    """Return each measure's ``value``, ``low`` and ``high``; None where it is undefined."""
    return intervals(found, measures(found, draws(found.patients, rounds=rounds, seed=seed)))


def intervals(found: Outcomes, values: dict[str, Row]) -> dict[str, Found]:
    """Return ``value``, ``low`` and ``high`` of what ``measures`` returned for these outcomes."""
    told = {name: interval(values[name], moved=name in MOVED, least=0 if name in MOVED else -1) for name in MEASURES}
    for name, among in _shares(found).items():
        told[name] = at_an_end(told[name], len(set(found.patients[among].tolist())))
    return told


def at_an_end(found: Found, patients: int) -> Found:
    """Return the exact interval (Clopper and Pearson, Biometrika 1934;26:404) of a share that is exactly none or all.

    However often such a sample is drawn again, it never varies: a bootstrap would call one photograph of one patient
    certain.
    """
    open_end = 0.025 ** (1 / patients) if patients else 0.0
    if found["value"] == 0:
        return {"value": 0.0, "low": 0.0, "high": rounded(1 - open_end)}
    if found["value"] == 1:
        return {"value": 1.0, "low": rounded(open_end), "high": 1.0}
    return found


def interval(values: Row, *, moved: bool = False, least: float = -1) -> Found:
    """Return value and 95 % interval of a row whose first place is the value and whose others are draws.

    Args:
        values: (1 + rounds,).
        moved: whether to move the draws so that their mean is the value.
        least: what the measure cannot fall below.
    """
    value, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(value) or not len(drawn):
        return {"value": rounded(value), "low": None, "high": None}
    if moved:
        drawn = np.maximum(drawn + value - drawn.mean(), least)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": rounded(value), "low": rounded(float(low)), "high": rounded(float(high))}


def tables_of(found: Outcomes, weights: Rows) -> Rows:
    """Return (rows of weights, 5, 5) counts of true by shown grade, over the photographs that were graded."""
    cells = np.eye(GRADES**2)[found.truth * GRADES + found.shown] * found.graded[:, None]
    return np.asarray((weights @ cells).reshape(len(weights), GRADES, GRADES))


def aucs(positive: npt.NDArray[np.bool_], scores: Row, weights: Rows) -> Row:
    """Return the area under the ROC curve under each row of weights, ties counted half; NaN where a class is empty."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    ill = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    well = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(well, axis=1) - well / 2
    return ratio((ill * below).sum(axis=1), ill.sum(axis=1) * well.sum(axis=1))


def groups(chance: Row) -> npt.NDArray[np.int64]:
    """Return to which group of about equal probability each photograph belongs, for calibration."""
    count = max(1, min(_GROUPS, len(chance) // _IN_GROUP))
    cuts = np.quantile(chance, np.arange(1, count) / count) if len(chance) else np.zeros(0)
    return np.searchsorted(np.unique(cuts), chance, side="right").astype(np.int64)


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Row:
    """Divide, NaN where there is nothing to divide by."""
    above, below = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def rounded(value: float) -> float | None:
    """Return four decimals, None for what is no number."""
    return round(value, 4) if np.isfinite(value) else None


def _shares(found: Outcomes) -> dict[str, npt.NDArray[np.bool_]]:
    """Return for each measure that is a share of photographs, of which ones."""
    graded = found.graded
    return {
        "accuracy": graded,
        "sensitivity": graded & found.referable,
        "specificity": graded & ~found.referable,
        **{name: graded & (found.truth == grade) for grade, name in enumerate(RECALLS)},
        "ungradable": np.ones_like(graded),
    }


def _calibration_error(chance: Row, true: npt.NDArray[np.bool_], graded: npt.NDArray[np.bool_], weights: Rows) -> Row:
    """Return the expected calibration error (Naeini et al., AAAI 2015) in groups of equal size."""
    chance, true, weights = chance[graded], true[graded], weights[:, graded]
    place = groups(chance)
    member = np.eye(int(place.max(initial=0)) + 1)[place]
    gaps = np.abs(weights @ (member * (chance - true)[:, None])).sum(axis=1)
    return ratio(gaps, weights.sum(axis=1))
