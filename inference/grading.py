"""From the network's score to the grade and how sure it is, by the thresholds and the calibration of the card."""

import math
from dataclasses import dataclass

from casebook.words import REFERABLE_FROM
from inference.bundle import Calibration, RunnerCard


@dataclass(frozen=True, slots=True)
class Graded:
    """One frame's answer.

    Attributes:
        score: severity, 0 to 4.
        grade: 0 to 4 on the ICDR scale.
        confidence: calibrated probability, 0 to 1, that the grade is the shown one.
        doubtful: whether it is so unsure about referable disease that a human looks first.
    """

    score: float
    grade: int
    confidence: float
    doubtful: bool


def answer(score: float, card: RunnerCard) -> Graded:
    """Return score, grade, confidence and doubt for a raw score of the network."""
    grade = grade_of(score, card)
    return Graded(
        score=min(4.0, max(0.0, score)),
        grade=grade,
        confidence=min(
            1.0, max(0.0, at_least(grade, score, card.calibration) - at_least(grade + 1, score, card.calibration))
        ),
        doubtful=certainty(score, card.calibration) < card.doubt_below,
    )


def certainty(score: float, calibration: Calibration) -> float:
    """Return how sure it is, 0.5 to 1, whether the eye is referable or not."""
    referable = at_least(REFERABLE_FROM, score, calibration)
    return max(referable, 1.0 - referable)


def grade_of(score: float, card: RunnerCard) -> int:
    """Return how many of the four thresholds the score has reached."""
    return sum(threshold <= score for threshold in card.thresholds)


def at_least(grade: int, score: float, calibration: Calibration) -> float:
    """Return the probability that the true grade is this one or worse.

    Proportional odds (McCullagh, J R Stat Soc B 1980;42:109).

    Args:
        grade: 0 to 5; everything is at least 0, nothing is at least 5.
        score: raw score of the network.
        calibration: slope and cuts of the card.
    """
    if grade <= 0:
        return 1.0
    if grade > len(calibration.cuts):
        return 0.0
    odds = calibration.slope * (score - calibration.cuts[grade - 1])
    return 0.5 * (1.0 + math.tanh(odds / 2))  # the logistic function, without overflow
