"""The outcome's promise: the worse eye decides, and nothing is negative by absence."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebook import words
from casebook.outcome import UNSURE_BELOW, Outcome, PhotographAnswer, conclusion, judge
from casebook.words import Attention, Gradability, Laterality, Reason

R, L, B = Laterality.RIGHT, Laterality.LEFT, Laterality.BOTH
REASONS = {
    Gradability.UNGRADABLE: Reason.BLURRED,
    Gradability.UNREADABLE: Reason.GRADING_FAILED,
    Gradability.NOT_APPLICABLE: Reason.ONE_CHANNEL,
}


def graded(
    side: Laterality | None, grade: int, confidence: float = 0.9, *, limited: bool = False, unsure: bool = False
) -> PhotographAnswer:
    gradability = Gradability.LIMITED if limited else Gradability.GRADABLE
    reason = Reason.TOO_DARK if limited else Reason.UNSURE if unsure else None
    return PhotographAnswer(side, False, gradability, reason, grade, confidence, float(grade))


def ungraded(side: Laterality | None, gradability: Gradability = Gradability.UNGRADABLE) -> PhotographAnswer:
    return PhotographAnswer(side, False, gradability, REASONS.get(gradability), None, None)


sides = st.sampled_from([R, L, B, None])
confidences = st.floats(0, 1)
graded_answers = st.builds(
    lambda side, grade, confidence, limited, unsure: graded(side, grade, confidence, limited=limited, unsure=unsure),
    sides, st.integers(0, 4), confidences, st.booleans(), st.booleans(),
)  # fmt: skip
ungraded_answers = st.builds(
    ungraded,
    sides,
    st.sampled_from([
        Gradability.UNGRADABLE, Gradability.UNREADABLE, Gradability.NOT_APPLICABLE, Gradability.PENDING,
    ]),
)  # fmt: skip
studies = st.lists(st.one_of(graded_answers, ungraded_answers), max_size=6)


@given(studies)
def test_U6_a_negative_outcome_needs_both_eyes_graded_0_or_1(study: list[PhotographAnswer]) -> None:
    if judge(study).referable is False:
        for side in (R, L):
            assert any(answer.is_graded for answer in study if answer.laterality is side)
        assert all(answer.grade < 2 for answer in study if answer.is_graded and answer.grade is not None)
        assert not any(answer.is_unsure for answer in study)


@given(studies)
def test_a_referable_grade_is_never_lost(study: list[PhotographAnswer]) -> None:
    outcome = judge(study)
    referable = any(answer.is_graded and (answer.grade or 0) >= 2 for answer in study)
    assert (outcome.referable is True) == referable == (Attention.REFERABLE in outcome.attention)


@given(studies, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(study: list[PhotographAnswer], order: random.Random) -> None:
    shuffled = list(study)
    order.shuffle(shuffled)
    assert _gist(judge(shuffled)) == _gist(judge(study))


@given(studies, ungraded_answers)
def test_one_more_photograph_without_a_grade_never_makes_a_case_negative(
    study: list[PhotographAnswer], more: PhotographAnswer
) -> None:
    before, after = judge(study), judge([*study, more])
    assert after.referable == before.referable
    assert after.grade == before.grade


@given(studies)
def test_whatever_cannot_be_said_asks_for_a_person(study: list[PhotographAnswer]) -> None:
    outcome = judge(study)
    answered = all(answer.gradability is not Gradability.PENDING for answer in study)
    if outcome.referable is None and answered:
        assert outcome.attention
        assert outcome.urgency == 3


@given(studies)
def test_the_conclusion_never_sounds_negative_unless_it_is(study: list[PhotographAnswer]) -> None:
    outcome = judge(study)
    said = conclusion(outcome)
    assert (words.NOTHING_TO_DO in said) == (outcome.referable is False)
    assert (words.NOT_NEGATIVE in said) == (outcome.referable is None)
    assert said[-1] == words.RESEARCH_USE


STATES = [0, 1, 2, 3, 4, "ungradable", "missing", "failed"]


def _eye(side: Laterality, state: int | str) -> list[PhotographAnswer]:
    match state:
        case "missing":
            return []
        case "ungradable":
            return [ungraded(side)]
        case "failed":
            return [ungraded(side, Gradability.UNREADABLE)]
        case _:
            return [graded(side, int(state))]


@pytest.mark.parametrize(("right", "left"), list(itertools.product(STATES, STATES)))
def test_U6_every_pair_of_eyes(right: int | str, left: int | str) -> None:
    outcome = judge(_eye(R, right) + _eye(L, left))
    grades = [state for state in (right, left) if isinstance(state, int)]
    if any(grade >= 2 for grade in grades):
        assert outcome.referable is True
        assert outcome.urgency == 4 - max(grades)
    elif len(grades) == 2:
        assert outcome.referable is False
        assert outcome.attention == frozenset()
        assert outcome.urgency is None
    else:
        assert outcome.referable is None
        assert outcome.urgency == 3
    expected = {
        "ungradable": Attention.UNGRADABLE,
        "missing": Attention.MISSING_EYE,
        "failed": Attention.GRADING_FAILED,
    }
    for state, attention in expected.items():
        assert (attention in outcome.attention) == (state in (right, left))


def test_of_several_photographs_of_an_eye_the_worst_graded_one_counts() -> None:
    outcome = judge([graded(R, 1), graded(R, 3), ungraded(R), graded(L, 0)])
    assert outcome.grade == 3
    assert outcome.worse is not None
    assert outcome.worse.laterality is R
    assert Attention.UNGRADABLE not in outcome.attention


def test_an_unread_photograph_asks_for_a_person_even_beside_a_graded_one() -> None:
    outcome = judge([graded(R, 0), ungraded(R, Gradability.UNREADABLE), graded(L, 0)])
    assert outcome.attention == {Attention.GRADING_FAILED}
    assert outcome.urgency == 3


@pytest.mark.parametrize("side", [None, B])
def test_a_photograph_of_no_known_eye_is_graded_but_satisfies_no_eye(side: Laterality | None) -> None:
    outcome = judge([graded(R, 0), graded(side, 0)])
    assert outcome.referable is None
    assert Attention.MISSING_EYE in outcome.attention
    assert (Attention.UNKNOWN_LATERALITY in outcome.attention) == (side is None)
    assert judge([graded(R, 0), graded(side, 4)]).referable is True


def test_a_contradiction_is_named_as_one_and_not_as_an_unknown_side() -> None:
    contradicting = PhotographAnswer(None, True, Gradability.GRADABLE, None, 0, 0.9)
    outcome = judge([graded(R, 0), graded(L, 0), contradicting])
    assert outcome.attention == {Attention.LATERALITY_CONTRADICTION}
    assert words.CONTRADICTION_SENTENCE in conclusion(outcome)


def test_what_is_not_applicable_does_not_count() -> None:
    outcome = judge([graded(R, 0), graded(L, 1), ungraded(None, Gradability.NOT_APPLICABLE)])
    assert outcome.referable is False
    assert outcome.attention == frozenset()


@pytest.mark.parametrize(
    ("right", "uncertain"),
    [
        (graded(R, 1, UNSURE_BELOW), False),
        (graded(R, 1, UNSURE_BELOW - 0.01), False),
        (graded(R, 1, limited=True), True),
        (graded(R, 1, unsure=True), True),
    ],
)
def test_limited_or_in_doubt_is_uncertain_and_between_two_grades_is_not(
    right: PhotographAnswer, uncertain: bool
) -> None:
    outcome = judge([right, graded(L, 0)])
    assert (Attention.UNCERTAIN in outcome.attention) == uncertain
    assert outcome.urgency == (3 if uncertain else None)


def test_U6_an_eye_in_doubt_is_not_negative() -> None:
    outcome = judge([graded(R, 1, unsure=True), graded(L, 0)])
    assert outcome.referable is None
    assert conclusion(outcome) == (
        "It cannot be said whether there is referable retinopathy.",
        "The right eye looks like mild non-proliferative retinopathy (grade 1 of 4).",
        "The grader is not sure whether the right eye needs referral; please look first.",
        "No apparent retinopathy seen in the left eye (grade 0 of 4).",
        "Not a negative result.",
        "Research use, not for diagnosis.",
    )
    # A second photograph of the eye about which it is sure takes the doubt away no more than a missing one would.
    assert judge([graded(R, 1, unsure=True), graded(R, 1), graded(L, 0)]).referable is None


def test_an_eye_in_doubt_stays_referable_where_its_grade_is() -> None:
    outcome = judge([graded(R, 2, unsure=True), graded(L, 0)])
    assert outcome.referable is True
    assert outcome.attention == {Attention.REFERABLE, Attention.UNCERTAIN}
    assert outcome.urgency == 2


def test_U1_a_conflicting_copy_or_a_failed_delivery_asks_for_a_person() -> None:
    healthy = [graded(R, 0), graded(L, 0)]
    assert judge(healthy, conflicting_copy=True).urgency == 3
    assert judge(healthy, delivery_failed=True).urgency == 4
    assert judge([graded(R, 4), graded(L, 0)], delivery_failed=True).urgency == 0
    assert judge([graded(R, 0)], delivery_failed=True).urgency == 3


def test_the_conclusion_says_the_worse_eye_each_eye_and_what_is_missing() -> None:
    assert conclusion(judge([graded(R, 3)])) == (
        "Referable retinopathy: the right eye has grade 3 of 4, severe non-proliferative retinopathy.",
        "The right eye looks like severe non-proliferative retinopathy (grade 3 of 4).",
        "No photograph of the left eye arrived. Nothing can be said about it.",
        "Research use, not for diagnosis.",
    )
    assert conclusion(judge([graded(R, 0), ungraded(L)])) == (
        "It cannot be said whether there is referable retinopathy.",
        "No apparent retinopathy seen in the right eye (grade 0 of 4).",
        "The left eye could not be graded: it is too blurred. That does not mean it is normal.",
        "Not a negative result.",
        "Research use, not for diagnosis.",
    )


@pytest.mark.parametrize(
    ("grade", "score", "named"), [(0, 0.2, (0, 1)), (2, 1.7, (1, 2)), (2, 2.3, (2, 3)), (4, 4.0, (3, 4))]
)
def test_uncertainty_names_the_two_grades(grade: int, score: float, named: tuple[int, int]) -> None:
    sentence = words.uncertain_sentence(R, grade, score)
    assert f"{words.GRADES[named[0]]} and {words.GRADES[named[1]]};" in sentence


def _gist(outcome: Outcome) -> tuple[object, ...]:
    return outcome.referable, outcome.attention, outcome.urgency, [(eye.laterality, eye.grade) for eye in outcome.eyes]
