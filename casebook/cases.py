"""A case's way to its report: the study falls quiet, its photographs are answered, the outcome is drawn.

All functions take the session of a unit of work; the border opened it and commits it.
"""

from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session, selectinload

from casebook import attention, jobs
from casebook.clock import site_zone
from casebook.database import Database
from casebook.due import due_at
from casebook.errors import BadInput
from casebook.models import (
    Case,
    Cause,
    Grading,
    Heatmap,
    Job,
    Photograph,
    Revision,
)
from casebook.outcome import CANNOT_SAY, PhotographAnswer, judge
from casebook.words import Attention, CaseStatus, Gradability, JobKind, JobState, Reason


def close_quiet(
    t: Session, now: datetime, *, quiet_seconds: float, force_seconds: float, in_flight: frozenset[str] = frozenset()
) -> list[int]:
    """Mark studies ready for which nothing has come for a while (R16).

    Args:
        in_flight: study UIDs whose association is bringing an object right now.

    Returns:
        The ids of the revisions that became ready.
    """
    quiet = and_(
        Revision.last_object_at <= now - timedelta(seconds=quiet_seconds),
        Case.study_instance_uid.not_in(in_flight),
    )
    forced = Revision.opened_at <= now - timedelta(seconds=force_seconds)
    due = t.execute(
        select(Revision.id, Revision.objects)
        .join(Revision.case)
        .where(Revision.status == CaseStatus.ARRIVING, Revision.superseded_at.is_(None), or_(quiet, forced))
        .limit(jobs.BATCH)
    ).all()
    # A photograph that arrived since has changed the count, and the revision stays open for it.
    ready = [revision_id for revision_id, objects in due if _make_ready(t, revision_id, objects, now)]
    for revision_id in ready:
        settle(t, revision_id, now)
    return ready


def close_all_quiet(
    database: Database,
    now: datetime,
    *,
    quiet_seconds: float,
    force_seconds: float,
    in_flight: frozenset[str] = frozenset(),
) -> int:
    """Mark all quiet studies ready; asks first, so that a quiet second costs no write.

    Returns:
        How many became ready.
    """
    with database.reading() as t:
        if t.scalar(select(Revision.id).where(Revision.status == CaseStatus.ARRIVING).limit(1)) is None:
            return 0
    with database.transaction() as t:
        return len(close_quiet(t, now, quiet_seconds=quiet_seconds, force_seconds=force_seconds, in_flight=in_flight))


def answered(
    t: Session, photograph: Photograph, gradability: Gradability, reason: Reason | None, now: datetime
) -> None:
    """Write what came of a photograph, and settle its case when that was the last one missing."""
    photograph.gradability = gradability
    photograph.reason = reason
    t.flush()
    revision_id = t.scalar(
        select(Revision.id).where(Revision.case_id == photograph.case_id, Revision.superseded_at.is_(None))
    )
    if revision_id is not None:
        settle(t, revision_id, now)


def settle(t: Session, revision_id: int, now: datetime) -> bool:
    """Close a ready revision of which every photograph is answered: outcome, attention, and the job to report it.

    Returns:
        Whether it is graded now.
    """
    revision = t.get_one(Revision, revision_id, with_for_update=True, populate_existing=True)
    if revision.status is not CaseStatus.READY or revision.superseded_at is not None:
        return False
    photographs = photographs_of(t, revision)
    if any(photograph.gradability is Gradability.PENDING for photograph in photographs):
        return False
    open_now = attention.open_reasons(t, [revision.case_id])[revision.case_id]
    outcome = judge(
        answers(t, photographs),
        conflicting_copy=Attention.CONFLICTING_COPY in open_now,
        delivery_failed=Attention.DELIVERY_FAILED in open_now,
    )
    revision.status = CaseStatus.GRADED
    revision.referable = outcome.referable
    revision.urgency = outcome.urgency
    revision.due_at = due_at(outcome.urgency, now, site_zone())
    attention.set_reasons(t, revision.case_id, outcome.attention, now)
    jobs.enqueue(t, JobKind.REPORT, revision.id, now, priority=9 if outcome.urgency is None else outcome.urgency)
    return True


def make_urgent(t: Session, case_id: int, now: datetime) -> None:
    """Put a settled case of which nothing can be said any more among those that cannot be judged (ux U1)."""
    t.execute(
        update(Revision)
        .where(
            Revision.case_id == case_id,
            Revision.superseded_at.is_(None),
            Revision.status.not_in((CaseStatus.ARRIVING, CaseStatus.READY)),
            or_(Revision.urgency.is_(None), Revision.urgency > CANNOT_SAY),
        )
        .values(urgency=CANNOT_SAY, due_at=due_at(CANNOT_SAY, now, site_zone()))
        .execution_options(synchronize_session="fetch")
    )


def unsettled(t: Session) -> list[int]:
    """Return the ready revisions that nobody has settled although all is answered (the sweep's question)."""
    pending = (
        select(Photograph.id)
        .where(
            Photograph.case_id == Revision.case_id,
            Photograph.first_revision <= Revision.number,
            Photograph.gradability == Gradability.PENDING,
        )
        .exists()
    )
    return list(
        t.scalars(
            select(Revision.id)
            .where(Revision.status == CaseStatus.READY, Revision.superseded_at.is_(None), ~pending)
            .limit(jobs.BATCH)
        )
    )


