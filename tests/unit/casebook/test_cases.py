"""A case's life in rows: what arrives, what stays, when it is ready, and what a late photograph does."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arrivals import LEFT, RIGHT
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from casebook import cases, invariants, jobs
from casebook.archive import Archive, strangers
from casebook.arrival import Arrival, Arrived, arrive
from casebook.database import Database
from casebook.errors import BadInput
from casebook.models import AttentionRow, BundleRow, Case, ConflictingCopy, File, Grading, Job, Photograph, Revision
from casebook.words import Attention, CaseStatus, Gradability, JobKind, JobState, Reason


def _arrive(database: Database, archive: Archive, clock: Any, arrival: Arrival) -> Arrived:
    stored = archive.store(arrival.dataset_sha256.encode(), ".dcm")
    with database.transaction() as t:
        arrived = arrive(t, arrival, stored, clock.now())
    if arrived is Arrived.DUPLICATE:
        archive.discard(stored.path)
    return arrived


def _close(database: Database, clock: Any, **options: Any) -> list[int]:
    with database.transaction() as t:
        return cases.close_quiet(t, clock.now(), **({"quiet_seconds": 30, "force_seconds": 900} | options))


def _grade(database: Database, clock: Any, sop_instance_uid: str, grade: int | None) -> None:
    with database.transaction() as t:
        photograph = t.query(Photograph).filter_by(sop_instance_uid=sop_instance_uid).one()
        bundle = t.query(BundleRow).one_or_none()
        if bundle is None:
            bundle = BundleRow(name="b", version="1", sha256="c" * 64, card="{}", first_used_at=clock.now())
            t.add(bundle)
            t.flush()
        graded = grade is not None
        gradability = Gradability.GRADABLE if graded else Gradability.UNGRADABLE
        reason = None if graded else Reason.BLURRED
        t.add(
            Grading(
                photograph_id=photograph.id, frame=1, bundle_id=bundle.id, gradability=gradability, certainty=0.9,
                reason=reason, score=grade, grade=grade, confidence=0.9 if graded else None, runner="r",
                graded_at=clock.now(),
            )
        )  # fmt: skip
        claim = jobs.claim(t, JobKind.GRADE, "w", clock.now())
        assert claim is not None
        jobs.finish(t, claim, clock.now())
        cases.answered(t, photograph, gradability, reason, clock.now())


def _current(database: Database) -> Revision:
    with database.reading() as t:
        return t.query(Revision).filter_by(superseded_at=None).one()


def _open_attention(database: Database) -> set[Attention]:
    with database.reading() as t:
        return {row.reason for row in t.query(AttentionRow).filter_by(cleared_at=None)}


def _findings(database: Database, archive: Archive, clock: Any) -> list[invariants.Finding]:
    with database.reading() as t:
        return list(invariants.check(t, archive, clock.now()))


def test_a_photograph_that_arrives_waits_to_be_graded(database: Database, archive: Archive, clock: Any) -> None:
    assert _arrive(database, archive, clock, RIGHT) is Arrived.NEW
    with database.reading() as t:
        photograph = t.query(Photograph).one()
        assert photograph.gradability is Gradability.PENDING
        assert photograph.case.patient_name == "Müller^Jörg"
        assert [(job.kind, job.subject) for job in t.query(Job)] == [(JobKind.GRADE, str(photograph.id))]
    assert _current(database).status is CaseStatus.ARRIVING
    assert _findings(database, archive, clock) == []


def test_R4_the_same_bytes_again_are_nothing_new(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    clock.move(60)
    assert _arrive(database, archive, clock, RIGHT) is Arrived.DUPLICATE
    with database.reading() as t:
        assert t.query(Photograph).count() == t.query(File).count() == t.query(Job).count() == 1
        assert t.query(Revision).one().last_object_at < clock.now()
    assert _findings(database, archive, clock) == []


def test_R4_same_uid_other_bytes_is_kept_aside_once(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    other = replace(RIGHT, dataset_sha256="d" * 64)
    assert _arrive(database, archive, clock, other) is Arrived.CONFLICT
    assert _arrive(database, archive, clock, other) is Arrived.DUPLICATE
    assert _arrive(database, archive, clock, replace(RIGHT, transfer_syntax_uid="1.2")) is Arrived.CONFLICT
    with database.reading() as t:
        assert t.query(Photograph).one().dataset_sha256 == "a" * 64
        assert t.query(ConflictingCopy).count() == 2
    assert _open_attention(database) == {Attention.CONFLICTING_COPY}
    assert _findings(database, archive, clock) == []


def test_F28_one_object_from_four_senders_at_once_is_one_photograph(
    database: Database, archive: Archive, clock: Any
) -> None:
    sent = [RIGHT, RIGHT, replace(RIGHT, dataset_sha256="d" * 64), replace(RIGHT, dataset_sha256="d" * 64)]
    arrived: list[Arrived] = []
    threads = [
        threading.Thread(target=lambda one=one: arrived.append(_arrive(database, archive, clock, one))) for one in sent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(arrived) == [Arrived.CONFLICT, Arrived.DUPLICATE, Arrived.DUPLICATE, Arrived.NEW]
    assert _findings(database, archive, clock) == []


def test_two_wrong_copies_at_once_do_not_lock_each_other_out(postgresql_url: str, archive: Archive, clock: Any) -> None:
    waits = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    other = replace(RIGHT, dataset_sha256="d" * 64)
    arrived: list[Arrived] = []
    with closing(Database(postgresql_url)) as database:
        database.create_schema()
        _arrive(database, archive, clock, RIGHT)
        second = threading.Thread(target=lambda: arrived.append(_arrive(database, archive, clock, other)))
        with database.transaction() as t:
            # The case is held, as by a sender that took the photograph for a new one.
            t.scalars(select(Case).with_for_update()).one()
            second.start()
            waiting = False
            while not waiting and second.is_alive():
                with database.reading() as watching:
                    waiting = watching.scalar(waits) is not None
            arrived.append(arrive(t, other, archive.store(b"d", ".dcm"), clock.now()))
        second.join()
    assert arrived == [Arrived.CONFLICT, Arrived.DUPLICATE]


def test_R16_a_study_is_ready_when_it_was_quiet(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    clock.move(29)
    assert _close(database, clock) == []
    _arrive(database, archive, clock, LEFT)
    clock.move(29)
    assert _close(database, clock) == []
    clock.move(2)
    assert _close(database, clock, in_flight=frozenset({"1.2.3"})) == []
    assert len(_close(database, clock)) == 1
    assert _current(database).status is CaseStatus.READY


def test_R16_a_study_that_never_falls_quiet_is_forced(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    clock.move(901)
    _arrive(database, archive, clock, LEFT)
    assert len(_close(database, clock, in_flight=frozenset({"1.2.3"}))) == 1


def test_a_case_is_graded_when_its_last_photograph_is_answered(
    database: Database, archive: Archive, clock: Any
) -> None:
    _arrive(database, archive, clock, RIGHT)
    _arrive(database, archive, clock, LEFT)
    _grade(database, clock, RIGHT.sop_instance_uid, 3)
    clock.move(31)
    _close(database, clock)
    assert _current(database).status is CaseStatus.READY
    _grade(database, clock, LEFT.sop_instance_uid, 0)
    revision = _current(database)
    assert (revision.status, revision.referable, revision.urgency) == (CaseStatus.GRADED, True, 1)
    assert _open_attention(database) == {Attention.REFERABLE}
    with database.reading() as t:
        report = t.query(Job).filter_by(kind=JobKind.REPORT).one()
        assert (report.subject, report.state) == (str(revision.id), JobState.WAITING)
    assert _findings(database, archive, clock) == []


def test_graded_before_quiet_is_settled_when_it_falls_quiet(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    _grade(database, clock, RIGHT.sop_instance_uid, 0)
    assert _current(database).status is CaseStatus.ARRIVING
    clock.move(31)
    _close(database, clock)
    revision = _current(database)
    assert (revision.status, revision.referable) == (CaseStatus.GRADED, None), "one eye alone is never negative"
    assert _open_attention(database) == {Attention.MISSING_EYE}


def test_a_late_photograph_opens_the_next_revision(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    _grade(database, clock, RIGHT.sop_instance_uid, 1)
    clock.move(31)
    _close(database, clock)
    assert _arrive(database, archive, clock, LEFT) is Arrived.NEW
    with database.reading() as t:
        first, second = t.query(Revision).order_by(Revision.number).all()
        assert first.superseded_at == clock.now()
        assert (second.number, second.status, second.objects) == (2, CaseStatus.ARRIVING, 2)
        assert [photograph.id for photograph in cases.photographs_of(t, second)] == [1, 2]
        assert [photograph.id for photograph in cases.photographs_of(t, first)] == [1]
    _grade(database, clock, LEFT.sop_instance_uid, 1)
    clock.move(31)
    _close(database, clock)
    assert _current(database).referable is False
    assert _open_attention(database) == set()
    assert _findings(database, archive, clock) == []


def test_what_is_no_photograph_is_stored_and_opens_no_revision(
    database: Database, archive: Archive, clock: Any
) -> None:
    assert _arrive(database, archive, clock, replace(RIGHT, gradable=False)) is Arrived.OTHER
    own = replace(RIGHT, own=True, sop_instance_uid="2.25.1")
    assert _arrive(database, archive, clock, own) is Arrived.OWN
    with database.reading() as t:
        assert t.query(Revision).count() == t.query(Job).count() == 0
        assert [photograph.reason for photograph in t.query(Photograph)] == [Reason.KIND, Reason.OWN_OBJECT]
    assert _findings(database, archive, clock) == []


def test_regrade_opens_a_revision_and_asks_again(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    _grade(database, clock, RIGHT.sop_instance_uid, 1)
    clock.move(31)
    _close(database, clock)
    with database.transaction() as t:
        revision = cases.regrade(t, 1, clock.now())
        assert (revision.number, revision.status) == (2, CaseStatus.READY)
    _grade(database, clock, RIGHT.sop_instance_uid, 2)
    assert _current(database).referable is True
    with database.reading() as t:
        assert [grading.superseded_at is None for grading in t.query(Grading).order_by(Grading.id)] == [False, True]
    assert _findings(database, archive, clock) == []
    with pytest.raises(BadInput, match="no case 99"), database.transaction() as t:
        cases.regrade(t, 99, clock.now())


def test_R12_the_sweep_finds_what_nobody_would_do(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    with database.transaction() as t:
        assert cases.without_job(t) == []
        t.query(Job).delete()
    with database.reading() as t:
        assert cases.without_job(t) == [1]
    assert [finding.invariant for finding in _findings(database, archive, clock)] == ["I5"]


def test_fsck_names_a_lost_file_and_a_stranger(database: Database, archive: Archive, clock: Any) -> None:
    _arrive(database, archive, clock, RIGHT)
    with database.reading() as t:
        archive.path(t.query(File).one().path).write_bytes(b"rot")
    stranger = archive.store(b"stranger", ".dcm")
    with database.reading() as t:
        assert strangers(t, archive, older_than=time.time() + 1) == [stranger.path]
        assert strangers(t, archive, older_than=time.time() - 60) == [], "its row may be under way"
    clock.time = datetime.now(UTC) + timedelta(minutes=2)
    assert sorted(finding.invariant for finding in _findings(database, archive, clock)) == ["I1", "I2"]


@hypothesis_settings(max_examples=20, deadline=None)
@given(order=st.permutations(["R", "L", "R again", "R other", "report", "pdf"]))
def test_any_order_of_arrival_leaves_the_same_case(order: list[str], tmp_path_factory: Any) -> None:
    objects = {
        "R": RIGHT,
        "L": LEFT,
        "R again": RIGHT,
        "report": replace(RIGHT, sop_instance_uid="2.25.7", own=True),
        "pdf": replace(RIGHT, sop_instance_uid="1.2.3.9", gradable=False),
        "R other": replace(RIGHT, dataset_sha256="d" * 64),
    }
    folder: Path = tmp_path_factory.mktemp("order")
    database = Database(f"sqlite:///{folder / 'casebook.sqlite3'}")
    database.create_schema()
    archive = Archive(folder / "archive", reserve_mb=0)
    archive.prepare("test", is_new=True)
    now = datetime(2026, 3, 12, tzinfo=UTC)
    for name in order:
        stored = archive.store(name.encode(), ".dcm")
        with database.transaction() as t:
            arrived = arrive(t, objects[name], stored, now)
        if arrived is Arrived.DUPLICATE:
            archive.discard(stored.path)
    with database.reading() as t:
        assert t.query(Case).count() == t.query(Revision).count() == 1
        assert t.query(Photograph).count() == 4
        assert t.query(Revision).one().objects == 2
        assert t.query(ConflictingCopy).count() == 1
        assert t.query(File).count() == 5
        assert t.query(Job).count() == 2
        assert list(invariants.check(t, archive, now)) == []
    database.close()
