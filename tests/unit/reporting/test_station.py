"""The reporter's promise: a revision has exactly its objects, once, whatever happens in between (R5, I4, I6)."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from graded_case import Shot, healthy, ungradable
from private_orthanc import free_port
from reporting_desk import Desk
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from casebook import deliveries, jobs
from casebook.archive import Archive
from casebook.database import Database
from casebook.errors import LostLease, Unavailable
from casebook.models import AttentionRow, Delivery, File, Heatmap, Job, Report, Revision
from casebook.settings import LOOPBACK, Destination
from casebook.words import Attention, CaseStatus, Gradability, JobKind, JobState, Laterality, Product, Reason
from reporting.station import Reporter, Sender

R, L = Laterality.RIGHT, Laterality.LEFT
PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=4242)
CLINIC = Destination(name="clinic", ae_title="CLINIC", host="127.0.0.1", port=4243, products=(Product.SR,))


@pytest.fixture
def desk(database: Database, archive: Archive, clock: Any) -> Desk:
    return Desk(database, archive, clock, (PACS, CLINIC))


def test_R5_everything_stands_in_rows_and_files_when_the_job_is_done(desk: Desk) -> None:
    revision = desk.case(Shot(R, 3), healthy(L))
    desk.work()
    reports = desk.reports()
    assert [report.product for report in reports] == ["overlay", "overlay", "sr"]
    with desk.database.reading() as t:
        for report in reports:
            file = t.get_one(File, report.file_id)
            assert hashlib.sha256(desk.archive.read(file.path)).hexdigest() == file.sha256
        waiting = sorted(t.execute(select(Delivery.destination, Report.product).join(Delivery.report)))
        assert waiting == [("clinic", "sr"), ("pacs", "overlay"), ("pacs", "overlay"), ("pacs", "sr")]
        assert t.get_one(Revision, revision.id).status is CaseStatus.REPORTED
        kinds = t.execute(select(Job.kind, Job.subject, Job.state).order_by(Job.id)).all()
        assert [(str(kind), subject, str(state)) for kind, subject, state in kinds] == [
            ("report", "1", "done"), ("deliver", "clinic", "waiting"), ("deliver", "pacs", "waiting"),
        ]  # fmt: skip
    assert desk.findings() == []


def test_without_a_destination_the_report_is_built_and_waits_for_nobody(
    database: Database, archive: Archive, clock: Any
) -> None:
    desk = Desk(database, archive, clock, ())
    desk.case(healthy(R), healthy(L))
    desk.work()
    assert [report.product for report in desk.reports()] == ["overlay", "overlay", "sr"]
    with database.reading() as t:
        assert t.scalars(select(Delivery)).all() == []
        assert t.scalars(select(Job.kind)).all() == [JobKind.REPORT]


def test_I9_a_synthetic_case_is_reported_for_the_loop_back_pacs_alone(desk: Desk) -> None:
    desk.case(healthy(R), healthy(L), synthetic=True)
    desk.work()
    assert len(desk.reports()) == 3
    assert {delivery.destination for delivery in desk.deliveries()} == {LOOPBACK}
    with desk.database.reading() as t:
        assert t.scalars(select(Job.subject).where(Job.kind == JobKind.DELIVER)).all() == [LOOPBACK]
    assert desk.findings() == []


def test_R5_a_second_job_for_the_same_revision_makes_nothing_new(desk: Desk) -> None:
    revision = desk.case(healthy(R), healthy(L))
    desk.work()
    before = [(report.sop_instance_uid, desk.bytes_of(report)) for report in desk.reports()]
    with desk.database.transaction() as t:
        jobs.enqueue(t, JobKind.REPORT, revision.id, desk.clock.now())
    desk.work()
    assert [(report.sop_instance_uid, desk.bytes_of(report)) for report in desk.reports()] == before
    assert desk.findings() == []


def test_R5_what_was_lost_before_the_commit_is_built_again_with_the_same_identity_and_bytes(
    desk: Desk, tmp_path: Path, clock: Any
) -> None:
    desk.case(Shot(R, 3), healthy(L))
    desk.work()
    first = [(report.sop_instance_uid, desk.bytes_of(report)) for report in desk.reports()]
    with desk.database.transaction() as t:  # as if the process had died before the commit
        for table in (Delivery, Report):
            t.execute(table.__table__.delete())
        t.execute(update(Revision).values(status=CaseStatus.GRADED))
        jobs.enqueue(t, JobKind.REPORT, 1, clock.now())
    clock.move(3600)
    desk.work()
    assert [(report.sop_instance_uid, desk.bytes_of(report)) for report in desk.reports()] == first


def test_I6_who_lost_the_lease_leaves_nothing(desk: Desk) -> None:
    desk.case(healthy(R), healthy(L))
    late = desk.claim()
    with desk.database.transaction() as t:
        t.execute(update(Job).values(fence=Job.fence + 1))
    with pytest.raises(LostLease):
        desk.reporter.work(late)
    assert desk.reports() == []
    assert [found for found in desk.findings() if not found.startswith("I5")] == []


def test_a_revision_that_a_late_photograph_overtook_is_not_reported(desk: Desk) -> None:
    first = desk.case(healthy(R))
    claim = desk.claim()
    second = desk.later(first, healthy(L))
    desk.reporter.work(claim)
    assert desk.reports() == []
    desk.work()
    assert {report.revision_id for report in desk.reports()} == {second.id}
    assert desk.findings() == []


def test_I10_the_next_report_follows_the_one_before_and_never_replaces_it(desk: Desk) -> None:
    first = desk.case(healthy(R))
    desk.work()
    desk.later(first, Shot(L, 2))
    desk.work()
    old, new = (report for report in desk.reports() if report.product is Product.SR)
    assert (old.predecessor_id, new.predecessor_id) == (None, old.id)
    assert old.sop_instance_uid != new.sop_instance_uid
    assert old.sop_instance_uid.encode() in desk.bytes_of(new)
    assert len(desk.reports()) == 5
    assert desk.findings() == []


def test_a_case_in_which_nothing_can_be_graded_is_reported_with_its_reasons(desk: Desk) -> None:
    desk.case(ungradable(R), Shot(L, None, Gradability.UNREADABLE, Reason.DAMAGED))
    desk.work()
    assert [report.product for report in desk.reports()] == ["sr"]


def test_a_case_without_a_photograph_of_a_retina_ends_without_a_report(desk: Desk) -> None:
    revision = desk.case(Shot(None, None, Gradability.NOT_APPLICABLE, Reason.ONE_CHANNEL))
    desk.work()
    assert desk.reports() == []
    with desk.database.reading() as t:
        assert t.get_one(Revision, revision.id).status is CaseStatus.REPORTED
        assert t.scalars(select(Job.state)).all() == [JobState.DONE]


def test_I8_a_report_that_cannot_be_built_is_tried_three_times_and_then_asks(desk: Desk) -> None:
    desk.case(healthy(R))
    with desk.database.transaction() as t:  # an overlay that is no picture
        broken = desk.archive.store(b"no picture", ".jpg")
        overlay_id = t.scalars(select(Heatmap.overlay_file_id)).one()
        t.execute(update(File).where(File.id == overlay_id).values(path=broken.path))
    for _ in range(3):
        desk.work()
        desk.clock.move(3600)
    assert desk.reports() == []
    with desk.database.reading() as t:
        assert t.scalars(select(Job.state)).all() == [JobState.QUARANTINED]
        assert t.scalars(select(AttentionRow.reason)).all() == [Attention.DELIVERY_FAILED]


def test_a_disk_that_is_away_puts_the_job_off_and_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.case(healthy(R))

    class Full(Archive):
        def store(self, data: bytes, suffix: str) -> Any:
            raise OSError(28, "No space left on device")

    full = Full(desk.archive.root)
    reporter = Reporter(desk.database, full, (PACS,), desk.clock)
    with pytest.raises(Unavailable):
        reporter.work(desk.claim())
    assert desk.reports() == []
    assert [found for found in desk.findings() if found.startswith("I2")] == []


def test_what_waits_for_a_destination_that_is_gone_goes_on_waiting(
    desk: Desk, database: Database, archive: Archive, clock: Any
) -> None:
    desk.case(healthy(R))
    desk.work()
    sender = Sender(database, archive, (), "RETINAGATE", clock)
    for _ in range(2):
        sender.work(desk.claim(JobKind.DELIVER))
    with database.reading() as t:
        assert set(t.scalars(select(Delivery.state))) == {"waiting"}
        assert set(t.scalars(select(Delivery.attempts))) == {0}
        assert deliveries.due_destinations(t, clock.now()) == {"pacs", "clinic"}


def test_R7_nobody_there_pauses_the_lane_in_its_job(
    desk: Desk, database: Database, archive: Archive, clock: Any
) -> None:
    desk.case(healthy(R))
    desk.work()
    nobody = PACS.model_copy(update={"port": free_port()})
    sender = Sender(database, archive, (nobody,), "RETINAGATE", clock, chance=lambda: 1.0)
    sender.work(desk.claim(JobKind.DELIVER))  # clinic, which is not configured here
    sender.work(desk.claim(JobKind.DELIVER))
    with database.reading() as t:
        job = t.scalars(select(Job).where(Job.subject == "pacs")).one()
        assert (job.state, job.run_after) == (JobState.WAITING, clock.now() + timedelta(seconds=5))
        rows = _rows(t)
        assert {(row.state, row.attempts) for row in rows} == {("waiting", 1)}
        assert all("cannot be reached" in (row.last_error or "") for row in rows)


def _rows(t: Session) -> list[Delivery]:
    return list(t.scalars(select(Delivery).where(Delivery.destination == "pacs")))
