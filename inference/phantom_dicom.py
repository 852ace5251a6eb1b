"""Wraps a picture as the Ophthalmic Photography object a camera would send (PS3.3 A.41), for demonstrations and tests.

A JPEG goes in with its bytes untouched; an array goes in uncompressed. The objects pass ``dciodvfy`` without errors.
"""

import struct
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    OphthalmicPhotography8BitImageStorage,
    VLPhotographicImageStorage,
)

from casebook.uids import derived_uid
from casebook.words import Laterality

MANUFACTURER = "RetinaGate phantom"
_A_DAY = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def ophthalmic_photograph(  # noqa: PLR0913 - an object is its attributes, all by name
    picture: bytes | npt.NDArray[np.uint8],
    *,
    laterality: Laterality | None,
    study_uid: str,
    series_uid: str,
    sop_uid: str,
    patient_name: str = "Phantom^Eye",
    patient_id: str = "PHANTOM",
    accession: str = "",
    taken_at: datetime = _A_DAY,
    instance_number: int = 1,
) -> Dataset:
    """Build an Ophthalmic Photography 8 Bit object around a picture.

    Args:
        picture: a baseline JPEG as bytes, or (H, W, 3) uint8 RGB.
        laterality: which eye, or None to leave Image Laterality empty as careless cameras do.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_uid: SOP Instance UID.
        patient_name: Patient's Name, any character; the object is written in UTF-8.
        patient_id: Patient ID.
        accession: Accession Number, may be empty.
        taken_at: date and time of study, series and photograph.
        instance_number: Instance Number in its series.

    Returns:
        A data set with file meta information, ready for ``save_as(..., enforce_file_format=True)``.

    Raises:
        ValueError: the bytes are not a baseline JPEG.
    """
    photograph = _identity(patient_name, patient_id, accession, study_uid, series_uid, taken_at)
    photograph.file_meta = FileMetaDataset()
    photograph.file_meta.MediaStorageSOPClassUID = OphthalmicPhotography8BitImageStorage
    photograph.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    photograph.SOPClassUID = OphthalmicPhotography8BitImageStorage
    photograph.SOPInstanceUID = sop_uid
    photograph.Modality = "OP"
    photograph.InstanceNumber = instance_number
    _ophthalmic(photograph, laterality, taken_at)
    if isinstance(picture, bytes):
        _jpeg(photograph, picture)
    else:
        _uncompressed(photograph, picture)
    return photograph


def vl_photograph(ophthalmic: Dataset) -> Dataset:
    """Turn an ophthalmic photograph into the VL Photographic object some cameras send instead (PS3.3 A.32.4)."""
    for keyword in _OPHTHALMIC_ONLY:
        if keyword in ophthalmic:
            del ophthalmic[keyword]
    ophthalmic.SOPClassUID = VLPhotographicImageStorage
    ophthalmic.file_meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    ophthalmic.Modality = "XC"
    ophthalmic.AcquisitionContextSequence = Sequence()
    return ophthalmic


def synthetic_uid(*parts: str | int) -> str:
    """Return a UID that is always the same for the same parts."""
    return derived_uid("phantom", *parts)


_OPHTHALMIC_ONLY = (
    "AcquisitionDeviceTypeCodeSequence", "IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence",
    "ImagePathFilterTypeStackCodeSequence", "LensesCodeSequence", "RefractiveStateSequence",
    "EmmetropicMagnification", "IntraOcularPressure", "HorizontalFieldOfView", "PatientEyeMovementCommanded",
    "PupilDilated", "DetectorType", "SynchronizationFrameOfReferenceUID", "SynchronizationTrigger",
    "AcquisitionTimeSynchronized", "NumberOfFrames", "FrameIncrementPointer", "FrameTime",
)  # fmt: skip


