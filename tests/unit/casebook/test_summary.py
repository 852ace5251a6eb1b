"""A case in words: an action and a sentence for everything there is, and nothing negative by absence (ux U2, U6)."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from listed_case import Eye, L, R, add_case, blurred, failed, healthy, pending

from casebook import attention, words, worklist
from casebook.database import Database
from casebook.models import Case
from casebook.summary import Summary, summarise
from casebook.words import Attention, CaseStatus, DeliveryState, Gradability, Reason

FAULT = "pacs (PACS at 10.0.0.5:4242): nothing listens there. Check address, port and firewall."
# For every reason to ask for a person a case that has it, what is asked for, and the sentence that says why.
WHY: dict[Attention, tuple[dict[str, Any], str, str]] = {
    Attention.REFERABLE: (
        {"eyes": (Eye(R, 0), Eye(L, 3, confidence=0.7))}, "Refer immediately (ADA-2017)",
        "The left eye looks like severe non-proliferative retinopathy, fairly sure.",
    ),
    Attention.UNGRADABLE: (
        {"eyes": (blurred(R), Eye(L, 0))}, "Take new photographs",
        "The right eye could not be graded: it is too blurred. That does not mean it is normal.",
    ),
    Attention.UNCERTAIN: (
        {"eyes": (Eye(R, 1, reason=Reason.UNSURE), Eye(L, 0))}, "Read the photographs by eye",
        "The grader is not sure whether the right eye needs referral; please look first.",
    ),
    Attention.MISSING_EYE: (
        {"eyes": (Eye(R, 0),)}, "Photograph the left eye",
        "No photograph of the left eye arrived. Nothing can be said about it.",
    ),
    Attention.UNKNOWN_LATERALITY: (
        {"eyes": (Eye(None, 0), Eye(L, 0))}, "Find out which eye is shown", "One photograph does not say which eye it shows.",
    ),
    Attention.LATERALITY_CONTRADICTION: (
        {"eyes": (Eye(None, 0, contradicts=True), Eye(L, 0))}, "Find out which eye is shown",
        "The record contradicts itself about which eye a photograph shows.",
    ),
    Attention.CONFLICTING_COPY: (
        {"eyes": healthy(), "conflict": True}, "Compare the two photographs",
        "A different photograph arrived under the same identifier. The first was graded; the second is kept aside.",
    ),
    Attention.GRADING_FAILED: (
        {"eyes": (failed(R), Eye(L, 0))}, "Read the photographs by eye",
        "Grading failed several times. The photograph is unread, not normal.",
    ),
    Attention.DELIVERY_FAILED: (
        {"eyes": healthy(), "fault": FAULT, "delivery": DeliveryState.WAITING}, "See that the result arrives",
        f"The result has not reached {FAULT} Next try 08:02.",
    ),
}  # fmt: skip


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine is enough here: both are tried where the rows are written."""
    return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"


def said(database: Database, clock: Any, *, key: str = "", **case: Any) -> Summary:
    with database.transaction() as t:
        written: Case = add_case(t, now=clock.now(), key=f"{key} {case}", **case)
        view = worklist.one(t, written.id)
        assert view is not None
        return summarise(view, lambda moment: f"{moment:%H:%M}")


@pytest.mark.parametrize("reason", Attention)
def test_ux_U2_every_reason_has_an_action_and_a_sentence(database: Database, clock: Any, reason: Attention) -> None:
    case, action, sentence = WHY[reason]
    summary = said(database, clock, **case)
    assert summary.action == action
    assert sentence in summary.reasons
    with database.reading() as t:
        assert reason in attention.open_reasons(t, [1])[1]


def test_ux_U2_what_matters_most_is_said_first(database: Database, clock: Any) -> None:
    summary = said(
        database, clock, eyes=(Eye(R, 2, reason=Reason.UNSURE, confidence=0.55), Eye(L, 4)), fault=FAULT,
        delivery=DeliveryState.FAILED, conflict=True,
    )  # fmt: skip
    assert summary.action == "Refer immediately (ADA-2017)"
    assert summary.reasons[0].startswith("The left eye looks like proliferative retinopathy, sure.")
    assert summary.reasons[1].startswith("The right eye looks like moderate non-proliferative retinopathy, unsure.")
    assert summary.reasons[2].startswith("The grader is not sure whether the right eye")
    assert summary.reasons[-1].endswith("It waits for you.")


def test_T3_a_referral_stands_beside_what_is_missing(database: Database, clock: Any) -> None:
    summary = said(database, clock, eyes=(Eye(R, 3),))
    assert summary.action == "Refer immediately (ADA-2017)"
    assert "No photograph of the left eye arrived. Nothing can be said about it." in summary.reasons


