"""What the API answers, field by field; these names are an interface others rely on."""

from datetime import datetime

from pydantic import BaseModel

from casebook import cases
from casebook.models import Grading, Photograph, Report
from casebook.words import Attention, CaseStatus, DeliveryState, Gradability, Laterality, Product, Reason
from casebook.worklist import CaseView


class PhotographOut(BaseModel):
    """A photograph; of several frames the worst counts."""

    id: int
    sop_instance_uid: str
    laterality: Laterality | None
    gradability: Gradability
    reason: Reason | None
    grade: int | None
    score: float | None
    confidence: float | None
    bundle: str | None
    frames: int
    received_at: datetime

    @classmethod
    def of(cls, photograph: Photograph, gradings: list[Grading]) -> "PhotographOut":
        """Say what is known of a photograph."""
        counts = cases.worst(gradings)
        answered_by = counts or (gradings[0] if gradings else None)
        return cls(
            id=photograph.id,
            sop_instance_uid=photograph.sop_instance_uid,
            laterality=photograph.laterality,
            gradability=photograph.gradability,
            reason=photograph.reason,
            grade=counts.grade if counts else None,
            score=counts.score if counts else None,
            confidence=counts.confidence if counts else None,
            bundle=f"{answered_by.bundle.name} {answered_by.bundle.version}" if answered_by else None,
            frames=photograph.number_of_frames,
            received_at=photograph.received_at,
        )


class ReportOut(BaseModel):
    """An object we made, to be downloaded."""

    product: Product
    sop_instance_uid: str
    created_at: datetime
    href: str

    @classmethod
    def of(cls, case_id: int, report: Report) -> "ReportOut":
        """Say what a report is and where it can be had."""
        return cls(
            product=report.product,
            sop_instance_uid=report.sop_instance_uid,
            created_at=report.created_at,
            href=f"/api/v1/cases/{case_id}/reports/{report.sop_instance_uid}.dcm",
        )


class DeliveryOut(BaseModel):
    """A report on its way to a destination."""

    destination: str
    product: Product
    sop_instance_uid: str
    state: DeliveryState
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    sent_at: datetime | None


class CaseOut(BaseModel):
    """A case in its current revision."""

    id: int
    study_instance_uid: str
    revision: int
    status: CaseStatus
    attention: list[Attention]
    referable: bool | None
    synthetic: bool
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    first_received_at: datetime
    photographs: list[PhotographOut]
    reports: list[ReportOut]
    deliveries: list[DeliveryOut]

    @classmethod
    def of(cls, view: CaseView) -> "CaseOut":
        """Say everything about a case."""
        return cls(
            id=view.case.id,
            study_instance_uid=view.case.study_instance_uid,
            revision=view.revision.number,
            status=view.revision.status,
            attention=view.attention,
            referable=view.revision.referable,
            synthetic=view.case.synthetic,
            patient_id=view.case.patient_id,
            patient_name=view.case.patient_name,
            accession_number=view.case.accession_number,
            study_date=view.case.study_date,
            first_received_at=view.case.first_received_at,
            photographs=[PhotographOut.of(photograph, view.gradings[photograph.id]) for photograph in view.photographs],
            reports=[ReportOut.of(view.case.id, report) for report in view.reports],
            deliveries=[
                DeliveryOut(
                    destination=delivery.destination,
                    product=report.product,
                    sop_instance_uid=report.sop_instance_uid,
                    state=delivery.state,
                    attempts=delivery.attempts,
                    last_error=delivery.last_error,
                    next_attempt_at=delivery.next_attempt_at,
                    sent_at=delivery.sent_at,
                )
                for report in view.reports
                for delivery in report.deliveries
            ],
        )


class CasePage(BaseModel):
    """Some cases, newest first, and where the next ones are."""

    items: list[CaseOut]
    next: str | None
