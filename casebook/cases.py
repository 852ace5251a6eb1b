"""What happens to a case: photographs arrive, a study falls quiet, its photographs are answered, it is ready to report.

All functions take the session of a unit of work; the border opened it and commits it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from casebook import jobs
from casebook.archive import Stored, register
from casebook.database import Database
from casebook.errors import BadInput
from casebook.models import (
    AttentionRow,
    Case,
    Cause,
    ConflictingCopy,
    File,
    FileKind,
    Grading,
    Heatmap,
    Job,
    Photograph,
    Report,
    Revision,
)
from casebook.outcome import PhotographAnswer, judge
from casebook.words import Attention, CaseStatus, Gradability, JobKind, JobState, Laterality, Reason

# Raised by the outcome of a revision; the others come from arrival and delivery and stay until they are dealt with.
OUTCOME_ATTENTION = frozenset(Attention) - {Attention.CONFLICTING_COPY, Attention.DELIVERY_FAILED}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the listener read of an object: texts cleaned and in Unicode, UIDs checked."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    dataset_sha256: str  # of the data set as received, without file meta
    patient_id: str
    patient_issuer: str
    patient_name: str
    study_date: str
    study_time: str
    accession_number: str
    case_attributes: str  # DICOM JSON data set: what our results repeat of patient and study
    photograph_attributes: str  # DICOM JSON data set: what they repeat of camera, series and photograph
    laterality: Laterality | None
    laterality_contradicts: bool
    laterality_hint: Laterality | None
    number_of_frames: int
    rows: int | None
    columns: int | None
    station_name: str
    gradable: bool  # of a class that may show a retina
    own: bool  # made by RetinaGate
    calling_ae: str
    caller_host: str
    synthetic: bool = False


class Arrived(StrEnum):
    """What an arriving object turned out to be."""

    NEW = "new"
    DUPLICATE = "duplicate"  # nothing was written; the file just received is not needed
    CONFLICT = "conflict"
    OWN = "own"
    OTHER = "other"


def arrive(t: Session, arrival: Arrival, stored: Stored, now: datetime) -> Arrived:
    """Write the rows of an object that is safe on disk, or find that it is known.

    The first object under a UID stays; other bytes under it are kept aside (R4). The database's unique keys decide a
    race between two senders, not a question asked before.

    Returns:
        What it was. After ``DUPLICATE`` the caller removes its file: no row names it.
    """
    known = _photograph(t, arrival.sop_instance_uid)
    if known is None:
        case = _case(t, arrival, now)
        own = arrival.own or _is_our_report(t, arrival.sop_instance_uid)
        photograph = _insert_photograph(t, case, arrival, stored, now, own=own)
        if photograph is not None:
            return _place(t, case, photograph, now, gradable=arrival.gradable and not own, own=own)
        known = _photograph(t, arrival.sop_instance_uid)
        assert known is not None
    if known.dataset_sha256 == arrival.dataset_sha256 and known.transfer_syntax_uid == arrival.transfer_syntax_uid:
        return Arrived.DUPLICATE
    return _keep_aside(t, known, arrival, stored, now)


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
    outcome = judge(answers(t, photographs))
    revision.status = CaseStatus.GRADED
    revision.referable = outcome.referable
    revision.urgency = outcome.urgency
    set_attention(t, revision.case_id, outcome.attention, now)
    jobs.enqueue(t, JobKind.REPORT, revision.id, now, priority=9 if outcome.urgency is None else outcome.urgency)
    return True


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
    """Return what the outcome is judged from; of several frames the worst counts."""
    gradings = current_gradings(t, photographs)
    judged = []
    for photograph in photographs:
        counts = worst(gradings[photograph.id])
        judged.append(
            PhotographAnswer(
                laterality=photograph.laterality,
                laterality_contradicts=photograph.laterality_contradicts,
                gradability=photograph.gradability,
                reason=photograph.reason,
                grade=counts.grade if counts else None,
                confidence=counts.confidence if counts else None,
                score=counts.score if counts else None,
            )
        )
    return judged


def set_attention(t: Session, case_id: int, reasons: frozenset[Attention], now: datetime) -> None:
    """Make the open reasons of the outcome exactly these; what was open before keeps its beginning."""
    opened = t.scalars(
        select(AttentionRow).where(
            AttentionRow.case_id == case_id,
            AttentionRow.cleared_at.is_(None),
            AttentionRow.reason.in_(OUTCOME_ATTENTION),
        )
    ).all()
    for row in opened:
        if row.reason not in reasons:
            row.cleared_at = now
    for reason in sorted(reasons - {row.reason for row in opened}):
        raise_attention(t, case_id, reason, now)


def raise_attention(t: Session, case_id: int, reason: Attention, now: datetime, detail: str = "") -> None:
    """Ask for a person; asking twice is harmless."""
    open_row = select(AttentionRow.id).where(
        AttentionRow.case_id == case_id, AttentionRow.reason == reason, AttentionRow.cleared_at.is_(None)
    )
    if t.scalar(open_row) is None:
        try:
            with t.begin_nested():
                t.add(AttentionRow(case_id=case_id, reason=reason, since=now, detail=detail))
        except IntegrityError:
            return  # somebody else asked in this instant


def clear_attention(t: Session, case_id: int, reason: Attention, now: datetime) -> None:
    """Close a reason that no longer holds."""
    t.execute(
        update(AttentionRow)
        .where(AttentionRow.case_id == case_id, AttentionRow.reason == reason, AttentionRow.cleared_at.is_(None))
        .values(cleared_at=now)
    )


def open_attention(t: Session, case_ids: list[int]) -> dict[int, list[Attention]]:
    """Return why a person must look, by case, in the order of the words."""
    found: dict[int, list[Attention]] = {case_id: [] for case_id in case_ids}
    order = list(Attention)
    for case_id, reason in t.execute(
        select(AttentionRow.case_id, AttentionRow.reason).where(
            AttentionRow.case_id.in_(case_ids), AttentionRow.cleared_at.is_(None)
        )
    ):
        found[case_id].append(reason)
    return {case_id: sorted(reasons, key=order.index) for case_id, reasons in found.items()}


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
    revision = _open_revision(t, current, Cause.REGRADE, now)
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
        _enqueue_grading(t, photograph, now)
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


def _enqueue_grading(t: Session, photograph: Photograph, now: datetime) -> None:
    t.flush()
    jobs.enqueue(t, JobKind.GRADE, photograph.id, now)


def _photograph(t: Session, sop_instance_uid: str) -> Photograph | None:
    return t.scalar(select(Photograph).where(Photograph.sop_instance_uid == sop_instance_uid))


def _is_our_report(t: Session, sop_instance_uid: str) -> bool:
    return t.scalar(select(Report.id).where(Report.sop_instance_uid == sop_instance_uid)) is not None


def _case(t: Session, arrival: Arrival, now: datetime) -> Case:
    """Find or make the case of a study, and hold it until the unit of work ends."""
    query = select(Case).where(Case.study_instance_uid == arrival.study_instance_uid).with_for_update()
    case = t.scalar(query)
    if case is None:
        try:
            with t.begin_nested():
                t.add(
                    Case(
                        study_instance_uid=arrival.study_instance_uid,
                        patient_id=arrival.patient_id,
                        patient_issuer=arrival.patient_issuer,
                        patient_name=arrival.patient_name,
                        study_date=arrival.study_date,
                        study_time=arrival.study_time,
                        accession_number=arrival.accession_number,
                        attributes=arrival.case_attributes,
                        synthetic=arrival.synthetic,
                        first_received_at=now,
                        last_received_at=now,
                    )
                )
        except IntegrityError:
            pass  # another sender made it in this instant
        case = t.scalars(query).one()
    case.last_received_at = now
    return case


def _insert_photograph(
    t: Session, case: Case, arrival: Arrival, stored: Stored, now: datetime, *, own: bool
) -> Photograph | None:
    if own:
        gradability, reason = Gradability.NOT_APPLICABLE, Reason.OWN_OBJECT
    elif not arrival.gradable:
        gradability, reason = Gradability.NOT_APPLICABLE, Reason.KIND
    else:
        gradability, reason = Gradability.PENDING, None
    try:
        with t.begin_nested():
            photograph = Photograph(
                case_id=case.id,
                sop_instance_uid=arrival.sop_instance_uid,
                sop_class_uid=arrival.sop_class_uid,
                series_instance_uid=arrival.series_instance_uid,
                transfer_syntax_uid=arrival.transfer_syntax_uid,
                dataset_sha256=arrival.dataset_sha256,
                file_id=register(t, stored, FileKind.ORIGINAL, now).id,
                laterality=arrival.laterality,
                laterality_contradicts=arrival.laterality_contradicts,
                laterality_hint=arrival.laterality_hint,
                number_of_frames=arrival.number_of_frames,
                rows=arrival.rows,
                columns=arrival.columns,
                attributes=arrival.photograph_attributes,
                gradability=gradability,
                reason=reason,
                calling_ae=arrival.calling_ae,
                caller_host=arrival.caller_host,
                station_name=arrival.station_name,
                received_at=now,
            )
            t.add(photograph)
            t.flush()
    except IntegrityError:
        return None  # another sender brought the same UID in this instant
    return photograph


def _place(t: Session, case: Case, photograph: Photograph, now: datetime, *, gradable: bool, own: bool) -> Arrived:
    """Put a new photograph into the current revision, or open the next one for it."""
    if own:
        return Arrived.OWN
    if not gradable:
        return Arrived.OTHER
    revision = t.scalar(
        select(Revision).where(Revision.case_id == case.id, Revision.superseded_at.is_(None)).with_for_update()
    )
    if revision is None:
        revision = Revision(
            case_id=case.id,
            number=1,
            cause=Cause.ARRIVAL,
            status=CaseStatus.ARRIVING,
            objects=0,
            opened_at=now,
            last_object_at=now,
        )
        t.add(revision)
    elif revision.status is not CaseStatus.ARRIVING:
        revision = _open_revision(t, revision, Cause.LATE_PHOTOGRAPH, now)
    revision.objects += 1
    revision.last_object_at = now
    photograph.first_revision = revision.number
    _enqueue_grading(t, photograph, now)
    return Arrived.NEW


def _open_revision(t: Session, current: Revision, cause: Cause, now: datetime) -> Revision:
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


def _keep_aside(t: Session, known: Photograph, arrival: Arrival, stored: Stored, now: datetime) -> Arrived:
    try:
        with t.begin_nested():
            file: File = register(t, stored, FileKind.COPY, now)
            t.add(
                ConflictingCopy(
                    photograph_id=known.id,
                    sha256=arrival.dataset_sha256,
                    file_id=file.id,
                    calling_ae=arrival.calling_ae,
                    received_at=now,
                )
            )
    except IntegrityError:
        return Arrived.DUPLICATE  # the same wrong copy again
    raise_attention(t, known.case_id, Attention.CONFLICTING_COPY, now)
    return Arrived.CONFLICT