def test_T5_a_referral_stands_beside_what_could_not_be_graded(database: Database, clock: Any) -> None:
    summary = said(database, clock, eyes=(blurred(R), Eye(L, 2)))
    assert summary.action == "Refer within 3-6 months (ADA-2017)"
    assert [reason.split(",")[0].split(":")[0] for reason in summary.reasons] == [
        "The left eye looks like moderate non-proliferative retinopathy", "The right eye could not be graded",
    ]  # fmt: skip


EYES = {
    **{str(grade): lambda side, grade=grade: (Eye(side, grade),) for grade in range(5)},
    "ungradable": lambda side: (blurred(side),),
    "missing": lambda _side: (),
    "failed": lambda side: (failed(side),),
    "unreadable": lambda side: (Eye(side, None, Gradability.UNREADABLE, Reason.DAMAGED),),
    "pending": lambda side: (pending(side),),
    "not applicable": lambda side: (Eye(side, None, Gradability.NOT_APPLICABLE, Reason.ONE_CHANNEL),),
    "side unknown": lambda _side: (Eye(None, 0),),
    "in doubt": lambda side: (Eye(side, 1, reason=Reason.UNSURE),),
}


@pytest.mark.parametrize("right", EYES)
def test_ux_U6_nothing_is_negative_by_absence(database: Database, clock: Any, right: str) -> None:
    for left, left_eyes in EYES.items():
        waits = "pending" in (right, left)
        status = CaseStatus.READY if waits else CaseStatus.GRADED
        summary = said(database, clock, key=left, eyes=(*EYES[right](R), *left_eyes(L)), status=status)
        both_fine = right in ("0", "1") and left in ("0", "1")
        assert (words.NOTHING_TO_DO in summary.reasons) == both_fine, (right, left)
        assert summary.action.startswith("Eye examination") == both_fine, (right, left)
        assert summary.reasons, (right, left)
        assert summary.action, (right, left)


def test_what_cannot_be_graded_is_said_while_the_patient_is_still_here(database: Database, clock: Any) -> None:
    summary = said(database, clock, eyes=(blurred(R), pending(L)), status=CaseStatus.ARRIVING)
    assert not summary.is_answered
    assert summary.action == "Take new photographs"
    assert any("too blurred" in reason for reason in summary.reasons)
    assert not any("left eye" in reason for reason in summary.reasons)


def test_an_eye_that_may_still_come_is_not_called_missing(database: Database, clock: Any) -> None:
    summary = said(database, clock, eyes=(Eye(R, 0),), status=CaseStatus.ARRIVING)
    assert summary.action == "Wait for the grades"
    assert summary.reasons == (words.UNDER_WAY_SENTENCE,)


def test_one_unread_photograph_beside_others_of_the_same_eye(database: Database, clock: Any) -> None:
    damaged = Eye(R, None, Gradability.UNREADABLE, Reason.DAMAGED)
    summary = said(database, clock, eyes=(*healthy(), damaged))
    assert "One photograph of the right eye could not be read: the file is damaged. The grade rests on the others." in (
        summary.reasons
    )


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (None, None),
        (DeliveryState.SENT, "sent"),
        (DeliveryState.CONFIRMED, "confirmed"),
        (DeliveryState.FAILED, "failed"),
    ],
)
def test_ux_U20_a_case_shows_what_has_come_least_far(
    database: Database, clock: Any, states: DeliveryState | None, shown: str | None
) -> None:
    assert said(database, clock, eyes=healthy(), delivery=states).delivery == shown


def test_ux_U7_how_sure_is_said_in_three_words(database: Database, clock: Any) -> None:
    for confidence, word in ((0.8, "sure"), (0.79, "fairly sure"), (0.6, "fairly sure"), (0.59, "unsure")):
        summary = said(database, clock, eyes=(Eye(R, 3, confidence=confidence), Eye(L, 0)))
        assert summary.reasons[0].endswith(f"retinopathy, {word}.")


def test_ux_U7_doubt_names_the_two_grades_where_it_lies_between_them(database: Database, clock: Any) -> None:
    summary = said(
        database, clock, eyes=(Eye(R, 1, reason=Reason.UNSURE, confidence=0.5, score=1.4), Eye(L, 0))
    )  # fmt: skip
    assert summary.reasons == (
        "The grader is not sure whether the right eye needs referral; please look first.",
        "The right eye lies between mild non-proliferative retinopathy and moderate non-proliferative retinopathy; "
        "the network is unsure.",
    )


def test_a_time_is_said_as_the_reader_wants_it(database: Database, clock: Any) -> None:
    def tell(moment: datetime) -> str:
        return f"at {moment:%H.%M}"

    with database.transaction() as t:
        case = add_case(t, healthy(), clock.now(), fault="", delivery=DeliveryState.WAITING)
        view = worklist.one(t, case.id)
        assert view is not None
        assert "The result has not reached pacs. Next try at 08.02." in summarise(view, tell).reasons
