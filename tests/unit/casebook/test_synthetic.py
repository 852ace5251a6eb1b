"""I9: synthetic eyes reach the loop-back PACS and nothing else, patients' never do, and no count contains them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from arrivals import LEFT, RIGHT
from graded_case import Study, healthy, write_case
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from casebook import deliveries, invariants, jobs, self_tests, synthetic
from casebook.archive import Archive
from casebook.arrival import Arrival, Arrived, arrive
from casebook.database import Database
from casebook.errors import Refused
from casebook.models import Case, ConflictingCopy, Delivery, File, FileKind, Job, Photograph, Report
from casebook.settings import LOOPBACK, Destination
from casebook.words import DeliveryState, JobKind, JobState, Laterality, Product

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=4242)
SYNTHETIC = replace(RIGHT, synthetic=True)
TO_PACS = [DeliveryState.WAITING, DeliveryState.FAILED, DeliveryState.SENT, DeliveryState.CONFIRMED]


def _report(t: Session, archive: Archive, now: datetime, key: str, *, synthetic: bool) -> Report:
    shots = [healthy(Laterality.RIGHT), healthy(Laterality.LEFT)]
    revision = write_case(t, archive, shots, now, Study(key), synthetic=synthetic)
    file = File(path=key, sha256="0" * 64, size=1, kind=FileKind.REPORT, created_at=now)
    t.add(file)
    t.flush()
    report = Report(
        revision_id=revision.id, product=Product.SR, sop_instance_uid=f"2.25.{revision.id}", sop_class_uid="1.2",
        series_instance_uid="1.3", transfer_syntax_uid="1.4", file_id=file.id, created_at=now,
    )  # fmt: skip
    t.add(report)
    t.flush()
    return report


def _stray(t: Session, report: Report, destination: str, now: datetime) -> None:
    """Write a delivery that no function of ours would."""
    t.add(
        Delivery(
            report_id=report.id, destination=destination, state=DeliveryState.WAITING, next_attempt_at=now,
            created_at=now,
        )
    )  # fmt: skip
    t.flush()


def test_I9_a_synthetic_case_goes_to_the_loop_back_pacs_alone(database: Database, archive: Archive, clock: Any) -> None:
    now = clock.now()
    with database.transaction() as t:
        report = _report(t, archive, now, "drawn", synthetic=True)
        assert deliveries.plan(t, [report], [PACS], now) == {LOOPBACK}
        assert deliveries.plan(t, [report], [PACS], now) == set()
        assert deliveries.due_destinations(t, now) == {LOOPBACK}
        assert deliveries.resend(t, report.revision.case_id, [PACS], now, also_sent=True) == 1
        assert t.scalars(select(Delivery.destination)).all() == [LOOPBACK]


def test_I9_a_patients_case_never_goes_to_the_loop_back_pacs(database: Database, archive: Archive, clock: Any) -> None:
    now = clock.now()
    with database.transaction() as t:
        report = _report(t, archive, now, "patient", synthetic=False)
        assert deliveries.plan(t, [report], [PACS], now) == {"pacs"}
        assert t.scalars(select(Delivery.destination)).all() == ["pacs"]


@pytest.mark.parametrize(("is_synthetic", "destination"), [(True, "pacs"), (False, LOOPBACK)])
def test_I9_the_senders_own_question_refuses_a_row_that_went_astray(
    database: Database, archive: Archive, clock: Any, is_synthetic: bool, destination: str
) -> None:
    now = clock.now()
    with database.transaction() as t:
        report = _report(t, archive, now, "astray", synthetic=is_synthetic)
        _stray(t, report, destination, now)
        assert deliveries.due(t, destination, now) == []
        assert deliveries.due_destinations(t, now) == set()
        found = [finding for finding in invariants.check(t, archive, now) if finding.invariant == "I9"]
        assert len(found) == 1
        for state in TO_PACS:
            t.execute(update(Delivery).values(state=state, next_attempt_at=None if state != "waiting" else now,
                                              sent_at=now))  # fmt: skip
            deliveries.resend(t, report.revision.case_id, [PACS], now, also_sent=True)
            moved = t.scalars(select(Delivery.state).where(Delivery.destination == destination)).all()
            assert moved == [state]
            assert deliveries.due(t, destination, now) == []


def _arrive(database: Database, archive: Archive, clock: Any, arrival: Arrival) -> Arrived:
    stored = archive.store(arrival.dataset_sha256.encode(), ".dcm")
    with database.transaction() as t:
        return arrive(t, arrival, stored, clock.now())


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(LEFT, id="another photograph"),
        pytest.param(RIGHT, id="the same photograph"),
        pytest.param(replace(RIGHT, dataset_sha256="c" * 64), id="other bytes"),
        pytest.param(replace(RIGHT, study_instance_uid="1.2.4"), id="the same photograph in another study"),
    ],
)
@pytest.mark.parametrize("first_is_synthetic", [True, False])
def test_I9_patients_and_synthetic_eyes_never_share_a_case(
    database: Database, archive: Archive, clock: Any, second: Arrival, first_is_synthetic: bool
) -> None:
    assert _arrive(database, archive, clock, replace(RIGHT, synthetic=first_is_synthetic)) is Arrived.NEW
    with pytest.raises(Refused) as refused:
        _arrive(database, archive, clock, replace(second, synthetic=not first_is_synthetic))
    assert len(refused.value.message) <= 64, "an Error Comment has 64 characters"
    with database.reading() as t:
        assert t.scalars(select(Case.synthetic)).all() == [first_is_synthetic]
        assert len(t.scalars(select(Photograph)).all()) == 1
        assert t.scalars(select(ConflictingCopy)).all() == []


def test_I9_synthetic_eyes_of_one_study_come_together(database: Database, archive: Archive, clock: Any) -> None:
    assert _arrive(database, archive, clock, SYNTHETIC) is Arrived.NEW
    assert _arrive(database, archive, clock, replace(LEFT, synthetic=True)) is Arrived.NEW
    assert _arrive(database, archive, clock, SYNTHETIC) is Arrived.DUPLICATE


def test_O39_work_on_synthetic_eyes_is_not_counted(database: Database, archive: Archive, clock: Any) -> None:
    now = clock.now()
    _arrive(database, archive, clock, SYNTHETIC)
    with database.transaction() as t:
        revision_id = _report(t, archive, now, "drawn", synthetic=True).revision_id
        jobs.enqueue(t, JobKind.REPORT, revision_id, now)
        jobs.enqueue(t, JobKind.DELIVER, LOOPBACK, now)
        assert jobs.depth(t) == {}
        assert all(synthetic.is_work(t, job_id) for job_id in t.scalars(select(Job.id)))
        patients = _report(t, archive, now, "patient", synthetic=False).revision_id
        jobs.enqueue(t, JobKind.REPORT, patients, now)
        jobs.enqueue(t, JobKind.DELIVER, "pacs", now)
        assert jobs.depth(t) == {(JobKind.REPORT, JobState.WAITING): 1, (JobKind.DELIVER, JobState.WAITING): 1}


def test_O39_the_last_green_self_test_outlives_every_process(database: Database, clock: Any) -> None:
    last = self_tests.LastGreen()
    with database.transaction() as t:
        assert last.look(t) is None
        self_tests.record(t, clock.now(), case_id=None)
        green = clock.now()
        assert last.look(t) == green
        clock.move(60)
        self_tests.record(t, clock.now(), case_id=None, red="associate")
        assert last.look(t) == green
        assert self_tests.LastGreen().look(t) == green
        clock.move(60)
        self_tests.record(t, clock.now(), case_id=None)
        assert last.look(t) == clock.now()
