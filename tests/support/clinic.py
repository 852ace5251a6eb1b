"""A clinic's morning as rows and files: real objects, real pictures, heat-maps and reports of synthetic eyes.

The pictures are drawn, read and judged by the product's own code, in this process; a grade may be set by the scene, for
no network sees in a drawn eye what it sees in a real one.
"""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import attention, cases, jobs, undelivered
from casebook.archive import Archive, register
from casebook.arrival import arrive
from casebook.database import Database
from casebook.models import (
    BundleRow,
    Case,
    Delivery,
    FileKind,
    Grading,
    Heatmap,
    Photograph,
    Rendition,
    RenditionKind,
    Report,
    Revision,
)  # fmt: skip
from casebook.settings import Destination
from casebook.uids import derived_uid
from casebook.words import Attention, DeliveryState, Gradability, JobKind, Laterality, Reason
from dicom_listener import header
from inference import phantom
from inference.bundle import SHIPPED, load_bundle
from inference.examination import FrameAnswer, Made
from inference.examine import Examiner
from inference.phantom import FEW, HEALTHY, MANY, PROLIFERATIVE, Lesions
from inference.phantom_dicom import ophthalmic_photograph
from inference.runners.choice import choose
from reporting.station import Reporter

R, L = Laterality.RIGHT, Laterality.LEFT
PACS = Destination(name="pacs", ae_title="PACS", host="10.0.0.5", port=4242)
LESIONS = {0: HEALTHY, 1: FEW, 2: MANY, 3: MANY, 4: PROLIFERATIVE}


@dataclass(frozen=True)
class Eye:
    """A photograph to be taken.

    Attributes:
        side: which eye.
        grade: what shall stand in its grading; none leaves the network's own answer.
        confidence: of that grade.
        flaw: ``blurred`` or ``dark`` makes it ungradable, ``unread`` leaves it unreadable, ``pending`` unanswered.
    """

    side: Laterality | None
    grade: int | None = 0
    confidence: float = 0.91
    flaw: str = ""
    seed: int = 1
    size: int = 1024
    lesions: Lesions | None = None


@dataclass(frozen=True)
class Patient:
    """Whose eyes they are, and what came of the result."""

    name: str
    id: str
    eyes: tuple[Eye, ...]
    born: str = "19610402"
    taken_at: datetime | None = None  # by default half an hour before it arrived
    arrived: timedelta = timedelta(hours=1)  # ago
    accession: str = ""
    synthetic: bool = False
    delivered: DeliveryState | None = DeliveryState.CONFIRMED
    fault: str | None = None
    conflict: bool = False
    header: dict[str, Any] = field(default_factory=dict)
    calling_ae: str = "FUNDUS1"


@cache
def examiner() -> Examiner:
    """Return the shipped grader."""
    bundle = load_bundle(SHIPPED)
    return Examiner(bundle, choose(bundle, device="cpu", threads=2))


@cache
def picture(eye: Eye) -> bytes:
    """Draw an eye as a baseline JPEG."""
    lesions = eye.lesions or LESIONS[eye.grade or 0]
    drawn = phantom.draw(eye.seed, lesions=lesions, laterality=eye.side or R, size=min(eye.size, 1024))
    if eye.size > 1024:
        drawn = np.asarray(cv2.resize(drawn, (eye.size, eye.size), interpolation=cv2.INTER_CUBIC), np.uint8)
    if eye.flaw == "blurred":
        drawn = phantom.blurred(drawn)
    if eye.flaw == "dark":
        drawn = phantom.darkened(drawn)
    return bytes(simplejpeg.encode_jpeg(drawn, 92, "RGB", "444"))


