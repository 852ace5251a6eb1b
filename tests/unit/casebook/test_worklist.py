"""The list of cases: in clinical order, each case once, synthetic ones never counted (ux U1, T1, T29)."""

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from listed_case import Eye, L, R, add_case, blurred, failed, healthy
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from casebook import cases, changes, undelivered, visits, worklist
from casebook.database import Database
from casebook.models import Case, Job, Revision
from casebook.words import CaseStatus, DeliveryState, JobKind, Reason
from casebook.worklist import Counts, Tab

FAULT = "pacs (PACS at 10.0.0.5:4242): nothing listens there. Check address, port and firewall."
# One case of every kind that needs somebody, by urgency class.
KINDS: dict[int, list[dict[str, Any]]] = {
    0: [{"eyes": (Eye(R, 4), Eye(L, 0))}, {"eyes": (Eye(R, 4), blurred(L))},
        {"eyes": (Eye(R, 0), Eye(L, 4)), "fault": FAULT, "delivery": DeliveryState.FAILED}],
    1: [{"eyes": (Eye(R, 3), Eye(L, 2))}, {"eyes": (Eye(R, 3),)}],
    2: [{"eyes": (Eye(R, 2), Eye(L, 0))}, {"eyes": (blurred(R), Eye(L, 2))}],
    3: [{"eyes": (blurred(R), blurred(L))}, {"eyes": (Eye(R, 0),)}, {"eyes": (Eye(R, 0), failed(L))},
        {"eyes": (Eye(R, 1, reason=Reason.UNSURE), Eye(L, 0))}, {"eyes": healthy(), "conflict": True}],
    4: [{"eyes": healthy(), "fault": FAULT, "delivery": DeliveryState.FAILED},
        {"eyes": healthy(), "fault": FAULT, "delivery": DeliveryState.WAITING}],
}  # fmt: skip


def _forty(t: Session, clock: Any) -> None:
    rng = random.Random(20260312)
    pool = [kind for kinds in KINDS.values() for kind in kinds] + [{"eyes": healthy()}]
    chosen = (pool * 3)[:40]
    rng.shuffle(chosen)
    for number, kind in enumerate(chosen):
        arrived = clock.now() - timedelta(minutes=rng.randrange(0, 60 * 24 * 9))
        add_case(t, now=arrived, key=str(number), **kind)


def _walk(t: Session, tab: Tab, limit: int) -> list[int]:
    seen: list[int] = []
    after = None
    while True:
        views, after = worklist.tab_page(t, tab, limit=limit, after=after)
        seen += [view.case.id for view in views]
        if after is None:
            return seen


@pytest.mark.parametrize("limit", [7, 100])
def test_ux_U1_forty_shuffled_cases_stand_in_clinical_order(database: Database, clock: Any, limit: int) -> None:
    with database.transaction() as t:
        _forty(t, clock)
        expected = sorted(
            (revision.urgency, revision.due_at, case.first_received_at, case.id)
            for case, revision in t.execute(select(Case, Revision).join(Revision).where(Revision.urgency.is_not(None)))
        )
        assert {key[0] for key in expected} == {0, 1, 2, 3, 4}
        assert _walk(t, Tab.ATTENTION, limit) == [key[3] for key in expected]


def test_ux_U1_every_kind_stands_in_its_class(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        for urgency, kinds in KINDS.items():
            for number, kind in enumerate(kinds):
                case = add_case(t, now=clock.now(), key=f"{urgency}-{number}", **kind)
                assert t.scalars(select(Revision.urgency).where(Revision.case_id == case.id)).one() == urgency


def test_the_neighbours_of_a_case_are_those_of_its_list(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        _forty(t, clock)
        for tab in Tab:
            order = _walk(t, tab, 100)
            assert len(order) > 3
            for place, case_id in enumerate(order):
                before = order[place - 1] if place else None
                after = order[place + 1] if place + 1 < len(order) else None
                assert worklist.neighbours(t, tab, case_id) == (before, after)
        assert worklist.neighbours(t, Tab.ATTENTION, 999) == (None, None)


def test_T29_synthetic_cases_are_listed_and_never_counted(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 3), Eye(L, 0)), clock.now(), key="patient")
        add_case(t, healthy(), clock.now(), key="normal")
        for number in range(3):
            add_case(
                t, (Eye(R, 4), Eye(L, 4)), clock.now(), key=f"synthetic {number}", synthetic=True, fault=FAULT,
                delivery=DeliveryState.FAILED, destination="loopback",
            )  # fmt: skip
        assert worklist.counts(t, clock.now()) == Counts(attention=1, undelivered=0, all=2, overdue=0)
        assert len(_walk(t, Tab.ATTENTION, 100)) == 4
        assert len(_walk(t, Tab.ALL, 100)) == 5
        assert undelivered.troubles(t) == []
        assert worklist.normal_since(t, clock.now() - timedelta(hours=1)) == 1


