"""What an arriving object turns out to be: new, known, another under a known UID, our own, or no photograph (R4).

All happens in one unit of work of the listener, after the object is durable and before Success is answered.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook import attention, cases
from casebook.archive import Stored, register
from casebook.errors import Refused
from casebook.models import Case, Cause, ConflictingCopy, File, FileKind, Photograph, Report, Revision
from casebook.words import Attention, CaseStatus, Gradability, Laterality, Reason


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

    Raises:
        Refused: a patient's object names a synthetic study, or the reverse (I9).
    """
    known = _photograph(t, arrival.sop_instance_uid)
    if known is None:
        case = _case(t, arrival, now)
        _check_synthetic(case, arrival)
        own = arrival.own or _is_our_report(t, arrival.sop_instance_uid)
        photograph = _insert_photograph(t, case, arrival, stored, now, own=own)
        if photograph is not None:
            return _place(t, case, photograph, now, gradable=arrival.gradable and not own, own=own)
        known = _photograph(t, arrival.sop_instance_uid)
        assert known is not None
    _check_synthetic(known.case, arrival)
    if known.dataset_sha256 == arrival.dataset_sha256 and known.transfer_syntax_uid == arrival.transfer_syntax_uid:
        return Arrived.DUPLICATE
    return _keep_aside(t, known, arrival, stored, now)


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


def _check_synthetic(case: Case, arrival: Arrival) -> None:
    """Keep synthetic eyes and patients apart: one in the other's case would lose a report or send a false one (I9)."""
    if case.synthetic and not arrival.synthetic:
        raise Refused("This study holds synthetic eyes; no patient may join it.")
    if arrival.synthetic and not case.synthetic:
        raise Refused("This study is a patient's; no synthetic eye may join it.")


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
        revision = cases.open_revision(t, revision, Cause.LATE_PHOTOGRAPH, now)
    revision.objects += 1
    revision.last_object_at = now
    photograph.first_revision = revision.number
    cases.enqueue_grading(t, photograph, now)
    return Arrived.NEW


def _keep_aside(t: Session, known: Photograph, arrival: Arrival, stored: Stored, now: datetime) -> Arrived:
    # First the case, as every other sender: two that hold each other's rows would both wait.
    t.execute(select(Case.id).where(Case.id == known.case_id).with_for_update())
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
    attention.ask(t, known.case_id, Attention.CONFLICTING_COPY, now)
    cases.make_urgent(t, known.case_id, now)
    return Arrived.CONFLICT
