"""What a case says to a reader: what to do, and why, in words, judged from the rows as they stand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from casebook import cases, words
from casebook.follow_up import ADA_2017, Policy
from casebook.outcome import Eye, Outcome, PhotographAnswer, judge
from casebook.words import REFERABLE_FROM, Attention, CaseStatus, DeliveryState, Gradability, Laterality
from casebook.worklist import CaseView

_UNANSWERED = frozenset({CaseStatus.ARRIVING, CaseStatus.READY})
# What a reader should know first, where several reasons hold.
_FIRST = (
    Attention.REFERABLE, Attention.UNGRADABLE, Attention.GRADING_FAILED, Attention.MISSING_EYE,
    Attention.UNKNOWN_LATERALITY, Attention.LATERALITY_CONTRADICTION, Attention.UNCERTAIN, Attention.CONFLICTING_COPY,
    Attention.DELIVERY_FAILED,
)  # fmt: skip
_WORST_FIRST = (DeliveryState.FAILED, DeliveryState.WAITING, DeliveryState.SENT, DeliveryState.CONFIRMED)

SayTime = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A case in words."""

    action: str
    reasons: tuple[str, ...]  # sentences, what matters most first
    outcome: Outcome
    is_answered: bool  # whether all photographs of a complete study have an answer
    delivery: DeliveryState | None  # of what has come least far; none where nothing is on its way

    @property
    def eyes(self) -> tuple[Eye, ...]:
        """Right, left, then those of both or of unknown side where there are any."""
        return self.outcome.eyes


def summarise(view: CaseView, say_time: SayTime, policy: Policy = ADA_2017) -> Summary:
    """Say a case in words.

    Args:
        view: the case.
        say_time: how a time is said to this reader.
        policy: what is asked for at which grade.
    """
    answers = [cases.answer_of(photograph, view.gradings[photograph.id]) for photograph in view.photographs]
    outcome = judge(answers)
    is_answered = view.revision.status not in _UNANSWERED
    asking = set(view.attention)
    if not is_answered:
        # What is missing may still come, but what cannot be graded can be taken again while the patient is here.
        asking = (asking & {Attention.CONFLICTING_COPY, Attention.DELIVERY_FAILED}) | (
            outcome.attention & {Attention.REFERABLE, Attention.UNGRADABLE, Attention.GRADING_FAILED}
        )
    reasons = [] if is_answered else [words.GRADED_BEFORE_SENTENCE if view.attention else words.UNDER_WAY_SENTENCE]
    for reason in _FIRST:
        if reason in asking:
            reasons += sentences(reason, outcome, answers, view, say_time)
    if is_answered and outcome.referable is False:
        reasons.append(words.NOTHING_TO_DO)
    return Summary(
        action=_action(outcome, asking, policy, is_answered=is_answered),
        reasons=tuple(dict.fromkeys(reasons)),
        outcome=outcome,
        is_answered=is_answered,
        delivery=_delivery(view),
    )


def sentences(
    reason: Attention, outcome: Outcome, answers: list[PhotographAnswer], view: CaseView, say_time: SayTime
) -> list[str]:
    """Return the sentences that say why a case asks for a person; for every reason there is at least one."""
    match reason:
        case Attention.REFERABLE:
            worst_first = sorted(outcome.eyes, key=lambda eye: -(eye.grade or 0))
            return [_looks_like(eye) for eye in worst_first if eye.grade is not None and eye.grade >= REFERABLE_FROM]
        case Attention.UNGRADABLE:
            return _unread(answers, outcome)
        case Attention.GRADING_FAILED:
            return [words.GRADING_FAILED_SENTENCE]
        case Attention.MISSING_EYE:
            none_unknown = len(outcome.eyes) == 2
            return [
                words.missing_sentence(eye.laterality, others_arrived=not none_unknown)
                for eye in outcome.eyes
                if eye.deciding is None
            ]
        case Attention.UNKNOWN_LATERALITY:
            unknown = sum(answer.laterality is None and not answer.laterality_contradicts for answer in answers)
            return [words.unknown_side_sentence(unknown)]
        case Attention.LATERALITY_CONTRADICTION:
            return [words.CONTRADICTION_SENTENCE]
        case Attention.UNCERTAIN:
            return _doubts(answers)
        case Attention.CONFLICTING_COPY:
            return [words.CONFLICT_SENTENCE]
        case Attention.DELIVERY_FAILED:
            return _undelivered(view, say_time)
        case _:
            assert_never(reason)