def photographs_of(t: Session, revision: Revision) -> list[Photograph]:
    """Return the photographs a revision is about, in the order they arrived."""
    return list(
        t.scalars(
            select(Photograph)
            .where(Photograph.case_id == revision.case_id, Photograph.first_revision <= revision.number)
            .order_by(Photograph.id)
        )
    )


def current_gradings(
    t: Session, photographs: list[Photograph], *, with_pictures: bool = False
) -> dict[int, list[Grading]]:
    """Return the gradings that count, by photograph and in the order of their frames.

    Args:
        with_pictures: load their bundle and heat-map too.
    """
    found: dict[int, list[Grading]] = {photograph.id: [] for photograph in photographs}
    query = (
        select(Grading)
        .where(Grading.photograph_id.in_(found), Grading.superseded_at.is_(None))
        .order_by(Grading.photograph_id, Grading.frame)
    )
    if with_pictures:
        heatmap = selectinload(Grading.heatmap)
        query = query.options(selectinload(Grading.bundle), heatmap.selectinload(Heatmap.layer_file))
    for grading in t.scalars(query):
        found[grading.photograph_id].append(grading)
    return found


def worst(gradings: list[Grading]) -> Grading | None:
    """Return the grading of several frames that counts: the worst graded one, or none."""
    graded = [grading for grading in gradings if grading.grade is not None]
    return max(graded, key=lambda grading: (grading.grade, grading.score), default=None)


def answers(t: Session, photographs: list[Photograph]) -> list[PhotographAnswer]:
    """Return what the outcome is judged from."""
    gradings = current_gradings(t, photographs)
    return [answer_of(photograph, gradings[photograph.id]) for photograph in photographs]


def answer_of(photograph: Photograph, gradings: list[Grading]) -> PhotographAnswer:
    """Return what is known of a photograph; of several frames the worst counts."""
    counts = worst(gradings)
    return PhotographAnswer(
        laterality=photograph.laterality,
        laterality_contradicts=photograph.laterality_contradicts,
        gradability=photograph.gradability,
        reason=photograph.reason,
        grade=counts.grade if counts else None,
        confidence=counts.confidence if counts else None,
        score=counts.score if counts else None,
    )


def regrade(t: Session, case_id: int, now: datetime) -> Revision:
    """Open a revision in which every photograph of a case is graded again; releases what is in quarantine.

    Raises:
        BadInput: there is no such case, or it holds nothing that can be graded.
    """
    current = t.scalar(
        select(Revision).where(Revision.case_id == case_id, Revision.superseded_at.is_(None)).with_for_update()
    )
    if current is None:
        raise BadInput(f"There is no case {case_id} with photographs to grade.", "The API and the dashboard list them.")
    revision = open_revision(t, current, Cause.REGRADE, now)
    photographs = photographs_of(t, revision)
    revision.objects = len(photographs)
    revision.status, revision.ready_at = CaseStatus.READY, now
    t.execute(
        update(Grading)
        .where(
            Grading.photograph_id.in_([photograph.id for photograph in photographs]), Grading.superseded_at.is_(None)
        )
        .values(superseded_at=now)
    )
    for photograph in photographs:
        photograph.gradability, photograph.reason = Gradability.PENDING, None
        enqueue_grading(t, photograph, now)
    return revision


def without_job(t: Session) -> list[int]:
    """Return pending photographs that no job will ever answer (the sweep's question)."""
    alive = (
        select(Job.id)
        .where(
            Job.kind == JobKind.GRADE,
            Job.subject == Photograph.id.cast(Job.subject.type),
            Job.state.in_((JobState.WAITING, JobState.LEASED)),
        )
        .exists()
    )
    return list(
        t.scalars(select(Photograph.id).where(Photograph.gradability == Gradability.PENDING, ~alive).limit(jobs.BATCH))
    )


def enqueue_grading(t: Session, photograph: Photograph, now: datetime) -> None:
    """Ask for a photograph to be graded."""
    t.flush()
    jobs.enqueue(t, JobKind.GRADE, photograph.id, now)


def open_revision(t: Session, current: Revision, cause: Cause, now: datetime) -> Revision:
    """Supersede the current revision and open the next one."""
    current.superseded_at = now
    if current.status is CaseStatus.ARRIVING:
        current.status, current.ready_at = CaseStatus.READY, now
    t.flush()
    revision = Revision(
        case_id=current.case_id,
        number=current.number + 1,
        cause=cause,
        status=CaseStatus.ARRIVING,
        objects=current.objects,
        # Until it is answered anew, the case is as urgent as it was.
        urgency=current.urgency,
        due_at=current.due_at,
        opened_at=now,
        last_object_at=now,
    )
    t.add(revision)
    t.flush()
    return revision


def _make_ready(t: Session, revision_id: int, objects: int, now: datetime) -> bool:
    changed = t.execute(
        update(Revision)
        .where(Revision.id == revision_id, Revision.status == CaseStatus.ARRIVING, Revision.objects == objects)
        .values(status=CaseStatus.READY, ready_at=now)
        .returning(Revision.id)
    )
    return changed.one_or_none() is not None