class Clinic:
    """Fills a casebook with patients.

    Args:
        database: an empty casebook.
        archive: its archive.
        clock: what says now; moved back while older patients are written.
        destinations: where results would go.
    """

    def __init__(
        self, database: Database, archive: Archive, clock: Any, destinations: Sequence[Destination] = (PACS,)
    ) -> None:
        self.database, self.archive, self.clock = database, archive, clock
        self._reporter = Reporter(database, archive, destinations, clock)

    def admit(self, patient: Patient) -> int:
        """Let a patient's photographs arrive, be graded and reported; return the case's number."""
        now: datetime = self.clock.now() - patient.arrived
        study = derived_uid("clinic", patient.id, patient.name, str(now))
        for number, eye in enumerate(patient.eyes, start=1):
            self._arrive(patient, eye, study, number, now)
        with self.database.transaction() as t:
            case_id = t.scalars(select(Case.id).where(Case.study_instance_uid == study)).one()
            for photograph, eye in zip(self._photographs(t, case_id), patient.eyes, strict=True):
                if eye.flaw != "pending":
                    self._answer(t, photograph, eye, now)
            if patient.conflict:
                attention.ask(t, case_id, Attention.CONFLICTING_COPY, now)
            cases.close_quiet(t, now + timedelta(seconds=31), quiet_seconds=30, force_seconds=900)
        self._report(case_id, patient, now)
        return case_id

    def _arrive(self, patient: Patient, eye: Eye, study: str, number: int, now: datetime) -> None:
        photograph = ophthalmic_photograph(
            picture(eye),
            laterality=eye.side,
            study_uid=study,
            series_uid=derived_uid(study, "series"),
            sop_uid=derived_uid(study, number),
            patient_name=patient.name,
            patient_id=patient.id,
            accession=patient.accession,
            taken_at=patient.taken_at or now - timedelta(minutes=30),
            instance_number=number,
        )
        photograph.PatientBirthDate = patient.born
        photograph.Manufacturer, photograph.ManufacturerModelName = "Camera Works", "Fundus One"
        for keyword, value in patient.header.items():
            setattr(photograph, keyword, value)
        with tempfile.TemporaryDirectory() as folder:
            path, data_at = _written(photograph, Path(folder))
            read = header.read(
                path, data_at,
                header.Received(
                    transfer_syntax_uid=str(photograph.file_meta.TransferSyntaxUID),
                    dataset_sha256=f"{number:02x}" * 32,
                    calling_ae=patient.calling_ae,
                    caller_host="10.0.0.9",
                    synthetic=patient.synthetic,
                ),
            )  # fmt: skip
            with self.database.transaction() as t:
                arrive(t, read, self.archive.store(path.read_bytes(), ".dcm"), now)

    @staticmethod
    def _photographs(t: Session, case_id: int) -> list[Photograph]:
        return list(t.scalars(select(Photograph).where(Photograph.case_id == case_id).order_by(Photograph.id)))

    def _answer(self, t: Session, photograph: Photograph, eye: Eye, now: datetime) -> None:
        claim = jobs.claim(t, JobKind.GRADE, "clinic", now)
        assert claim is not None
        jobs.finish(t, claim, now)
        if eye.flaw == "unread":
            cases.answered(t, photograph, Gradability.UNREADABLE, Reason.DAMAGED, now)
            return
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.jpg"
            source.write_bytes(picture(eye))
            examination = examiner().examine(source, Path(folder))
            for frame in examination.frames:
                self._write(t, photograph, eye, frame, Path(folder), examination.runner, now)
        cases.answered(t, photograph, examination.gradability, examination.reason, now + timedelta(seconds=2))

    def _write(
        self, t: Session, photograph: Photograph, eye: Eye, frame: FrameAnswer, folder: Path, runner: str, now: datetime
    ) -> None:
        def keep(made: Made, kind: FileKind) -> int:
            path = made.path(folder, frame.frame)
            return register(t, self.archive.store(path.read_bytes(), path.suffix), kind, now).id

        for made, kind, width, height, file_kind in (
            (Made.FULL, RenditionKind.FULL, frame.width, frame.height, FileKind.RENDITION),
            (Made.PREVIEW, RenditionKind.PREVIEW, frame.preview_width, frame.preview_height, FileKind.PREVIEW),
        ):
            t.add(
                Rendition(
                    photograph_id=photograph.id, frame=frame.frame, kind=kind, width=width, height=height,
                    file_id=keep(made, file_kind),
                )
            )  # fmt: skip
        staged = eye.grade is not None and frame.graded
        grading = Grading(
            photograph_id=photograph.id, frame=frame.frame, bundle_id=_bundle(t, now).id,
            gradability=frame.gradability, certainty=frame.certainty, reason=frame.reason,
            grade=eye.grade if staged else frame.grade,
            score=float(eye.grade or 0) if staged else frame.score,
            confidence=eye.confidence if staged else frame.confidence,
            circle_x=frame.circle.x if frame.circle else None, circle_y=frame.circle.y if frame.circle else None,
            circle_radius=frame.circle.radius if frame.circle else None, runner=runner,
            graded_at=now + timedelta(seconds=2),
        )  # fmt: skip
        t.add(grading)
        t.flush()
        if frame.graded:
            t.add(
                Heatmap(
                    grading_id=grading.id, layer_file_id=keep(Made.LAYER, FileKind.HEATMAP),
                    overlay_file_id=keep(Made.OVERLAY, FileKind.OVERLAY),
                    activation_file_id=keep(Made.ACTIVATION, FileKind.ACTIVATION),
                    overlay_width=frame.preview_width, overlay_height=frame.preview_height,
                )
            )  # fmt: skip

    def _report(self, case_id: int, patient: Patient, now: datetime) -> None:
        with self.database.transaction() as t:
            claim = jobs.claim(t, JobKind.REPORT, "clinic", now + timedelta(minutes=5))
        if claim is None:
            return
        self._reporter.work(claim)
        if patient.delivered is None:
            return
        sent = now + timedelta(seconds=40)
        with self.database.transaction() as t:
            for delivery in t.scalars(
                select(Delivery).join(Delivery.report).join(Report.revision).where(Revision.case_id == case_id)
            ):
                delivery.state, delivery.attempts = patient.delivered, 1
                delivery.last_error = patient.fault
                match patient.delivered:
                    case DeliveryState.CONFIRMED | DeliveryState.SENT:
                        delivery.sent_at, delivery.next_attempt_at = sent, None
                        if patient.delivered is DeliveryState.CONFIRMED:
                            delivery.confirmed_at = sent + timedelta(seconds=3)
                    case DeliveryState.FAILED:
                        delivery.attempts, delivery.next_attempt_at = 3, None
                    case DeliveryState.WAITING:
                        delivery.attempts = 0 if patient.fault is None else 4
                        delivery.next_attempt_at = self.clock.now() + timedelta(minutes=9)
            if patient.fault is not None:
                undelivered.ask(t, select(Case.id).where(Case.id == case_id), sent, patient.fault)


def _written(photograph: Dataset, folder: Path) -> tuple[Path, int]:
    """Write an object as a file and return where its data set begins."""
    stream = io.BytesIO()
    photograph.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    path = folder / "object.dcm"
    path.write_bytes(data)
    # The group length of the file meta information is its first element: 12 bytes behind preamble and prefix.
    return path, 144 + int.from_bytes(data[140:144], "little")


def _bundle(t: Session, now: datetime) -> BundleRow:
    found = t.scalar(select(BundleRow))
    if found is None:
        bundle = examiner().bundle
        found = BundleRow(
            name=bundle.card.name, version=bundle.card.version, sha256=bundle.sha256, card=bundle.card_json,
            first_used_at=now,
        )  # fmt: skip
        t.add(found)
        t.flush()
    return found
