"""From a claimed photograph to rows and files, on both engines."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dicom_objects as objects
import numpy as np
import pytest
import simplejpeg
import stand_in_bundle
from sqlalchemy import select

from casebook import cases, invariants, jobs
from casebook.archive import Archive, Stored
from casebook.arrival import Arrival, arrive
from casebook.database import Database
from casebook.errors import LostLease, Misconfigured, Unavailable
from casebook.jobs import Claim
from casebook.models import AttentionRow, BundleRow, File, Grading, Heatmap, Job, Photograph, Rendition, RenditionKind
from casebook.words import Attention, Gradability, JobKind, JobState, Laterality, Reason
from inference import phantom
from inference.child import Child
from inference.station import Grader


@pytest.fixture(scope="module")
def hostile(stand_in: Path) -> Iterator[Child]:
    child = Child(stand_in, threads=1, module="hostile_child", picture_seconds=1.0)
    yield child
    child.stop()


@cache
def eye(lesions: phantom.Lesions = phantom.MANY) -> bytes:
    jpeg = simplejpeg.encode_jpeg(phantom.draw(4, lesions=lesions), quality=92)
    return objects.written(objects.photograph(jpeg))


def received(database: Database, archive: Archive, clock: Any, data: bytes, number: int = 1) -> Claim:
    """Let a photograph arrive as the listener does, and claim its job."""
    stored = archive.store(data, ".dcm")
    with database.transaction() as t:
        sent = Arrival(
            study_instance_uid="1.2.3", series_instance_uid="1.2.3.1", sop_instance_uid=f"1.2.3.1.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.77.1.5.1", transfer_syntax_uid="1.2.840.10008.1.2.4.50",
            dataset_sha256=hashlib.sha256(data).hexdigest(), patient_id="4711", patient_issuer="", patient_name="A^B",
            study_date="20260312", study_time="0802", accession_number="A1", case_attributes="{}",
            photograph_attributes="{}", laterality=Laterality.RIGHT, laterality_contradicts=False,
            laterality_hint=None, number_of_frames=1, rows=1024, columns=1024, station_name="", gradable=True,
            own=False, calling_ae="CAMERA", caller_host="127.0.0.1",
        )  # fmt: skip
        arrive(t, sent, stored, clock.now())
    return claimed(database, clock)


def claimed(database: Database, clock: Any) -> Claim:
    with database.transaction() as t:
        claim = jobs.claim(t, JobKind.GRADE, "a test", clock.now())
    assert claim is not None
    return claim


def photograph(database: Database) -> Photograph:
    with database.reading() as t:
        return t.scalars(select(Photograph).order_by(Photograph.id)).all()[-1]


def job_state(database: Database) -> JobState:
    with database.reading() as t:
        return t.scalars(select(Job.state)).one()


def findings(database: Database, archive: Archive, clock: Any) -> list[invariants.Finding]:
    with database.reading() as t:
        return list(invariants.check(t, archive, clock.now() + timedelta(minutes=5)))


def on_disk(archive: Archive) -> set[Path]:
    return {path for path in archive.objects.rglob("*") if path.is_file()}


def test_style_L3_files_first_then_one_transaction_with_every_row(
    database: Database, archive: Archive, clock: Any, child: Child
) -> None:
    claim = received(database, archive, clock, eye())
    Grader(database, archive, child, clock).work(claim)
    assert photograph(database).gradability is Gradability.GRADABLE
    assert job_state(database) is JobState.DONE
    with database.reading() as t:
        grading = t.scalars(select(Grading)).one()
        assert grading.frame == 1
        assert grading.grade is not None
        assert grading.grade >= 2
        assert grading.circle_x == pytest.approx(511.5, abs=2)
        assert grading.runner.startswith("openvino ")
        assert grading.graded_at == clock.now()
        bundle = t.scalars(select(BundleRow)).one()
        assert bundle.sha256 == hashlib.sha256(bundle.card.encode()).hexdigest()
        renditions = {rendition.kind: rendition for rendition in t.scalars(select(Rendition))}
        assert set(renditions) == {RenditionKind.FULL, RenditionKind.PREVIEW}
        full = simplejpeg.decode_jpeg(archive.read(renditions[RenditionKind.FULL].file.path))
        assert full.shape == (renditions[RenditionKind.FULL].height, renditions[RenditionKind.FULL].width, 3)
        heatmap = t.scalars(select(Heatmap)).one()
        overlay = simplejpeg.decode_jpeg_header(archive.read(heatmap.overlay_file.path))
        assert overlay[:2] == (heatmap.overlay_height, heatmap.overlay_width)
        assert archive.read(heatmap.layer_file.path).startswith(b"\x89PNG")
        with archive.path(heatmap.activation_file.path).open("rb") as stream:
            assert np.load(stream, allow_pickle=False).dtype == np.float32
    assert findings(database, archive, clock) == []
    assert list(archive.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "gradability", "reason"),
    [
        (lambda: eye()[:20_000], Gradability.UNREADABLE, Reason.DAMAGED),
        (lambda: b"no DICOM at all", Gradability.UNREADABLE, Reason.SYNTAX),
        (
            lambda: objects.written(objects.photograph(phantom.darkened(phantom.draw(4, lesions=phantom.FEW)))),
            Gradability.UNGRADABLE,
            Reason.TOO_DARK,
        ),
    ],
    ids=["cut", "rubbish", "dark"],
)
def test_what_cannot_be_graded_is_answered_and_never_graded(
    database: Database,
    archive: Archive,
    clock: Any,
    child: Child,
    data: Any,
    gradability: Gradability,
    reason: Reason,
) -> None:
    claim = received(database, archive, clock, data())
    Grader(database, archive, child, clock).work(claim)
    answered = photograph(database)
    assert (answered.gradability, answered.reason) == (gradability, reason)
    assert job_state(database) is JobState.DONE
    with database.reading() as t:
        assert [grading.grade for grading in t.scalars(select(Grading))] in ([], [None])
        assert t.scalars(select(Heatmap)).all() == []
        assert bool(t.scalars(select(Rendition)).all()) is (gradability is Gradability.UNGRADABLE)
    assert findings(database, archive, clock) == []


def test_grading_again_supersedes_and_keeps_the_renditions(
    database: Database, archive: Archive, clock: Any, child: Child
) -> None:
    grader = Grader(database, archive, child, clock)
    grader.work(received(database, archive, clock, eye()))
    with database.transaction() as t:
        cases.regrade(t, photograph(database).case_id, clock.now())
    clock.move(10)
    grader.work(claimed(database, clock))
    with database.reading() as t:
        gradings = t.scalars(select(Grading).order_by(Grading.id)).all()
        assert [grading.superseded_at is None for grading in gradings] == [False, True]
        assert len(t.scalars(select(Rendition)).all()) == 2
        assert len(t.scalars(select(BundleRow)).all()) == 1
        assert len(t.scalars(select(Heatmap)).all()) == 2
    assert findings(database, archive, clock) == []


def test_another_bundle_makes_new_gradings_beside_the_old(
    database: Database, archive: Archive, clock: Any, child: Child, tmp_path: Path
) -> None:
    Grader(database, archive, child, clock).work(received(database, archive, clock, eye()))
    other = Child(stand_in_bundle.make(tmp_path / "other", name="stand-in-2", version="2.0.0", gain=600.0), threads=1)
    try:
        with database.transaction() as t:
            cases.regrade(t, photograph(database).case_id, clock.now())
        clock.move(10)
        Grader(database, archive, other, clock).work(claimed(database, clock))
    finally:
        other.stop()
    with database.reading() as t:
        old, new = t.scalars(select(Grading).order_by(Grading.id)).all()
        assert (old.bundle.name, new.bundle.name) == ("stand-in", "stand-in-2")
        assert old.bundle.sha256 != new.bundle.sha256
        assert old.superseded_at is not None
        assert new.superseded_at is None
        assert old.score is not None
        assert new.score is not None
        assert old.score < new.score
        assert (old.heatmap is None, new.heatmap is None) == (False, False)
    assert findings(database, archive, clock) == []


def test_R10_a_lost_lease_leaves_neither_rows_nor_files(
    database: Database, archive: Archive, clock: Any, child: Child
) -> None:
    claim = received(database, archive, clock, eye())
    clock.move(120)
    with database.transaction() as t:
        jobs.release_expired(t, clock.now())
    claimed(database, clock)
    before = on_disk(archive)
    with pytest.raises(LostLease):
        Grader(database, archive, child, clock).work(claim)
    assert on_disk(archive) == before
    assert photograph(database).gradability is Gradability.PENDING
    with database.reading() as t:
        assert t.scalars(select(Grading)).all() == []
        assert len(t.scalars(select(File)).all()) == 1


def test_R13_the_third_death_of_the_child_condemns_the_photograph(
    database: Database, archive: Archive, clock: Any, hostile: Child
) -> None:
    grader = Grader(database, archive, hostile, clock)
    claim = received(database, archive, clock, b"grading abort")
    for death in (1, 2, 3):
        grader.work(claim)
        if death < 3:
            assert job_state(database) is JobState.WAITING
            assert photograph(database).gradability is Gradability.PENDING
            clock.move(120)
            claim = claimed(database, clock)
    assert job_state(database) is JobState.QUARANTINED
    condemned = photograph(database)
    assert (condemned.gradability, condemned.reason) == (Gradability.UNREADABLE, Reason.GRADING_FAILED)
    with database.reading() as t:
        assert t.scalars(select(AttentionRow.reason)).all() == [Attention.GRADING_FAILED]
        last_error = t.scalars(select(Job.last_error)).one()
        assert last_error is not None
        assert "grading" in last_error
        assert t.scalars(select(Grading)).all() == []
        assert archive.read(t.get_one(Photograph, condemned.id).file.path) == b"grading abort"


def test_R13_a_deadline_counts_as_a_death(database: Database, archive: Archive, clock: Any, hostile: Child) -> None:
    claim = received(database, archive, clock, b"loop")
    Grader(database, archive, hostile, clock).work(claim)
    with database.reading() as t:
        job = t.scalars(select(Job)).one()
        assert (job.state, job.crashes) == (JobState.WAITING, 1)
        assert job.last_error is not None
        assert "longer than 1 s" in job.last_error


def test_R19_a_stopped_child_gives_the_job_back_uncounted(
    database: Database, archive: Archive, clock: Any, stand_in: Path
) -> None:
    stopped = Child(stand_in, threads=1)
    stopped.stop()
    claim = received(database, archive, clock, eye())
    Grader(database, archive, stopped, clock).work(claim)
    with database.reading() as t:
        job = t.scalars(select(Job)).one()
        assert (job.state, job.crashes, job.interruptions) == (JobState.WAITING, 0, 0)


def test_a_refused_bundle_counts_against_no_photograph(
    database: Database, archive: Archive, clock: Any, tmp_path: Path
) -> None:
    refusing = Child(tmp_path / "nothing", threads=1)
    try:
        claim = received(database, archive, clock, eye())
        grader = Grader(database, archive, refusing, clock)
        with pytest.raises(Misconfigured):
            grader.work(claim)
        assert not grader.is_ready()
        assert photograph(database).gradability is Gradability.PENDING
    finally:
        refusing.stop()


def test_R1_a_full_disk_leaves_the_photograph_pending(
    database: Database, archive: Archive, clock: Any, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = received(database, archive, clock, eye())
    before, keep = on_disk(archive), archive.keep

    def nearly_full(part: Path, suffix: str) -> Stored:
        if len(on_disk(archive) - before) == 2:
            raise OSError(28, "No space left on device")
        return keep(part, suffix)

    monkeypatch.setattr(archive, "keep", nearly_full)
    with pytest.raises(Unavailable, match="archive cannot be written"):
        Grader(database, archive, child, clock).work(claim)
    assert on_disk(archive) == before
    assert photograph(database).gradability is Gradability.PENDING
    assert list(archive.incoming.iterdir()) == []
