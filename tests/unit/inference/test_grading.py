import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.bundle import Calibration, RunnerCard
from inference.grading import answer, at_least, certainty

CARD = RunnerCard(
    file="model.onnx",
    thresholds=(0.5, 1.5, 2.5, 3.5),
    calibration=Calibration(slope=2.0, cuts=(0.4, 1.4, 2.4, 3.4)),
)


@pytest.mark.parametrize(
    ("score", "grade", "shown"),
    [(-3.0, 0, 0.0), (0.49, 0, 0.49), (0.5, 1, 0.5), (1.5, 2, 1.5), (2.49, 2, 2.49), (3.5, 4, 3.5), (9.0, 4, 4.0)],
)
def test_the_grade_counts_the_thresholds_reached_and_the_score_is_clipped(
    score: float, grade: int, shown: float
) -> None:
    graded = answer(score, CARD)
    assert (graded.grade, graded.score) == (grade, shown)


def test_confidence_is_the_calibrated_probability_of_the_shown_grade() -> None:
    graded = answer(2.0, CARD)
    expected = 1 / (1 + math.exp(-2 * (2.0 - 1.4))) - 1 / (1 + math.exp(-2 * (2.0 - 2.4)))
    assert graded.confidence == pytest.approx(expected)


@pytest.mark.parametrize(("score", "doubtful"), [(0.8, False), (1.3, True), (1.4, True), (1.5, True), (2.0, False)])
def test_a_score_near_the_border_of_referable_disease_is_in_doubt(score: float, doubtful: bool) -> None:
    """At 0.8 and 2.0 it is 1 / (1 + exp(-1.2)) = 0.77 sure; at the border, 1.4, as sure as a coin."""
    card = CARD.model_copy(update={"doubt_below": 0.7})
    assert answer(score, card).doubtful is doubtful
    assert not answer(score, CARD).doubtful
    assert certainty(1.4, CARD.calibration) == 0.5


@given(st.floats(-1e6, 1e6))
def test_probabilities_of_all_grades_add_up_to_one(score: float) -> None:
    share = [
        at_least(grade, score, CARD.calibration) - at_least(grade + 1, score, CARD.calibration) for grade in range(5)
    ]
    assert sum(share) == pytest.approx(1)
    assert min(share) >= -1e-9
    assert 0 <= answer(score, CARD).confidence <= 1
