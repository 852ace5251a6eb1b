"""Reads every attribute of a peer that anyone needs later, once, from the stored object, without its pixels.

Reporting and dashboard read the rows made from it, never the peer's data set. Texts come out cleaned and in Unicode;
the reader behind it is bounded (``elements``), so that a hostile object costs a refusal and nothing else.
"""

import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.datadict import dictionary_VR

from casebook.arrival import Arrival
from casebook.errors import BadInput
from dicom_listener.contexts import DEFLATED, EXPLICIT_BIG, is_gradable
from dicom_listener.elements import read_elements
from dicom_listener.laterality import evidence
from dicom_listener.limits import MEBIBYTE
from dicom_listener.values import (
    Elements,
    Encoding,
    Json,
    empty,
    integer,
    items,
    json_data_set,
    tag_of,
    text,
    uid,
)

MOST_INFLATED_BYTES = 64 * MEBIBYTE

# Type 2 of the modules our results repeat: there, if only empty.
_CASE_ALWAYS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_CASE = (
    "StudyDescription", "PatientAge", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence", "IssuerOfAccessionNumberSequence", "ReferencedStudySequence", "TimezoneOffsetFromUTC",
)  # fmt: skip
_PHOTOGRAPH = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber", "StationName",
    "InstitutionName", "InstitutionalDepartmentName", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate",
    "SeriesTime", "ProtocolName", "InstanceNumber", "ImageType", "ImageComments", "ContentDate", "ContentTime",
    "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "BurnedInAnnotation", "DerivationDescription",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PatientOrientation",
    "ImageLaterality", "Laterality", "AnatomicRegionSequence", "AcquisitionDeviceTypeCodeSequence",
    "HorizontalFieldOfView", "RelativeImagePositionCodeSequence", "PupilDilated", "MydriaticAgentSequence",
    "PatientEyeMovementCommanded", "PatientEyeMovementCommandCodeSequence", "RefractiveStateSequence",
    "IntraOcularPressure",
)  # fmt: skip
_ELSEWHERE = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "NumberOfFrames", "Rows", "Columns",
    "PrimaryAnatomicStructureSequence", "ContributingEquipmentSequence", "RequestAttributesSequence",
    "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest",
)  # fmt: skip
_CASE_TAGS = tuple(sorted(tag_of(keyword) for keyword in _CASE_ALWAYS + _CASE))
_PHOTOGRAPH_TAGS = tuple(sorted(tag_of(keyword) for keyword in _PHOTOGRAPH))
_WANTED = frozenset({*_CASE_TAGS, *_PHOTOGRAPH_TAGS, *(tag_of(keyword) for keyword in _ELSEWHERE)})
_STUDY = tag_of("StudyInstanceUID")

_OUR_NAME = "RetinaGate"
_PROCESSING_EQUIPMENT = "109102"
_MOST_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of an object besides its data set."""

    transfer_syntax_uid: str
    dataset_sha256: str
    calling_ae: str
    caller_host: str
    synthetic: bool = False


def read(path: Path, data_at: int, received: Received) -> Arrival:
    """Read a stored object.

    Args:
        path: the file.
        data_at: where its data set begins.
        received: what else is known of it.

    Raises:
        BadInput: it cannot be understood with its transfer syntax, or its UIDs are missing or no UIDs.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        stream.seek(data_at)
        source: BinaryIO = stream
        size = path.stat().st_size - data_at
        if received.transfer_syntax_uid == DEFLATED:
            source, size = _inflated(stream)
        elements = read_elements(source, size, received.transfer_syntax_uid, _WANTED)
    return _arrival(elements, received)


def study_of(head: bytes, transfer_syntax_uid: str) -> str | None:
    """Return the study of an object of which only the beginning is there, or None when it is not in it."""
    if transfer_syntax_uid == DEFLATED:
        return None
    try:
        found = read_elements(io.BytesIO(head), len(head), transfer_syntax_uid, frozenset({_STUDY}), last=_STUDY)
        return uid(found, "StudyInstanceUID")
    except BadInput:
        return None


