"""The promises I1 to I10 as questions to rows and files; ``retinagate fsck`` asks them all, every start the quick ones.

They read only rows and files, never the program's own opinion.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from casebook import audit, synthetic
from casebook.archive import Archive, strangers
from casebook.models import (
    AttentionRow,
    Case,
    ConflictingCopy,
    Delivery,
    File,
    FileKind,
    Grading,
    Heatmap,
    Job,
    Photograph,
    Rendition,
    Report,
    Revision,
)
from casebook.words import GRADED, Attention, CaseStatus, DeliveryState, Gradability, JobKind, JobState

FARTHEST = timedelta(hours=24)
QUICK_WITHIN = timedelta(hours=24)
QUICK_HASHED = 100
SETTLING = timedelta(minutes=1)  # a file gets its row within the same breath; fsck may look in between


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that does not hold."""

    invariant: str
    what: str


def check(t: Session, archive: Archive, now: datetime, *, quick: bool = False) -> Iterator[Finding]:
    """Ask every question and give what does not hold.

    Args:
        quick: look only at the files of the last day and hash only the newest hundred.
    """
    yield from _files_are_whole(t, archive, now, quick=quick)
    if not quick:
        yield from _files_have_one_row(t, archive, now)
    yield from _every_photograph_has_its_file(t)
    yield from _gradings_are_single(t)
    yield from _reports_are_single(t)
    yield from _somebody_will_look(t, now)
    yield from _leases_are_fenced(t)
    yield from _no_work_without_a_row(t)
    yield from _failures_are_visible(t)
    yield from _synthetic_stays_here(t)
    yield from _revisions_only_grow(t)
    if not quick and (broken := audit.first_broken(t)) is not None:
        yield Finding("audit", f"row {broken} of the audit does not follow from the one before")


def _files_are_whole(t: Session, archive: Archive, now: datetime, *, quick: bool) -> Iterator[Finding]:
    query = select(File).where(File.purged_at.is_(None)).order_by(File.id.desc())
    if quick:
        query = query.where(File.created_at > now - QUICK_WITHIN)
    for position, file in enumerate(t.scalars(query)):
        if quick and position >= QUICK_HASHED:
            path = archive.path(file.path)
            whole = path.is_file() and path.stat().st_size == file.size
            differs = None if whole else "is missing or has another length"
        else:
            differs = archive.differs(file)
        if differs:
            yield Finding("I1", f"file {file.id} ({file.path}) {differs}")


def _files_have_one_row(t: Session, archive: Archive, now: datetime) -> Iterator[Finding]:
    for path in strangers(t, archive, (now - SETTLING).timestamp()):
        yield Finding("I2", f"{path} is named by no row")
    columns = (
        Photograph.file_id, ConflictingCopy.file_id, Rendition.file_id, Report.file_id,
        Heatmap.layer_file_id, Heatmap.overlay_file_id, Heatmap.activation_file_id,
    )  # fmt: skip
    uses: dict[int, int] = {}
    for column in columns:
        for file_id in t.scalars(select(column)):
            uses[file_id] = uses.get(file_id, 0) + 1
    for file_id in t.scalars(select(File.id)):
        if uses.get(file_id, 0) != 1:
            yield Finding("I2", f"file {file_id} belongs to {uses.get(file_id, 0)} rows instead of one")


def _every_photograph_has_its_file(t: Session) -> Iterator[Finding]:
    for photograph_id in t.scalars(
        select(Photograph.id).join(Photograph.file).where(File.kind != FileKind.ORIGINAL)
    ):  # fmt: skip
        yield Finding("I1", f"photograph {photograph_id} does not point to an original")


def _gradings_are_single(t: Session) -> Iterator[Finding]:
    doubled = (
        select(Grading.photograph_id)
        .where(Grading.superseded_at.is_(None))
        .group_by(Grading.photograph_id, Grading.frame)
        .having(func.count() > 1)
    )
    for photograph_id in t.scalars(doubled):
        yield Finding("I3", f"photograph {photograph_id} has two gradings that count")
    without = (
        select(Photograph.id)
        .outerjoin(Grading, (Grading.photograph_id == Photograph.id) & Grading.superseded_at.is_(None))
        .where(Photograph.gradability.in_(GRADED), Grading.id.is_(None))
    )
    for photograph_id in t.scalars(without):
        yield Finding("I3", f"photograph {photograph_id} counts as graded but has no grading")


def _reports_are_single(t: Session) -> Iterator[Finding]:
    doubled = (
        select(Report.revision_id, Report.product)
        .group_by(Report.revision_id, Report.product, Report.photograph_id, Report.frame)
        .having(func.count() > 1)
    )
    for revision_id, product in t.execute(doubled):
        yield Finding("I4", f"revision {revision_id} has two {product} reports of the same thing")
    unreported = (
        select(Revision.id)
        .outerjoin(Report, Report.revision_id == Revision.id)
        .where(
            Revision.status == CaseStatus.REPORTED,
            Report.id.is_(None),
            # Where nothing was a photograph of the retina there is nothing to report.
            select(Photograph.id)
            .where(
                Photograph.case_id == Revision.case_id,
                Photograph.first_revision <= Revision.number,
                Photograph.gradability != Gradability.NOT_APPLICABLE,
            )
            .exists(),
        )
    )
    for revision_id in t.scalars(unreported):
        yield Finding("I4", f"revision {revision_id} counts as reported but has no report")


