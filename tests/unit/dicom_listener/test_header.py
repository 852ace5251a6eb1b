"""Everything anyone needs later is read once, from the bytes as stored; what cannot be true is not passed on."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from raw_association import data_set, element
from sqlalchemy import select

from casebook.archive import Archive
from casebook.arrival import Arrival, arrive
from casebook.clock import SYSTEM
from casebook.database import Database
from casebook.errors import BadInput
from casebook.models import Case, Photograph
from casebook.words import Laterality
from dicom_listener import header
from dicom_listener.contexts import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"


def received(transfer_syntax: str = EXPLICIT_LITTLE) -> header.Received:
    return header.Received(transfer_syntax, "0" * 64, "CAMERA", "127.0.0.1")


def encoded(data: Dataset, transfer_syntax: str = EXPLICIT_LITTLE) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax != EXPLICIT_BIG
    stream.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    write_dataset(stream, data)
    return bytes(stream.getvalue())


def photograph(**attributes: Any) -> Dataset:
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = OPHTHALMIC
    data.SOPInstanceUID = "1.2.3.4.5"
    data.StudyInstanceUID = "1.2.3"
    data.SeriesInstanceUID = "1.2.3.4"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    return data


def code(value: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    return item


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Arrival]:
    def reading(data: Dataset | bytes, transfer_syntax: str = EXPLICIT_LITTLE) -> Arrival:
        part = tmp_path / "part"
        raw = data if isinstance(data, bytes) else encoded(data, transfer_syntax)
        part.write_bytes(b"head" + raw)
        return header.read(part, 4, received(transfer_syntax))

    return reading


Read = Callable[..., Arrival]


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_the_attributes_are_the_same_in_every_encoding(read: Read, transfer_syntax: str) -> None:
    arrival = read(
        photograph(
            PatientName="Müller^Jürgen=山田^太郎=やまだ^たろう", PatientID="4711", IssuerOfPatientID="clinic",
            StudyDate="20260312", StudyTime="081500.123", AccessionNumber="A-1", StationName="CAM 2",
            Rows=2136, Columns=3216, NumberOfFrames=2, ImageLaterality="L", HorizontalFieldOfView=45.0,
            LossyImageCompressionRatio=12.5, SeriesNumber=3,
        ),
        transfer_syntax,
    )  # fmt: skip
    assert arrival.patient_name == "Müller^Jürgen=山田^太郎=やまだ^たろう"
    assert (arrival.patient_id, arrival.patient_issuer) == ("4711", "clinic")
    assert (arrival.study_date, arrival.study_time, arrival.accession_number) == ("20260312", "081500.123", "A-1")
    assert (arrival.rows, arrival.columns, arrival.number_of_frames) == (2136, 3216, 2)
    assert (arrival.laterality, arrival.station_name) == (Laterality.LEFT, "CAM 2")
    assert (arrival.gradable, arrival.own, arrival.synthetic) == (True, False, False)
    case = Dataset.from_json(arrival.case_attributes)
    assert case.PatientName == "Müller^Jürgen=山田^太郎=やまだ^たろう"
    taken = Dataset.from_json(arrival.photograph_attributes)
    assert (taken.HorizontalFieldOfView, taken.LossyImageCompressionRatio, taken.SeriesNumber) == (45.0, 12.5, 3)


def test_T17_type_2_attributes_are_there_if_only_empty(read: Read) -> None:
    case = Dataset.from_json(read(photograph()).case_attributes)
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName",
    ):  # fmt: skip
        assert keyword in case
        assert not case[keyword].value
    assert "StudyDescription" not in case
    assert "ReferencedRequestSequence" not in case


def test_sequences_of_the_case_come_through(read: Read) -> None:
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "0815", "elsewhere", "TEXT"
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", "1.2.9"
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "order system"
    case = Dataset.from_json(
        read(
            photograph(
                OtherPatientIDsSequence=[other], ReferencedStudySequence=[referenced],
                IssuerOfAccessionNumberSequence=[issuer], TimezoneOffsetFromUTC="+0100", PatientAge="063Y",
            )
        ).case_attributes
    )  # fmt: skip
    assert case.OtherPatientIDsSequence[0].PatientID == "0815"
    assert case.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "1.2.9"
    assert case.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "order system"
    assert (case.TimezoneOffsetFromUTC, case.PatientAge) == ("+0100", "063Y")


def test_request_attributes_become_a_full_referenced_request(read: Read) -> None:
    request = Dataset()
    request.RequestedProcedureID = "RP1"
    request.RequestedProcedureDescription = "Fundus"
    request.RequestedProcedureCodeSequence = [code("P1", "99LOCAL")]
    case = Dataset.from_json(
        read(
            photograph(
                AccessionNumber="A-1", RequestAttributesSequence=[request],
                FillerOrderNumberImagingServiceRequest="F1",
            )
        ).case_attributes
    )  # fmt: skip
    (item,) = case.ReferencedRequestSequence
    assert (item.StudyInstanceUID, item.AccessionNumber, item.RequestedProcedureID) == ("1.2.3", "A-1", "RP1")
    assert item.FillerOrderNumberImagingServiceRequest == "F1"
    assert item.RequestedProcedureCodeSequence[0].CodeValue == "P1"
    for keyword in ("ReferencedStudySequence", "PlacerOrderNumberImagingServiceRequest"):
        assert keyword in item
        assert not item[keyword].value


def test_an_empty_request_sequence_makes_no_referenced_request(read: Read) -> None:
    assert "0040A370" not in json.loads(read(photograph(RequestAttributesSequence=Sequence())).case_attributes)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("StudyDate", [b"20230230", b"00000000", b"2026.03.12", b"yesterday"]),
        ("StudyTime", [b"246099", b"08:15", b"noon"]),
        ("PatientAge", [b"63", b"063X"]),
        ("PatientSex", [b"m\xc3\xa4nnlich", b"f-m"]),
    ],
)
def test_security_D18_impossible_values_are_kept_as_sent_and_never_repeated(
    read: Read, keyword: str, values: list[bytes]
) -> None:
    numbers = {"StudyDate": (8, 0x20, "DA"), "StudyTime": (8, 0x30, "TM"), "PatientAge": (0x10, 0x1010, "AS"),
               "PatientSex": (0x10, 0x40, "CS")}  # fmt: skip
    group, number, vr = numbers[keyword]
    for value in values:
        arrival = read(element(group, number, vr, value) + data_set())
        case = json.loads(arrival.case_attributes)
        assert "Value" not in case[f"{group:04X}{number:04X}"]
        if keyword == "StudyDate":
            assert arrival.study_date == value.decode()[:8]


def test_security_D17_numbers_that_are_none_are_not_passed_on(read: Read) -> None:
    for value in (b"nan", b"1e400", b"-inf", b"1,5", b"0x10"):
        attributes = json.loads(read(element(0x0028, 0x2112, "DS", value) + data_set()).photograph_attributes)
        assert "Value" not in attributes["00282112"]
    for frames in (b"0", b"-1", b"1000000000", b"many", b"1\\2"):
        assert read(element(0x0028, 0x0008, "IS", frames) + data_set()).number_of_frames == 1
    nan = element(0x0022, 0x000C, "FL", struct.pack("<f", float("nan")))
    assert "NaN" not in read(nan + data_set()).photograph_attributes


@pytest.mark.parametrize(
    ("vr", "value", "rows"),
    [
        ("US", b"\x00\x02", 512), ("UL", b"\x00\x02\0\0", 512), ("IS", b"512", 512), ("UN", b"\x00\x02", 512),
        ("UL", b"\xff\xff\xff\x7f", None), ("LO", b"abcd", None), ("US", b"\x00\x02\x00\x02", None),
        ("UN", b"\x00\x02\x00", None), ("US", b"", None), ("US", b"\0\0", None), ("SS", b"\xff\xff", None),
        ("OB", b"\x00\x02", None), ("FD", b"\0" * 8, None),
    ],
)  # fmt: skip
def test_security_D14_W24_a_number_is_coerced_or_absent(read: Read, vr: str, value: bytes, rows: int | None) -> None:
    without = data_set().replace(element(0x0028, 0x0010, "US", b"\x02\0"), b"")
    assert read(element(0x0028, 0x0010, vr, value) + without).rows == rows


def test_security_D14_W24_a_name_that_is_a_sequence_is_absent(read: Read) -> None:
    without = data_set().replace(element(0x0010, 0x0010, "PN", b"Eye^Test"), b"")
    assert read(element(0x0010, 0x0010, "SQ", b"") + without).patient_name == ""


@pytest.mark.parametrize(
    ("attributes", "laterality", "contradicts", "hint"),
    [
        ({"ImageLaterality": "R"}, "R", False, None),
        ({"ImageLaterality": " l"}, "L", False, None),
        ({"ImageLaterality": "B"}, "B", False, None),
        ({"Laterality": "L"}, "L", False, None),
        ({"ImageLaterality": "R", "Laterality": "R"}, "R", False, None),
        ({"ImageLaterality": "R", "Laterality": "L"}, None, True, None),
        ({"region": "24028007"}, "R", False, None),
        ({"region": "7771000"}, "L", False, None),
        ({"region": "51440002"}, "B", False, None),
        ({"region": "G-A101"}, "L", False, None),
        ({"region": " g-a100 "}, "R", False, None),
        ({"structure": "7771000"}, "L", False, None),
        ({"ImageLaterality": "R", "region": "7771000"}, None, True, None),
        ({"region": "24028007", "structure": "7771000"}, None, True, None),
        ({"SeriesDescription": "Fundus OD macula"}, None, False, "R"),
        ({"SeriesDescription": "OS_1"}, None, False, "L"),
        ({"SeriesDescription": "OU"}, None, False, "B"),
        ({"ProtocolName": "Left eye"}, None, False, "L"),
        ({"ImageComments": "right"}, None, False, "R"),
        ({"SeriesDescription": "right and left"}, None, False, None),
        ({"SeriesDescription": "brightness PODS"}, None, False, None),
        ({"ImageLaterality": "OD"}, None, False, "R"),
        ({"ImageLaterality": "R", "SeriesDescription": "left"}, "R", False, None),
        ({}, None, False, None),
    ],
)
def test_the_eye_is_told_by_the_order_of_evidence(
    read: Read, attributes: dict[str, str], laterality: str | None, contradicts: bool, hint: str | None
) -> None:
    data = photograph()
    for keyword, value in attributes.items():
        region = code("5665001")
        if keyword == "region":
            region.AnatomicRegionModifierSequence = [code(value)]
            data.AnatomicRegionSequence = [region]
        elif keyword == "structure":
            region.PrimaryAnatomicStructureModifierSequence = [code(value)]
            data.PrimaryAnatomicStructureSequence = [region]
        else:
            vr = dictionary_VR(keyword)
            data.add(DataElement(keyword, vr, value, validation_mode=IGNORE))
    arrival = read(data)
    assert (arrival.laterality, arrival.laterality_contradicts, arrival.laterality_hint) == (
        laterality, contradicts, hint,
    )  # fmt: skip


def test_our_own_objects_are_recognised_by_their_equipment(read: Read) -> None:
    for manufacturer, purpose, own in (
        ("RetinaGate", "109102", True), ("RetinaGate", "109101", False), ("Other", "109102", False),
    ):  # fmt: skip
        equipment = Dataset()
        equipment.Manufacturer = manufacturer
        equipment.PurposeOfReferenceCodeSequence = [code(purpose, "DCM")]
        arrival = read(photograph(ContributingEquipmentSequence=[code("1"), equipment]))
        assert (arrival.own, arrival.gradable) == (own, not own)


@pytest.mark.parametrize("uid", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_missing_uid_is_refused(read: Read, uid: str) -> None:
    data = photograph()
    delattr(data, uid)
    with pytest.raises(BadInput, match=uid):
        read(data)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def test_a_deflated_data_set_is_read(read: Read) -> None:
    assert read(deflated(data_set()), DEFLATED).sop_instance_uid == "1.2.3.4.5"


@pytest.mark.parametrize(
    "data",
    [deflated(b"\0" * (65 << 20)), deflated(data_set())[:-5], b"not deflated at all", data_set()],
    ids=["bomb", "cut", "text", "plain"],
)
def test_security_D11_W21_what_unfolds_too_far_or_not_at_all_is_refused(read: Read, data: bytes) -> None:
    with pytest.raises(BadInput):
        read(data, DEFLATED)


def test_R16_the_study_is_known_from_the_beginning_of_an_object() -> None:
    whole = data_set(study="1.2.77")
    assert header.study_of(whole, EXPLICIT_LITTLE) == "1.2.77"
    known = [header.study_of(whole[:size], EXPLICIT_LITTLE) for size in range(len(whole))]
    assert known[0] is None
    assert known[-1] == "1.2.77"
    assert set(known) == {None, "1.2.77"}


TEXTS = st.text(min_size=0, max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=TEXTS, identifier=TEXTS, comment=TEXTS, charset=st.sampled_from(["ISO_IR 192", "ISO_IR 100", "", "GB18030"])
)
def test_whatever_is_in_the_texts_both_engines_store_it_and_give_it_back(
    tmp_path: Path, name: str, identifier: str, comment: str, charset: str
) -> None:
    part = tmp_path / "part"
    part.write_bytes(
        element(0x0008, 0x0005, "CS", charset.encode())
        + element(0x0008, 0x103E, "LO", comment.encode("utf-8", "surrogatepass"))
        + data_set(name=name.encode("utf-8", "surrogatepass"))
        + element(0x0010, 0x0020, "LO", identifier.encode("utf-8", "surrogatepass"))
    )
    arrival = header.read(part, 0, received())
    for text in (arrival.patient_name, arrival.patient_id, arrival.case_attributes, arrival.photograph_attributes):
        text.encode("utf-8")
        assert "\0" not in text
    Dataset.from_json(arrival.case_attributes)
    Dataset.from_json(arrival.photograph_attributes)


@pytest.mark.peer("postgresql")
def test_hostile_texts_survive_the_casebook_on_both_engines(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    database.create_schema()
    archive = Archive(tmp_path / "archive", reserve_mb=0)
    archive.prepare("test", is_new=True)
    name = b"<script>alert(1)</script>^\x00\x1b[31m\xed\xa0\x80\xff^\xe2\x80\xae"
    part = tmp_path / "part"
    part.write_bytes(element(0x0008, 0x0005, "CS", b"ISO_IR 192") + data_set(name=name))
    arrival = header.read(part, 0, received())
    with database.transaction() as t:
        arrive(t, arrival, archive.store(b"x", ".dcm"), SYSTEM.now())
    with database.reading() as t:
        assert t.scalars(select(Case.patient_name)).one() == arrival.patient_name
        assert t.scalars(select(Photograph.attributes)).one() == arrival.photograph_attributes
    database.close()
