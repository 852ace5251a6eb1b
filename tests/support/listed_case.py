"""A case as rows alone, without files, jobs or pictures: enough for everything that only reads and says."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import attention, cases
from casebook.due import due_at
from casebook.models import BundleRow, Case, Cause, Delivery, File, FileKind, Grading, Photograph, Report, Revision
from casebook.outcome import judge
from casebook.uids import derived_uid
from casebook.words import (
    GRADED,
    Attention,
    CaseStatus,
    DeliveryState,
    Gradability,
    Laterality,
    Product,
    Reason,
)  # fmt: skip

R, L, B = Laterality.RIGHT, Laterality.LEFT, Laterality.BOTH


@dataclass(frozen=True)
class Eye:
    """A photograph of an eye, and its answer."""

    side: Laterality | None
    grade: int | None = None
    gradability: Gradability = Gradability.GRADABLE
    reason: Reason | None = None
    confidence: float = 0.9
    contradicts: bool = False
    score: float | None = None


def blurred(side: Laterality | None) -> Eye:
    return Eye(side, None, Gradability.UNGRADABLE, Reason.BLURRED)


def failed(side: Laterality | None) -> Eye:
    return Eye(side, None, Gradability.UNREADABLE, Reason.GRADING_FAILED)


def pending(side: Laterality | None) -> Eye:
    return Eye(side, None, Gradability.PENDING)


def healthy() -> tuple[Eye, Eye]:
    return Eye(R, 0), Eye(L, 0)


def add_case(
    t: Session, eyes: Iterable[Eye], now: datetime, zone: object = None, *, key: str = "1", name: str = "Doe^Jane",
    patient_id: str = "4711", issuer: str = "", born: str = "19610402", study_date: str = "20260312",
    study_time: str = "075800", synthetic: bool = False, status: CaseStatus = CaseStatus.REPORTED,
    conflict: bool = False, delivery: DeliveryState | None = None, fault: str | None = None, attempts: int = 1,
    destination: str = "pacs", camera: dict[str, str] | None = None, description: str = "", calling_ae: str = "CAMERA",
    accession: str = "",
) -> Case:  # fmt: skip
    """Write a case whose photographs have these answers, judged and asking as the casebook would."""
    eyes = list(eyes)
    attributes = {"00100030": {"vr": "DA", "Value": [born]}, "00081030": {"vr": "LO", "Value": [description]}}
    case = Case(
        study_instance_uid=derived_uid("listed", key), patient_id=patient_id, patient_issuer=issuer, patient_name=name,
        study_date=study_date, study_time=study_time, accession_number=accession, attributes=json.dumps(attributes),
        synthetic=synthetic, first_received_at=now, last_received_at=now,
    )  # fmt: skip
    t.add(case)
    t.flush()
    ready = None if status is CaseStatus.ARRIVING else now
    revision = Revision(
        case_id=case.id, number=1, cause=Cause.ARRIVAL, status=status, objects=len(eyes), opened_at=now,
        last_object_at=now, ready_at=ready,
    )  # fmt: skip
    t.add(revision)
    t.flush()
    for number, eye in enumerate(eyes, start=1):
        _photograph(t, case, eye, number, now, camera or {}, calling_ae)
    if status not in (CaseStatus.ARRIVING, CaseStatus.READY):
        outcome = judge(
            cases.answers(t, cases.photographs_of(t, revision)),
            conflicting_copy=conflict, delivery_failed=fault is not None,
        )  # fmt: skip
        revision.referable, revision.urgency = outcome.referable, outcome.urgency
        revision.due_at = due_at(outcome.urgency, now, now.tzinfo)  # type: ignore[arg-type]
        for reason in sorted(outcome.attention):
            attention.ask(t, case.id, reason, now)
    elif conflict:
        attention.ask(t, case.id, Attention.CONFLICTING_COPY, now)
    if delivery is not None:
        _delivery(t, revision, destination, delivery, fault, attempts, now)
    t.flush()
    return case


def _photograph(
    t: Session, case: Case, eye: Eye, number: int, now: datetime, camera: dict[str, str], calling_ae: str
) -> None:
    photograph = Photograph(
        case_id=case.id, first_revision=1, sop_instance_uid=derived_uid(case.study_instance_uid, number),
        sop_class_uid="1.2", series_instance_uid="1.3", transfer_syntax_uid="1.4", dataset_sha256="0" * 64,
        file_id=_file(t, case, f"photograph-{number}", now), laterality=eye.side,
        laterality_contradicts=eye.contradicts,
        attributes=json.dumps({tag: {"vr": "LO", "Value": [value]} for tag, value in camera.items()}),
        gradability=eye.gradability, reason=eye.reason, calling_ae=calling_ae, caller_host="10.0.0.9", received_at=now,
    )  # fmt: skip
    t.add(photograph)
    t.flush()
    if eye.gradability in (Gradability.PENDING, Gradability.UNREADABLE):
        return
    graded = eye.gradability in GRADED
    t.add(
        Grading(
            photograph_id=photograph.id, frame=1, bundle_id=_bundle(t, now).id, gradability=eye.gradability,
            certainty=0.9, reason=eye.reason, grade=eye.grade if graded else None,
            score=(float(eye.grade or 0) if eye.score is None else eye.score) if graded else None,
            confidence=eye.confidence if graded else None, runner="openvino", graded_at=now,
        )
    )  # fmt: skip


def _delivery(
    t: Session, revision: Revision, destination: str, state: DeliveryState, fault: str | None, attempts: int,
    now: datetime,
) -> None:  # fmt: skip
    case = t.get_one(Case, revision.case_id)
    report = Report(
        revision_id=revision.id, product=Product.SR, sop_instance_uid=derived_uid(case.study_instance_uid, "sr"),
        sop_class_uid="1.2", series_instance_uid="1.3", transfer_syntax_uid="1.4",
        file_id=_file(t, case, "report", now), created_at=now,
    )  # fmt: skip
    t.add(report)
    t.flush()
    waits = state is DeliveryState.WAITING
    t.add(
        Delivery(
            report_id=report.id, destination=destination, state=state, attempts=attempts, last_error=fault,
            next_attempt_at=now if waits else None, created_at=now,
            sent_at=now if state in (DeliveryState.SENT, DeliveryState.CONFIRMED) else None,
            confirmed_at=now if state is DeliveryState.CONFIRMED else None,
        )
    )  # fmt: skip


def _file(t: Session, case: Case, name: str, now: datetime) -> int:
    file = File(path=f"objects/{case.id}-{name}", sha256="0" * 64, size=1, kind=FileKind.ORIGINAL, created_at=now)
    t.add(file)
    t.flush()
    return file.id


def _bundle(t: Session, now: datetime) -> BundleRow:
    found = t.scalar(select(BundleRow))
    if found is None:
        found = BundleRow(name="rg-test", version="1", sha256="c" * 64, card="{}", first_used_at=now)
        t.add(found)
        t.flush()
    return found
