"""A graded case as rows and files, without any network: what reporting and the pages start from in tests.

The photographs are real Ophthalmic Photography objects with a tiny picture, so that validators can look at source and
result together.
"""

import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook.archive import Archive, Stored, register
from casebook.cases import answers
from casebook.models import (
    BundleRow,
    Case,
    Cause,
    FileKind,
    Grading,
    Heatmap,
    Photograph,
    Revision,
)
from casebook.outcome import judge
from casebook.uids import derived_uid
from casebook.words import GRADED, CaseStatus, Gradability, Laterality, Reason

OPHTHALMIC_PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
_CODE = {"eye": ("81745001", "SCT", "Eye"), "camera": ("409898007", "SCT", "Fundus Camera")}
_OF_CASE = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "IssuerOfPatientID", "PatientAge", "StudyDate",
    "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
_OF_PHOTOGRAPH = (
    "Modality", "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "StationName",
    "InstanceNumber", "ContentDate", "ContentTime", "AcquisitionDateTime", "SeriesDescription", "ImageType",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "RequestAttributesSequence",
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A photograph and the answer for it (each of its frames gets the same one unless ``grades`` says otherwise)."""

    side: Laterality | None
    grade: int | None = None
    gradability: Gradability = Gradability.GRADABLE
    reason: Reason | None = None
    certainty: float = 0.973
    confidence: float = 0.81
    score: float | None = None
    frames: int = 1
    grades: tuple[int, ...] = ()
    circle: tuple[float, float, float] | None = (31.5, 23.5, 20.25)
    sop_class_uid: str = OPHTHALMIC_PHOTOGRAPHY
    overlay_scale: int = 1


def healthy(side: Laterality | None, **changes: object) -> Shot:
    return Shot(side, 0, **changes)  # type: ignore[arg-type]


def ungradable(side: Laterality | None, reason: Reason = Reason.BLURRED) -> Shot:
    return Shot(side, None, Gradability.UNGRADABLE, reason, circle=None)


@dataclass
class Study:
    """Patient and study of a case, as a camera sends them."""

    key: str = "one"
    header: dict[str, object] = field(default_factory=dict)
    charset: str | list[str] = "ISO_IR 100"

    @property
    def uid(self) -> str:
        return derived_uid("test study", self.key)

    def dataset(self) -> Dataset:
        dataset = Dataset()
        dataset.SpecificCharacterSet = self.charset
        defaults = {
            "PatientName": "Müller^Jürgen", "PatientID": "4711", "PatientBirthDate": "19610402", "PatientSex": "M",
            "IssuerOfPatientID": "RG", "StudyDate": "20260312", "StudyTime": "080200", "StudyID": "S1",
            "AccessionNumber": "A0815", "ReferringPhysicianName": "Doe^Jane", "StudyDescription": "Fundus",
        }  # fmt: skip
        for keyword, value in (defaults | self.header).items():
            if value is not None:
                setattr(dataset, keyword, value)
        dataset.StudyInstanceUID = self.uid
        return dataset


def jpeg(width: int = 64, height: int = 48, subsampling: int = 1) -> bytes:
    """Return a small baseline JPEG in colour."""
    columns = np.linspace(0, 255, width, dtype=np.uint8)
    picture = np.stack([np.tile(columns, (height, 1))] * 3, axis=-1)
    picture[:, :, 2] //= 3
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=90, subsampling=subsampling)
    return stream.getvalue()


def camera_object(study: Study, shot: Shot, number: int) -> Dataset:
    """Return an Ophthalmic Photography object as a camera would send it (dciodvfy: 0 errors)."""
    picture = jpeg()
    dataset = study.dataset()
    dataset.SOPClassUID = shot.sop_class_uid
    dataset.SOPInstanceUID = derived_uid("test photograph", study.key, number)
    dataset.SeriesInstanceUID = derived_uid("test series", study.key)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = number
    dataset.Modality = "OP"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Camera Works", "Fundus One"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "C-7", "3.1"
    dataset.ContentDate, dataset.ContentTime = "20260312", "080230"
    dataset.AcquisitionDateTime = "20260312080230"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.Rows, dataset.Columns = 48, 64
    dataset.NumberOfFrames = shot.frames
    dataset.FrameIncrementPointer, dataset.FrameTime = 0x00181063, 0
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = round(64 * 48 * 3 / len(picture), 2)
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.BurnedInAnnotation = "NO"
    if shot.side is not None:
        dataset.ImageLaterality = str(shot.side)
    dataset.PatientOrientation = ""
    dataset.DetectorType = "CCD"
    dataset.AnatomicRegionSequence = [_coded("eye")]
    dataset.AcquisitionDeviceTypeCodeSequence = [_coded("camera")]
    for keyword in ("IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence",
                    "ImagePathFilterTypeStackCodeSequence", "LensesCodeSequence", "RefractiveStateSequence"):  # fmt: skip
        setattr(dataset, keyword, [])
    for keyword in ("EmmetropicMagnification", "IntraOcularPressure", "HorizontalFieldOfView", "PupilDilated"):
        setattr(dataset, keyword, None)
    dataset.PatientEyeMovementCommanded = ""
    dataset.SynchronizationFrameOfReferenceUID = derived_uid("test synchronization")
    dataset.SynchronizationTrigger, dataset.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    dataset.PixelData = encapsulate([picture] * shot.frames)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return dataset


def file_bytes(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def write_case(
    t: Session,
    archive: Archive,
    shots: list[Shot],
    now: datetime,
    study: Study | None = None,
    *,
    synthetic: bool = False,
) -> Revision:
    """Write a case whose first revision is graded and waits for its report."""
    study = study or Study()
    first = _sent(camera_object(study, shots[0], 1))
    case = Case(
        study_instance_uid=study.uid,
        patient_id=str(first.get("PatientID", "")),
        patient_issuer=str(first.get("IssuerOfPatientID", "")),
        patient_name=str(first.get("PatientName", "")),
        study_date=str(first.get("StudyDate", "")),
        study_time=str(first.get("StudyTime", "")),
        accession_number=str(first.get("AccessionNumber", "")),
        attributes=_chosen(first, _OF_CASE),
        synthetic=synthetic,
        first_received_at=now,
        last_received_at=now,
    )
    t.add(case)
    t.flush()
    return add_revision(t, archive, case, shots, now, study)


def add_revision(
    t: Session, archive: Archive, case: Case, shots: list[Shot], now: datetime, study: Study | None = None
) -> Revision:
    """Write the next revision of a case: the photographs so far and these."""
    study = study or Study()
    last = t.scalar(select(Revision).where(Revision.case_id == case.id, Revision.superseded_at.is_(None)))
    if last is not None:
        last.superseded_at = now
        t.flush()
    earlier = list(t.scalars(select(Photograph).where(Photograph.case_id == case.id)))
    number = 1 if last is None else last.number + 1
    revision = Revision(
        case_id=case.id,
        number=number,
        cause=Cause.ARRIVAL if last is None else Cause.LATE_PHOTOGRAPH,
        status=CaseStatus.GRADED,
        objects=len(earlier) + len(shots),
        opened_at=now,
        last_object_at=now,
        ready_at=now + timedelta(seconds=30),
    )
    t.add(revision)
    t.flush()
    for position, shot in enumerate(shots, start=len(earlier) + 1):
        _write_photograph(t, archive, case, number, study, shot, position, now)
    photographs = list(t.scalars(select(Photograph).where(Photograph.case_id == case.id)))
    outcome = judge(answers(t, photographs))
    revision.referable, revision.urgency = outcome.referable, outcome.urgency
    t.flush()
    return revision


def bundle(t: Session, now: datetime) -> BundleRow:
    """Return the row of the bundle that graded everything here."""
    found = t.scalar(select(BundleRow))
    if found is None:
        card = {"runners": {"onnxruntime": {"thresholds": [0.5, 1.5, 2.5, 3.5]}}}
        found = BundleRow(name="rg-test", version="1.0.0", sha256="ab" * 32, card=json.dumps(card), first_used_at=now)
        t.add(found)
        t.flush()
    return found


def _write_photograph(
    t: Session, archive: Archive, case: Case, number: int, study: Study, shot: Shot, position: int, now: datetime
) -> None:
    dataset = camera_object(study, shot, position)
    data = file_bytes(dataset)
    sent = _sent(dataset)
    photograph = Photograph(
        case_id=case.id,
        first_revision=number,
        sop_instance_uid=sent.SOPInstanceUID,
        sop_class_uid=sent.SOPClassUID,
        series_instance_uid=sent.SeriesInstanceUID,
        transfer_syntax_uid=str(JPEGBaseline8Bit),
        dataset_sha256=hashlib.sha256(data).hexdigest(),
        file_id=register(t, archive.store(data, ".dcm"), FileKind.ORIGINAL, now).id,
        laterality=shot.side,
        number_of_frames=shot.frames,
        rows=sent.Rows,
        columns=sent.Columns,
        attributes=_chosen(sent, _OF_PHOTOGRAPH),
        gradability=shot.gradability,
        reason=shot.reason,
        calling_ae="CAMERA",
        caller_host="127.0.0.1",
        received_at=now,
    )
    t.add(photograph)
    t.flush()
    if shot.gradability is Gradability.UNREADABLE:
        return
    for frame in range(1, shot.frames + 1):
        _write_grading(t, archive, photograph, frame, shot, now)


def _write_grading(t: Session, archive: Archive, photograph: Photograph, frame: int, shot: Shot, now: datetime) -> None:
    graded = shot.gradability in GRADED
    grade = shot.grades[frame - 1] if shot.grades else shot.grade
    score = shot.score if shot.score is not None else float(grade or 0)
    x, y, radius = shot.circle or (None, None, None)
    grading = Grading(
        photograph_id=photograph.id,
        frame=frame,
        bundle_id=bundle(t, now).id,
        gradability=shot.gradability,
        certainty=shot.certainty,
        reason=shot.reason,
        score=score if graded else None,
        grade=grade if graded else None,
        confidence=shot.confidence if graded else None,
        circle_x=x,
        circle_y=y,
        circle_radius=radius,
        runner="onnxruntime",
        graded_at=now + timedelta(seconds=2),
    )
    t.add(grading)
    t.flush()
    if not graded:
        return
    width, height = 64 // shot.overlay_scale, 48 // shot.overlay_scale

    def keep(data: bytes, suffix: str, kind: FileKind) -> int:
        stored: Stored = archive.store(data, suffix)
        return register(t, stored, kind, now).id

    t.add(
        Heatmap(
            grading_id=grading.id,
            layer_file_id=keep(b"layer", ".png", FileKind.HEATMAP),
            overlay_file_id=keep(jpeg(width, height), ".jpg", FileKind.OVERLAY),
            activation_file_id=keep(b"activation", ".npy", FileKind.ACTIVATION),
            overlay_width=width,
            overlay_height=height,
        )
    )
    t.flush()


def _sent(dataset: Dataset) -> Dataset:
    """Return the object as a receiver reads it, its texts in Unicode whatever the camera's character set."""
    read = dcmread(io.BytesIO(file_bytes(dataset)))
    read.decode()
    return read


def _chosen(dataset: Dataset, keywords: tuple[str, ...]) -> str:
    chosen = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            chosen[keyword] = dataset[keyword]
    return chosen.to_json()


def _coded(name: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = _CODE[name]
    return item
