"""Deliveries' promise: at least once on the wire, retried as the rows say, and no failure is silent (R5-R7, R9)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from graded_case import Shot, Study, healthy, write_case
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from casebook import deliveries, jobs
from casebook.archive import Archive
from casebook.database import Database
from casebook.deliveries import FIRST_DELAY, LONGEST_DELAY, Attempt, Effect, Parcel
from casebook.models import AttentionRow, Case, Delivery, File, FileKind, Job, Report, Revision
from casebook.settings import Destination
from casebook.words import Attention, DeliveryState, JobKind, Laterality, Product

R, L = Laterality.RIGHT, Laterality.LEFT
PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=4242)
CLINIC = Destination(name="clinic", ae_title="CLINIC", host="127.0.0.1", port=4243, products=(Product.SR,))
DOWN = Attempt(Effect.TRANSIENT, "It does not answer.", breaks_lane=True)
SENT = Attempt(Effect.DELIVERED, "", 0x0000)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.create_schema()
    yield database
    database.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path / "archive")
    archive.prepare("test", is_new=True)
    return archive


def reported(t: Session, archive: Archive, now: datetime, key: str = "one", **case: Any) -> list[Report]:
    """Write a healthy case with its three reports, the overlays first."""
    revision = write_case(t, archive, case.pop("shots", [healthy(R), healthy(L)]), now, Study(key), **case)
    rows = []
    for number, product in enumerate((Product.OVERLAY, Product.OVERLAY, Product.SR)):
        file = File(path=f"{key}-{number}", sha256="0" * 64, size=1, kind=FileKind.REPORT, created_at=now)
        t.add(file)
        t.flush()
        photograph = number + 1 if product is Product.OVERLAY else None
        rows.append(
            Report(
                revision_id=revision.id,
                product=product,
                photograph_id=photograph,
                frame=1 if photograph else None,
                sop_instance_uid=f"2.25.{revision.id}{number}",
                sop_class_uid="1.2.3",
                series_instance_uid="1.2.3.4",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                file_id=file.id,
                created_at=now,
            )
        )
    t.add_all(rows)
    t.flush()
    return rows


def only(t: Session, destination: str, now: datetime) -> Parcel:
    return deliveries.due(t, destination, now)[0]


def asking(t: Session) -> list[int]:
    return list(
        t.scalars(
            select(AttentionRow.case_id).where(
                AttentionRow.reason == Attention.DELIVERY_FAILED, AttentionRow.cleared_at.is_(None)
            )
        )
    )


def test_R5_each_destination_gets_a_row_for_each_product_it_takes(
    database: Database, archive: Archive, clock: Any
) -> None:
    with database.transaction() as t:
        reports = reported(t, archive, clock.now())
        assert deliveries.plan(t, reports, [PACS, CLINIC], clock.now()) == {"pacs", "clinic"}
        assert deliveries.plan(t, reports, [PACS, CLINIC], clock.now()) == set()
        assert [parcel.product for parcel in deliveries.due(t, "pacs", clock.now())] == ["overlay", "overlay", "sr"]
        assert [parcel.product for parcel in deliveries.due(t, "clinic", clock.now())] == ["sr"]
        assert deliveries.due_destinations(t, clock.now()) == {"pacs", "clinic"}


def test_R7_the_most_urgent_case_goes_first_and_then_first_come(
    database: Database, archive: Archive, clock: Any
) -> None:
    with database.transaction() as t:
        for key, grade in (("healthy", 0), ("urgent", 4), ("moderate", 2)):
            shots = [Shot(R, grade), healthy(L)]
            deliveries.plan(t, reported(t, archive, clock.now(), key, shots=shots)[-1:], [PACS], clock.now())
        studies = [
            t.get_one(Case, parcel.case_id).study_instance_uid for parcel in deliveries.due(t, "pacs", clock.now())
        ]
        assert studies == [Study(key).uid for key in ("urgent", "moderate", "healthy")]


@given(st.integers(0, 5000), st.floats(0, 1))
def test_R7_the_delay_doubles_from_five_seconds_and_ends_at_a_quarter_of_an_hour(attempts: int, chance: float) -> None:
    delay = deliveries.back_off(attempts, chance)
    whole = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempts, 20))
    assert whole / 2 <= delay <= whole


def test_R6_sent_is_written_once_and_stays(database: Database, archive: Archive, clock: Any) -> None:
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now())[-1:], [PACS], clock.now())
        parcel = only(t, "pacs", clock.now())
        assert deliveries.record_attempt(t, parcel, SENT, clock.now(), 0.5) is DeliveryState.SENT
        late = Attempt(Effect.PERMANENT, "It refused.", 0xA900)
        assert deliveries.record_attempt(t, parcel, late, clock.now(), 0.5) is DeliveryState.SENT
        row = t.scalars(select(Delivery)).one()
        assert (row.attempts, row.last_status, row.next_attempt_at, row.sent_at) == (1, 0, None, clock.now())


def test_R6_a_refusal_is_final_after_three_spaced_tries(database: Database, archive: Archive, clock: Any) -> None:
    refused = Attempt(Effect.PERMANENT, "It refused the object.", 0xA900)
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now())[-1:], [PACS], clock.now())
        states = []
        for _ in range(3):
            states.append(deliveries.record_attempt(t, only(t, "pacs", clock.now()), refused, clock.now(), 1.0))
            assert deliveries.due(t, "pacs", clock.now()) == []
            clock.move(LONGEST_DELAY)
        assert states == [DeliveryState.WAITING, DeliveryState.WAITING, DeliveryState.FAILED]
        assert asking(t) == [1]
        row = t.scalars(select(Delivery)).one()
        assert (row.attempts, row.last_status, row.last_error) == (3, 0xA900, "It refused the object.")
        assert t.scalars(select(Revision.urgency)).one() == 4


def test_R6_an_unknown_answer_is_final_after_ten(database: Database, archive: Archive, clock: Any) -> None:
    unknown = Attempt(Effect.UNKNOWN, "It answered something unknown.", 0x1234)
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now())[-1:], [PACS], clock.now())
        for number in range(1, 11):
            state = deliveries.record_attempt(t, only(t, "pacs", clock.now()), unknown, clock.now(), 1.0)
            assert (state is DeliveryState.FAILED) == (number == 10)
            clock.move(LONGEST_DELAY)


def test_R7_a_transient_error_goes_on_for_ever_but_asks_after_a_day(
    database: Database, archive: Archive, clock: Any
) -> None:
    busy = Attempt(Effect.TRANSIENT, "It has no room.", 0xA700)
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now())[-1:], [PACS], clock.now())
        begun = clock.now()
        while clock.now() - begun < timedelta(hours=24):
            assert asking(t) == []
            assert deliveries.record_attempt(t, only(t, "pacs", clock.now()), busy, clock.now(), 1.0) == "waiting"
            clock.move(LONGEST_DELAY)
        deliveries.record_attempt(t, only(t, "pacs", clock.now()), busy, clock.now(), 1.0)
        assert asking(t) == [1]
        clock.move(LONGEST_DELAY)
        deliveries.record_attempt(t, only(t, "pacs", clock.now()), SENT, clock.now(), 1.0)
        assert asking(t) == []
        assert t.scalars(select(Revision.urgency)).one() is None


def test_R6_wrong_settings_of_a_product_ask_at_once_and_do_not_stop_the_others(
    database: Database, archive: Archive, clock: Any
) -> None:
    wrong = Attempt(Effect.CONFIGURATION, "It does not take this kind of object.")
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now()), [PACS], clock.now())
        parcel = only(t, "pacs", clock.now())
        deliveries.record_attempt(t, parcel, wrong, clock.now(), 0.0)
        assert asking(t) == [1]
        assert len(deliveries.due(t, "pacs", clock.now())) == 2
        clock.move(LONGEST_DELAY)
        assert len(deliveries.due(t, "pacs", clock.now())) == 3


def test_R7_a_lane_failure_is_everybodys_failed_attempt_and_the_delay_grows(
    database: Database, archive: Archive, clock: Any
) -> None:
    with database.transaction() as t:
        for key in ("one", "two"):
            deliveries.plan(t, reported(t, archive, clock.now(), key), [PACS, CLINIC], clock.now())
        delays = []
        for _ in range(9):
            delays.append(deliveries.record_lane_failure(t, "pacs", DOWN, clock.now(), 1.0))
            assert deliveries.due(t, "pacs", clock.now()) == []
            clock.move(delays[-1])
        assert delays == [5, 10, 20, 40, 80, 160, 320, 640, 900]
        rows = t.scalars(select(Delivery).where(Delivery.destination == "pacs")).all()
        assert {(row.attempts, row.last_error) for row in rows} == {(9, "It does not answer.")}
        assert len(deliveries.due(t, "clinic", clock.now())) == 2
        assert asking(t) == []


def test_R7_what_broke_the_lane_goes_last_next_time(database: Database, archive: Archive, clock: Any) -> None:
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now()), [PACS], clock.now())
        culprit = only(t, "pacs", clock.now())
        delay = deliveries.record_lane_failure(t, "pacs", DOWN, clock.now(), 1.0, culprit=culprit)
        clock.move(delay)
        assert culprit.id not in [parcel.id for parcel in deliveries.due(t, "pacs", clock.now())]
        clock.move(FIRST_DELAY)
        assert culprit.id in [parcel.id for parcel in deliveries.due(t, "pacs", clock.now())]


def test_R6_wrong_settings_of_a_lane_pause_it_and_ask_for_every_case_once(
    database: Database, archive: Archive, clock: Any
) -> None:
    wrong = Attempt(Effect.CONFIGURATION, "It does not know us.", breaks_lane=True)
    with database.transaction() as t:
        for key in ("one", "two"):
            deliveries.plan(t, reported(t, archive, clock.now(), key), [PACS], clock.now())
        assert deliveries.record_lane_failure(t, "pacs", wrong, clock.now(), 0.0) == LONGEST_DELAY
        assert sorted(asking(t)) == [1, 2]
        clock.move(LONGEST_DELAY)
        deliveries.record_lane_failure(t, "pacs", wrong, clock.now(), 0.0)
        assert sorted(asking(t)) == [1, 2]


def test_resend_tries_failures_at_once_and_gives_a_new_destination_its_rows(
    database: Database, archive: Archive, clock: Any
) -> None:
    with database.transaction() as t:
        reports = reported(t, archive, clock.now())
        deliveries.plan(t, reports, [PACS], clock.now())
        sent, failed, waiting = deliveries.due(t, "pacs", clock.now())
        deliveries.record_attempt(t, sent, SENT, clock.now(), 0.5)
        t.execute(update(Delivery).where(Delivery.id == failed.id).values(state="failed", next_attempt_at=None))
        busy = Attempt(Effect.TRANSIENT, "It has no room.", 0xA700)
        deliveries.record_attempt(t, waiting, busy, clock.now(), 0.5)
        jobs.enqueue(t, JobKind.DELIVER, "pacs", clock.now(), run_after=clock.now() + timedelta(seconds=900))

        assert deliveries.resend(t, 1, [PACS, CLINIC], clock.now()) == 3
        assert [parcel.id for parcel in deliveries.due(t, "pacs", clock.now())] == [failed.id, waiting.id]
        assert len(deliveries.due(t, "clinic", clock.now())) == 1
        assert set(t.scalars(select(Job.run_after))) == {clock.now()}

        assert deliveries.resend(t, 1, [PACS, CLINIC], clock.now(), also_sent=True) == 4
        assert len(deliveries.due(t, "pacs", clock.now())) == 3


def test_R15_a_clock_that_jumped_back_strands_nothing(database: Database, archive: Archive, clock: Any) -> None:
    with database.transaction() as t:
        deliveries.plan(t, reported(t, archive, clock.now())[-1:], [PACS], clock.now() + timedelta(days=400))
        assert deliveries.pull_back(t, clock.now()) == 1
        assert deliveries.pull_back(t, clock.now()) == 0
        clock.move(LONGEST_DELAY + FIRST_DELAY)
        assert len(deliveries.due(t, "pacs", clock.now())) == 1
