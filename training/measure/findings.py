"""What a report shows beside the measures: confusion, ROC, calibration, scores by grade, and the camera shortcut.

Plain values that go into the JSON as they are; ``training.measure.panels`` draws from them.
"""

from typing import Any

import numpy as np

from training.measure.answers import Answer, outcomes_of
from training.measure.bootstrap import (
    Outcomes,
    Row,
    Rows,
    aucs,
    draws,
    groups,
    interval,
    measures,
    ratio,
    rounded,
    tables_of,
)
from training.measure.frame_shape import Boxes, fills_the_frame, guessed
from training.measure.scores import GRADES

BINS = 40  # of the score, 0 to 4
_ENOUGH = 20  # photographs of one frame shape below which nothing is said
# Grades of the 148 pairs of copies in APTOS 2019, graded twice without knowing it: measured on the data set itself.
COPIES_AGREE = 0.77


def of_source(answers: list[Answer]) -> dict[str, Any]:
    """Return confusion, ROC, calibration and scores by grade of one source."""
    found = outcomes_of(answers)
    weights = draws(found.patients)
    graded = found.part(found.graded)
    return {
        "confusion": tables_of(found, weights[:1])[0].astype(int).tolist(),
        "roc": _roc(graded),
        "calibration": {
            "confidence": _calibration(found, found.confidence, found.truth == found.shown, weights),
            "referable": _calibration(found, found.chance, found.referable, weights),
        },
        "distribution": [
            np.histogram(graded.scores[graded.truth == grade], bins=BINS, range=(0, 4))[0].tolist()
            for grade in range(GRADES)
        ],
    }


def shortcut(answers: list[Answer], numbers: Boxes) -> dict[str, Any]:
    """Compare a grader that sees five numbers of the frame with the network, over the photographs that were graded.

    Args:
        answers: of one source.
        numbers: (n, 5) of ``frame_shape.boxes``, in the same order.

    Returns:
        AUC for referable disease of both (``box_only``, ``network``), and under ``shapes`` for discs that fill the
        frame and the others, where there are enough, how many there are, their referable share, both AUCs and the
        network's kappa among them alone.
    """
    found = outcomes_of(answers)
    numbers, found = numbers[found.graded], found.part(found.graded)
    weights = draws(found.patients)
    told = guessed(numbers, found.referable, found.patients) if len(found) else np.zeros(0)
    fills = fills_the_frame(numbers)
    shapes = {}
    for name, which in (("fills the frame", fills), ("others", ~fills)):
        if which.sum() >= _ENOUGH and (~which).sum() >= _ENOUGH:
            theirs = found.part(which)
            drawn = draws(theirs.patients)
            values = measures(theirs, drawn)
            shapes[name] = {
                "photographs": len(theirs),
                "referable": rounded(float(theirs.referable.mean())),
                "box_only": interval(aucs(theirs.referable, told[which], drawn)),
                "referable_auc": interval(values["referable_auc"]),
                "quadratic_kappa": interval(values["quadratic_kappa"]),
            }
    return {
        "box_only": interval(aucs(found.referable, told, weights)),
        "network": interval(aucs(found.referable, found.scores, weights)),
        "shapes": shapes,
    }


def disagreements(answers: list[Answer], most: int) -> list[Answer]:
    """Return the photographs whose score lies farthest from the graders' grade, worst first."""
    graded = [answer for answer in answers if answer.grade is not None and answer.grade != answer.photograph.grade]
    return sorted(graded, key=lambda answer: -abs((answer.score or 0.0) - answer.photograph.grade))[:most]


def _roc(graded: Outcomes) -> list[list[float]]:
    """Return the corners of the ROC curve as pairs of false and true positive rate, from (0, 0) to (1, 1)."""
    order = np.argsort(-graded.scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(graded.scores[order]) < 0, True]) if len(order) else np.zeros(0, np.int64)
    ill, well = np.cumsum(graded.referable[order]), np.cumsum(~graded.referable[order])
    if not len(order) or not ill[-1] or not well[-1]:
        return []
    points = np.concatenate([[[0.0, 0.0]], np.stack([well[ends] / well[-1], ill[ends] / ill[-1]], axis=1)])
    steps = np.diff(points, axis=0)
    turns = np.r_[True, np.abs(steps[1:, 0] * steps[:-1, 1] - steps[1:, 1] * steps[:-1, 0]) > 0, True]
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points[turns]]


def _calibration(found: Outcomes, chance: Row, true: Row | np.ndarray, weights: Rows) -> list[dict[str, Any]]:
    """Return for groups of equal size which probability was said and which share came true."""
    place = groups(chance[found.graded])
    chance, true, weights = chance[found.graded], np.asarray(true)[found.graded], weights[:, found.graded]
    return [
        {
            "photographs": int(theirs.sum()),
            "said": rounded(float(chance[theirs].mean())),
            "held": interval(ratio(weights @ (theirs & true), weights @ theirs)),
        }
        for theirs in (place == number for number in range(int(place.max(initial=-1)) + 1))
        if theirs.any()
    ]