def _arrival(elements: Elements, received: Received) -> Arrival:
    encoding = Encoding(little=received.transfer_syntax_uid != EXPLICIT_BIG).within(elements)
    eye = evidence(elements, encoding)
    sop_class_uid = uid(elements, "SOPClassUID")
    own = _is_ours(elements, encoding)
    return Arrival(
        study_instance_uid=uid(elements, "StudyInstanceUID"),
        series_instance_uid=uid(elements, "SeriesInstanceUID"),
        sop_instance_uid=uid(elements, "SOPInstanceUID"),
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=received.transfer_syntax_uid,
        dataset_sha256=received.dataset_sha256,
        patient_id=text(elements, "PatientID", encoding),
        patient_issuer=text(elements, "IssuerOfPatientID", encoding),
        patient_name=text(elements, "PatientName", encoding),
        study_date=text(elements, "StudyDate", encoding),
        study_time=text(elements, "StudyTime", encoding),
        accession_number=text(elements, "AccessionNumber", encoding),
        case_attributes=_dump(_case_attributes(elements, encoding)),
        photograph_attributes=_dump(json_data_set(elements, _PHOTOGRAPH_TAGS, encoding)),
        laterality=eye.laterality,
        laterality_contradicts=eye.contradicts,
        laterality_hint=eye.hint,
        number_of_frames=integer(elements, "NumberOfFrames", encoding, low=1, high=_MOST_FRAMES) or 1,
        rows=integer(elements, "Rows", encoding, low=1, high=65535),
        columns=integer(elements, "Columns", encoding, low=1, high=65535),
        station_name=text(elements, "StationName", encoding),
        gradable=is_gradable(sop_class_uid) and not own,
        own=own,
        calling_ae=received.calling_ae,
        caller_host=received.caller_host,
        synthetic=received.synthetic,
    )


def _case_attributes(elements: Elements, encoding: Encoding) -> Json:
    attributes = json_data_set(elements, _CASE_TAGS, encoding)
    for keyword in _CASE_ALWAYS:
        attributes.setdefault(f"{tag_of(keyword):08X}", empty(_vr(keyword)))
    requests = [_request(item, elements, encoding) for item in items(elements, "RequestAttributesSequence")]
    if requests:  # present but empty is an error (PS3.3 C.17.2, type 1C)
        attributes[f"{tag_of('ReferencedRequestSequence'):08X}"] = {"vr": "SQ", "Value": requests}
    return dict(sorted(attributes.items()))


def _request(item: Elements, study: Elements, encoding: Encoding) -> Json:
    """Make an item of Request Attributes the full item that a report's Referenced Request needs (PS3.3 C.17.2)."""
    inner = encoding.within(item)
    own = ("ReferencedStudySequence", "RequestedProcedureID", "RequestedProcedureDescription",
           "RequestedProcedureCodeSequence", "IssuerOfAccessionNumberSequence")  # fmt: skip
    of_the_study = ("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest")
    request = json_data_set(study, tuple(map(tag_of, (*of_the_study, "AccessionNumber", "StudyInstanceUID"))), encoding)
    request |= json_data_set(item, tuple(map(tag_of, own)), inner)
    for keyword in ("AccessionNumber", "StudyInstanceUID"):
        stated = json_data_set(item, (tag_of(keyword),), inner)
        request |= {tag: value for tag, value in stated.items() if "Value" in value}
    for keyword in (*own[:4], *of_the_study, "AccessionNumber"):
        request.setdefault(f"{tag_of(keyword):08X}", empty(_vr(keyword)))
    return dict(sorted(request.items()))


def _is_ours(elements: Elements, encoding: Encoding) -> bool:
    """Say whether the object names RetinaGate as the equipment that processed it."""
    return any(
        text(equipment, "Manufacturer", encoding) == _OUR_NAME
        and any(
            text(purpose, "CodeValue", encoding) == _PROCESSING_EQUIPMENT
            for purpose in items(equipment, "PurposeOfReferenceCodeSequence")
        )
        for equipment in items(elements, "ContributingEquipmentSequence")
    )


def _inflated(stream: BinaryIO) -> tuple[BinaryIO, int]:
    """Unfold a deflated data set, up to a limit: one megabyte of it can be a gigabyte."""
    unfold = zlib.decompressobj(-zlib.MAX_WBITS)
    unfolded = bytearray()
    try:
        while not unfold.eof and (block := unfold.unconsumed_tail or stream.read(1 << 16)):
            unfolded += unfold.decompress(block, MOST_INFLATED_BYTES + 1 - len(unfolded))
            if len(unfolded) > MOST_INFLATED_BYTES:
                raise BadInput("The deflated data set is too large.")
    except zlib.error as error:
        raise BadInput("The data set is not deflated as the presentation context says.") from error
    if not unfold.eof:
        raise BadInput("The deflated data set is cut.")
    return io.BytesIO(unfolded), len(unfolded)


def _vr(keyword: str) -> str:
    return dictionary_VR(tag_of(keyword))


def _dump(data_set: Json) -> str:
    return json.dumps(data_set, ensure_ascii=False, separators=(",", ":"))
