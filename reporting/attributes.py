"""DICOM attributes around our results: what they repeat of the source, who made them, and how they become bytes.

The casebook keeps a peer's attributes as DICOM JSON in Unicode (PS3.18 F.2); everything of ours goes out in UTF-8, so
no text depends on the character set a peer used.
"""

from datetime import UTC, datetime, timedelta, timezone
from importlib.metadata import version
from io import BytesIO

from pydicom import config, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from casebook.uids import derived_uid
from reporting import codes

MANUFACTURER = "RetinaGate"
MODEL = "RetinaGate diabetic retinopathy grader"
UTF_8 = "ISO_IR 192"

# Type 2 in every object of ours: empty where the source has none (PS3.3 C.7.1.1, C.7.2.1).
_ALWAYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_WHERE_PRESENT = (
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence",
    "PatientAge",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ReferencedStudySequence",
    "TimezoneOffsetFromUTC",
)
_CAMERA = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "StationName")


def repeat_values_as_sent() -> None:
    """Switch pydicom's value checks off, for the whole process and for good.

    The listener cleaned what peers sent; what is left, such as a UID with a leading zero, is repeated as it came.
    pydicom's own context manager would switch the checks on again under another thread's hands.
    """
    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE


def read(text: str) -> Dataset:
    """Return the data set that a DICOM JSON text of the casebook holds."""
    repeat_values_as_sent()
    return Dataset.from_json(text)


def identify(target: Dataset, source: Dataset, study_instance_uid: str) -> None:
    """Give a result the patient and study of its source, in UTF-8.

    Args:
        target: the result; whatever it had there is overwritten.
        source: the case's attributes, as ``read`` gave them.
        study_instance_uid: the study both belong to.
    """
    target.SpecificCharacterSet = UTF_8
    target.StudyInstanceUID = study_instance_uid
    for keyword in _ALWAYS:
        target[keyword] = source[keyword] if keyword in source else _element(keyword, "")
    for keyword in _WHERE_PRESENT:
        if keyword in source:
            target[keyword] = source[keyword]


def sign(target: Dataset, identity: str, written_at: datetime, cameras: list[Dataset]) -> None:
    """Write who made a result, when and from what, and that it is research.

    Args:
        target: the result; its TimezoneOffsetFromUTC, where it has one, says in which zone its times are written.
        identity: the installation's identity.
        written_at: when the content was complete.
        cameras: attributes of the photographs it was made from.
    """
    target.Manufacturer = MANUFACTURER
    target.ManufacturerModelName = MODEL
    target.DeviceSerialNumber = identity
    target.SoftwareVersions = software_version()
    target.ContentQualification = "RESEARCH"
    local = written_at.astimezone(_zone(target.get("TimezoneOffsetFromUTC")))
    target.ContentDate = target.InstanceCreationDate = local.strftime("%Y%m%d")
    target.ContentTime = target.InstanceCreationTime = local.strftime("%H%M%S")
    target.ContributingEquipmentSequence = [*_cameras(cameras), _ourselves(target, local)]


def coded(code: Code) -> Dataset:
    """Return the item of a code sequence for a concept (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return the item that points at an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def encode(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """Return the bytes of a result as a file (PS3.10); the same data set always gives the same bytes."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(derived_uid("implementation"))
    meta.ImplementationVersionName = f"RETINAGATE_{software_version()}"[:16]
    dataset.file_meta = meta
    dataset.preamble = b"\x00" * 128
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def software_version() -> str:
    """Return the version of this program."""
    return version("retinagate")


def _cameras(sources: list[Dataset]) -> list[Dataset]:
    """Return each camera once, in the order of the photographs."""
    found: dict[tuple[str, ...], Dataset] = {}
    for source in sources:
        if not source.get("Manufacturer"):
            continue
        item = Dataset()
        for keyword in _CAMERA:
            if source.get(keyword):
                item[keyword] = source[keyword]
        item.PurposeOfReferenceCodeSequence = [coded(codes.ACQUISITION_EQUIPMENT)]
        found.setdefault(tuple(str(source.get(keyword, "")) for keyword in _CAMERA), item)
    return list(found.values())


def _ourselves(target: Dataset, local: datetime) -> Dataset:
    item = Dataset()
    for keyword in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        item[keyword] = target[keyword]
    item.ContributionDateTime = local.strftime("%Y%m%d%H%M%S")
    item.PurposeOfReferenceCodeSequence = [coded(codes.PROCESSING_EQUIPMENT)]
    return item


def _zone(offset: str | None) -> timezone:
    """Return the zone of a TimezoneOffsetFromUTC such as ``-0330``; UTC where the source has none."""
    try:
        minutes = int(f"{offset}"[:3]) * 60 + int(f"{offset}"[0] + f"{offset}"[3:])
        return timezone(timedelta(minutes=minutes))
    except (ValueError, IndexError):
        return UTC


def _element(keyword: str, value: str) -> DataElement:
    dataset = Dataset()
    setattr(dataset, keyword, value)
    return dataset[keyword]