def _somebody_will_look(t: Session, now: datetime) -> Iterator[Finding]:
    alive = aliased(Job)

    def has_job(kind: JobKind, subject: object) -> object:
        return (
            select(alive.id)
            .where(
                alive.kind == kind,
                alive.subject == subject,
                alive.state.in_((JobState.WAITING, JobState.LEASED, JobState.QUARANTINED)),
            )
            .exists()
        )

    far = now + FARTHEST
    for job_id in t.scalars(select(Job.id).where(Job.state == JobState.WAITING, Job.run_after > far)):
        yield Finding("I5", f"job {job_id} waits for longer than a day")
    for delivery_id in t.scalars(
        select(Delivery.id).where(Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at > far)
    ):
        yield Finding("I5", f"delivery {delivery_id} waits for longer than a day")
    text_of = Job.subject.type
    pending = select(Photograph.id).where(
        Photograph.gradability == Gradability.PENDING,
        ~has_job(JobKind.GRADE, Photograph.id.cast(text_of)),  # type: ignore[operator]
    )
    for photograph_id in t.scalars(pending):
        yield Finding("I5", f"photograph {photograph_id} waits for a grade, but no job will give it one")
    graded = select(Revision.id).where(
        Revision.status == CaseStatus.GRADED,
        Revision.superseded_at.is_(None),
        ~has_job(JobKind.REPORT, Revision.id.cast(text_of)),  # type: ignore[operator]
    )
    for revision_id in t.scalars(graded):
        yield Finding("I5", f"revision {revision_id} waits for its report, but no job will make it")


def _leases_are_fenced(t: Session) -> Iterator[Finding]:
    for job_id in t.scalars(select(Job.id).where(Job.state == JobState.LEASED, Job.fence == 0)):
        yield Finding("I6", f"job {job_id} is in hand without a fence")


def _no_work_without_a_row(t: Session) -> Iterator[Finding]:
    # The broker may be erased at any moment: everything still to be done must follow from rows alone.
    stuck = select(Revision.id).where(
        Revision.status == CaseStatus.READY, Revision.superseded_at.is_(None), Revision.ready_at.is_(None)
    )
    for revision_id in t.scalars(stuck):
        yield Finding("I7", f"revision {revision_id} is ready without a time, so the sweep cannot see it")


def _failures_are_visible(t: Session) -> Iterator[Finding]:
    def unseen(case_id: object, reason: Attention) -> object:
        return ~(select(AttentionRow.id).where(AttentionRow.case_id == case_id, AttentionRow.reason == reason).exists())

    failed = (
        select(Delivery.id)
        .join(Delivery.report)
        .join(Report.revision)
        .where(
            Delivery.state == DeliveryState.FAILED,
            Revision.superseded_at.is_(None),
            unseen(Revision.case_id, Attention.DELIVERY_FAILED),  # type: ignore[arg-type]
        )
    )
    for delivery_id in t.scalars(failed):
        yield Finding("I8", f"delivery {delivery_id} failed and nobody was told")
    copies = (
        select(ConflictingCopy.id)
        .join(Photograph, Photograph.id == ConflictingCopy.photograph_id)
        .where(unseen(Photograph.case_id, Attention.CONFLICTING_COPY))  # type: ignore[arg-type]
    )
    for copy_id in t.scalars(copies):
        yield Finding("I8", f"conflicting copy {copy_id} was kept aside and nobody was told")
    quarantined = (
        select(Job.id)
        .join(Photograph, Photograph.id.cast(Job.subject.type) == Job.subject)
        .where(
            Job.kind == JobKind.GRADE,
            Job.state == JobState.QUARANTINED,
            Photograph.gradability == Gradability.PENDING,
        )
    )
    for job_id in t.scalars(quarantined):
        yield Finding("I8", f"job {job_id} is in quarantine, but its photograph still seems to wait")


def _synthetic_stays_here(t: Session) -> Iterator[Finding]:
    astray = (
        select(Delivery.id, Case.synthetic)
        .join(Delivery.report)
        .join(Report.revision)
        .join(Revision.case)
        .where(synthetic.astray())
    )
    for delivery_id, is_synthetic in t.execute(astray):
        whose = "a synthetic eye to a destination" if is_synthetic else "a patient's eye to the loop-back PACS"
        yield Finding("I9", f"delivery {delivery_id} would send {whose}")


def _revisions_only_grow(t: Session) -> Iterator[Finding]:
    counted = (
        select(Revision.case_id, func.count(), func.max(Revision.number))
        .group_by(Revision.case_id)
        .having(func.count() != func.max(Revision.number))
    )
    for case_id, count, highest in t.execute(counted):
        yield Finding("I10", f"case {case_id} has {count} revisions, but the highest number is {highest}")
    later = aliased(Revision)
    backwards = (
        select(Revision.id)
        .join(later, (later.case_id == Revision.case_id) & (later.number > Revision.number))
        .where(or_(Revision.superseded_at.is_(None), Revision.superseded_at > later.opened_at))
    )
    for revision_id in t.scalars(backwards):
        yield Finding("I10", f"revision {revision_id} is not superseded, but a later one exists")