def test_what_is_overdue_is_counted(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now(), key="today")
        add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now() - timedelta(days=3), key="late")
        add_case(t, healthy(), clock.now() - timedelta(days=90), key="normal eyes are nobody's debt")
        assert worklist.counts(t, clock.now()).overdue == 1


def test_T19_undelivered_is_what_was_tried_and_has_not_arrived(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), key="on its way", delivery=DeliveryState.WAITING, attempts=0)
        add_case(t, healthy(), clock.now(), key="there", delivery=DeliveryState.CONFIRMED)
        tried = add_case(t, healthy(), clock.now(), key="tried", delivery=DeliveryState.WAITING, attempts=2)
        refused = add_case(t, healthy(), clock.now(), key="no", delivery=DeliveryState.FAILED, fault=FAULT)
        assert sorted(_walk(t, Tab.UNDELIVERED, 100)) == [tried.id, refused.id]
        assert worklist.counts(t, clock.now()).undelivered == 2
        [trouble] = undelivered.troubles(t)
        assert (trouble.destination, trouble.results, trouble.reason) == ("pacs", 2, FAULT)
        assert trouble.next_attempt_at == clock.now()


def test_a_case_that_is_graded_again_stays_as_urgent_as_it_was(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        case = add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now(), key="urgent")
        other = add_case(t, (Eye(R, 3), Eye(L, 0)), clock.now(), key="less")
        cases.regrade(t, case.id, clock.now())
        assert _walk(t, Tab.ATTENTION, 100) == [case.id, other.id]


def test_a_conflict_at_normal_eyes_makes_them_a_case_nobody_can_judge(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        case = add_case(t, healthy(), clock.now())
        cases.make_urgent(t, case.id, clock.now())
        revision = t.scalars(select(Revision)).one()
        assert revision.urgency == 3
        assert revision.due_at is not None
        assert revision.due_at < clock.now() + timedelta(days=8)
        revision.urgency = 1
        t.flush()
        cases.make_urgent(t, case.id, clock.now())
        assert t.scalars(select(Revision.urgency)).one() == 1


def test_settling_a_case_writes_when_it_is_due(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        case = add_case(t, (Eye(R, 3), Eye(L, 0)), clock.now(), status=CaseStatus.READY)
        revision = t.scalars(select(Revision).where(Revision.case_id == case.id)).one()
        assert revision.due_at is None
        assert cases.settle(t, revision.id, clock.now())
        assert revision.due_at is not None
        assert clock.now() < revision.due_at < clock.now() + timedelta(days=5)


def test_T22_another_date_of_birth_is_another_patient(database: Database, clock: Any) -> None:
    with database.transaction() as t:
        now = add_case(t, healthy(), clock.now(), key="now")
        same = add_case(t, healthy(), clock.now(), key="same", study_date="20250312")
        unknown = add_case(t, healthy(), clock.now(), key="unknown birth", study_date="20240312", born="")
        add_case(t, healthy(), clock.now(), key="other issuer", study_date="20230312", issuer="elsewhere")
        add_case(t, healthy(), clock.now(), key="later", study_date="20270312")
        add_case(t, healthy(), clock.now(), key="synthetic", study_date="20220312", synthetic=True)
        found = visits.of_patient(t, now)
        assert [view.case.id for view in found.earlier] == [same.id, unknown.id]
        assert not found.others
        add_case(t, healthy(), clock.now(), key="somebody else", study_date="20210312", born="19800101")
        found = visits.of_patient(t, now)
        assert [view.case.id for view in found.earlier] == [same.id, unknown.id]
        assert found.others


@pytest.mark.parametrize("patient_id", ["", " ", "%", "_"])
def test_D19_an_id_that_says_nothing_finds_nobody(database: Database, clock: Any, patient_id: str) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), key="other", patient_id="4711", study_date="20200101")
        add_case(t, healthy(), clock.now(), key="empty", patient_id="", study_date="20200101")
        case = add_case(t, healthy(), clock.now(), key="now", patient_id=patient_id)
        assert visits.of_patient(t, case).earlier == []


def test_the_stamp_changes_with_everything_a_list_shows(database: Database, clock: Any, tmp_path: Path) -> None:
    stamps = []

    def look() -> None:
        t.flush()
        stamps.append(changes.stamp(t))
        assert changes.stamp(t) == stamps[-1]

    with database.transaction() as t:
        look()
        case = add_case(t, (Eye(R, 3), Eye(L, 0)), clock.now(), status=CaseStatus.READY)
        revision_id = t.scalars(select(Revision.id)).one()
        cases.settle(t, revision_id, clock.now())
        look()  # attention was asked for, a job begins
        job = t.scalars(select(Job).where(Job.kind == JobKind.REPORT)).one()
        t.execute(update(Job).where(Job.id == job.id).values(fence=Job.fence + 1))
        look()  # it was claimed
        cases.make_urgent(t, case.id, clock.now())
        assert len(set(stamps)) == len(stamps)