def _looks_like(eye: Eye) -> str:
    assert eye.deciding is not None
    assert eye.grade is not None
    certainty = eye.deciding.certainty
    assert certainty is not None
    return words.looks_like_sentence(eye.laterality, eye.grade, certainty)


def _unread(answers: list[PhotographAnswer], outcome: Outcome) -> list[str]:
    graded = {eye.laterality for eye in outcome.eyes if eye.grade is not None}
    found = []
    for answer in answers:
        one_of_several = answer.laterality in graded and answer.laterality is not None
        if answer.gradability is Gradability.UNREADABLE and one_of_several:
            found.append(words.unread_beside_others_sentence(answer.laterality, answer.reason))
        elif answer.gradability in (Gradability.UNGRADABLE, Gradability.UNREADABLE) and not one_of_several:
            found.append(words.ungradable_sentence(answer.laterality, answer.reason))
    return found


def _doubts(answers: list[PhotographAnswer]) -> list[str]:
    found = []
    for answer in answers:
        if answer.is_unsure:
            found.append(words.unsure_sentence(answer.laterality))
        if answer.is_between and answer.grade is not None:
            found.append(words.uncertain_sentence(answer.laterality, answer.grade, answer.score))
        if answer.is_graded and answer.gradability is Gradability.LIMITED:
            found.append(words.limited_sentence(answer.laterality, answer.reason))
    return found


def _undelivered(view: CaseView, say_time: SayTime) -> list[str]:
    by_destination = {delivery.destination: delivery for delivery in view.undelivered}
    return [
        words.undelivered_sentence(
            destination,
            delivery.last_error,
            say_time(delivery.next_attempt_at) if delivery.next_attempt_at is not None else None,
        )
        for destination, delivery in sorted(by_destination.items())
    ]


def _action(outcome: Outcome, asking: set[Attention], policy: Policy, *, is_answered: bool) -> str:
    if outcome.referable and outcome.grade is not None:  # no further photograph can take that back
        return policy.action(outcome.grade)
    missing = [eye.laterality for eye in outcome.eyes if eye.deciding is None]
    for reason, action in (
        (Attention.UNGRADABLE, words.TAKE_NEW_PHOTOGRAPHS),
        (Attention.GRADING_FAILED, words.READ_BY_EYE),
        (Attention.UNKNOWN_LATERALITY, words.NAME_THE_SIDE),
        (Attention.LATERALITY_CONTRADICTION, words.NAME_THE_SIDE),
        (Attention.MISSING_EYE, words.photograph_action(missing[0] if len(missing) == 1 else Laterality.BOTH)),
        (Attention.UNCERTAIN, words.READ_BY_EYE),
        (Attention.CONFLICTING_COPY, words.COMPARE_COPIES),
        (Attention.DELIVERY_FAILED, words.SEE_IT_ARRIVE),
    ):
        if reason in asking:
            return action
    if not is_answered or outcome.grade is None:
        return words.WAIT_FOR_GRADES
    return policy.action(outcome.grade)


def _delivery(view: CaseView) -> DeliveryState | None:
    states = {delivery.state for report in view.reports for delivery in report.deliveries}
    states |= {delivery.state for delivery in view.undelivered}
    return next((state for state in _WORST_FIRST if state in states), None)