def _identity(
    patient_name: str, patient_id: str, accession: str, study_uid: str, series_uid: str, taken_at: datetime
) -> Dataset:
    photograph = Dataset()
    photograph.SpecificCharacterSet = "ISO_IR 192"
    photograph.PatientName = patient_name
    photograph.PatientID = patient_id
    photograph.PatientBirthDate = ""
    photograph.PatientSex = ""
    photograph.StudyInstanceUID = study_uid
    photograph.SeriesInstanceUID = series_uid
    photograph.StudyDate = photograph.SeriesDate = photograph.ContentDate = taken_at.strftime("%Y%m%d")
    photograph.StudyTime = photograph.SeriesTime = photograph.ContentTime = taken_at.strftime("%H%M%S")
    photograph.AccessionNumber = accession
    photograph.StudyID = "1"
    photograph.ReferringPhysicianName = ""
    photograph.SeriesNumber = 1
    photograph.Manufacturer = MANUFACTURER
    photograph.ManufacturerModelName = "Phantom 1"
    photograph.SoftwareVersions = "1"
    photograph.DeviceSerialNumber = "0"
    return photograph


def _ophthalmic(photograph: Dataset, laterality: Laterality | None, taken_at: datetime) -> None:
    photograph.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    photograph.AcquisitionDateTime = taken_at.strftime("%Y%m%d%H%M%S")
    photograph.PatientOrientation = ""
    photograph.BurnedInAnnotation = "NO"
    photograph.ImageLaterality = laterality.value if laterality else ""
    photograph.AnatomicRegionSequence = Sequence([_code("81745001", "SCT", "Eye")])
    photograph.AcquisitionDeviceTypeCodeSequence = Sequence([_code("409898007", "SCT", "Fundus Camera")])
    photograph.DetectorType = "CCD"
    for keyword in (
        "IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence",
        "ImagePathFilterTypeStackCodeSequence", "LensesCodeSequence", "RefractiveStateSequence",
    ):  # fmt: skip
        setattr(photograph, keyword, Sequence())
    for keyword in (
        "EmmetropicMagnification", "IntraOcularPressure", "HorizontalFieldOfView", "PatientEyeMovementCommanded",
        "PupilDilated",
    ):  # fmt: skip
        setattr(photograph, keyword, None)
    photograph.SynchronizationFrameOfReferenceUID = synthetic_uid("frame of reference", photograph.StudyInstanceUID)
    photograph.SynchronizationTrigger = "NO TRIGGER"
    photograph.AcquisitionTimeSynchronized = "N"
    # Type 1C with frames: the pointer must name an attribute that is present (PS3.3 C.7.6.6).
    photograph.NumberOfFrames = 1
    photograph.FrameIncrementPointer = 0x00181063
    photograph.FrameTime = 0


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _pixels(photograph: Dataset, rows: int, columns: int) -> None:
    photograph.Rows, photograph.Columns = rows, columns
    photograph.SamplesPerPixel = 3
    photograph.PlanarConfiguration = 0
    photograph.BitsAllocated = photograph.BitsStored = 8
    photograph.HighBit = 7
    photograph.PixelRepresentation = 0


def _jpeg(photograph: Dataset, jpeg: bytes) -> None:
    rows, columns = _baseline_size(jpeg)
    _pixels(photograph, rows, columns)
    photograph.PhotometricInterpretation = "YBR_FULL_422"
    photograph.LossyImageCompression = "01"
    photograph.LossyImageCompressionRatio = round(rows * columns * 3 / len(jpeg), 2)
    photograph.LossyImageCompressionMethod = "ISO_10918_1"
    photograph.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    photograph.PixelData = encapsulate([jpeg])
    photograph["PixelData"].VR = "OB"
    photograph["PixelData"].is_undefined_length = True


def _uncompressed(photograph: Dataset, picture: npt.NDArray[np.uint8]) -> None:
    rows, columns = picture.shape[:2]
    _pixels(photograph, rows, columns)
    photograph.PhotometricInterpretation = "RGB"
    photograph.LossyImageCompression = "00"
    photograph.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = picture.tobytes()
    photograph.PixelData = data + b"\0" * (len(data) % 2)
    photograph["PixelData"].VR = "OB"


def _baseline_size(jpeg: bytes) -> tuple[int, int]:
    """Return rows and columns of a baseline JPEG (ISO 10918-1 B.2.2); progressive ones are no transfer syntax."""
    position = 2
    while jpeg[:2] == b"\xff\xd8" and position + 9 < len(jpeg) and jpeg[position] == 0xFF:
        marker, length = jpeg[position + 1], struct.unpack(">H", jpeg[position + 2 : position + 4])[0]
        if marker == 0xC0:
            rows, columns = struct.unpack(">HH", jpeg[position + 5 : position + 9])
            return rows, columns
        position += 2 + length
    raise ValueError("this is not a baseline JPEG")
