"""Attributes: results repeat patient and study as the source has them, in UTF-8 whatever came in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from graded_case import Shot, Study, healthy
from pydicom import dcmread
from pydicom.dataset import Dataset

from casebook.words import Laterality
from reporting import attributes
from reporting.source import Examination

R, L = Laterality.RIGHT, Laterality.LEFT
Report = Callable[[Examination], Dataset]
NAMES = {
    "latin-1": ("ISO_IR 100", "Buc^Jérôme"),
    "umlaut": ("ISO_IR 192", "Müller^Jürgen"),
    "ascii": ("ISO_IR 6", "Doe^John"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "cyrillic": ("ISO_IR 144", "Щербак^Юлия"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
}


@pytest.mark.parametrize("name", list(NAMES))
def test_T23_T25_names_of_any_character_set_come_out_equal_in_utf_8(
    name: str, examine: Any, report: Report, overlays: Any
) -> None:
    charset, written = NAMES[name]
    examination = examine(healthy(R), healthy(L), study=Study(charset=charset, header={"PatientName": written}))
    for result in (report(examination), *overlays(examination)):
        assert result.SpecificCharacterSet == "ISO_IR 192"
        raw = result.get_item("PatientName")
        assert raw is not None
        assert bytes(raw.value).decode("utf-8").rstrip() == written
        assert str(result.PatientName) == written


def test_patient_study_and_accession_are_the_sources(examine: Any, report: Report, overlays: Any) -> None:
    study = Study(header={"TimezoneOffsetFromUTC": "+0900", "PatientAge": "064Y"})
    examination = examine(healthy(R), study=study)
    source = study.dataset()
    for result in (report(examination), *overlays(examination)):
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "IssuerOfPatientID",
                        "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber",
                        "ReferringPhysicianName", "TimezoneOffsetFromUTC"):  # fmt: skip
            assert result[keyword].value == source[keyword].value, keyword


def test_T17_what_the_source_does_not_say_is_empty_and_not_absent(examine: Any, report: Report, overlays: Any) -> None:
    silent = dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
         "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "IssuerOfPatientID")
    )  # fmt: skip
    examination = examine(healthy(R), study=Study(header=silent))
    for result in (report(examination), *overlays(examination)):
        for keyword in list(silent)[:9]:
            assert result[keyword].is_empty, keyword
        for keyword in list(silent)[9:]:
            assert keyword not in result


def test_everything_of_ours_is_marked_as_research_and_names_who_made_it(
    examine: Any, report: Report, overlays: Any
) -> None:
    examination = examine(healthy(R), healthy(L))
    for result in (report(examination), *overlays(examination)):
        assert result.ContentQualification == "RESEARCH"
        assert result.Manufacturer == "RetinaGate"
        assert result.DeviceSerialNumber == examination.identity
        purposes = [item.PurposeOfReferenceCodeSequence[0].CodeValue for item in result.ContributingEquipmentSequence]
        assert purposes == ["109101", "109102"]
        camera, ours = result.ContributingEquipmentSequence
        assert camera.Manufacturer == "Camera Works"
        assert ours.Manufacturer == "RetinaGate"


def test_no_private_tag_leaves_the_house(examine: Any, report: Report, overlays: Any) -> None:
    examination = examine(Shot(R, 3), healthy(L))
    for result in (report(examination), *overlays(examination)):
        assert not [element.tag for element in result.iterall() if element.tag.is_private]


@pytest.mark.parametrize(
    ("offset", "date", "time"),
    [(None, "20260312", "233000"), ("+0545", "20260313", "051500"), ("-0330", "20260312", "200000"),
     ("nonsense", "20260312", "233000")],
)  # fmt: skip
def test_times_are_written_in_the_zone_the_source_states(offset: str | None, date: str, time: str) -> None:
    target = Dataset()
    if offset is not None:
        target.TimezoneOffsetFromUTC = offset
    attributes.sign(target, "identity", datetime(2026, 3, 12, 23, 30, tzinfo=UTC), [])
    assert (target.ContentDate, target.ContentTime) == (date, time)


def test_a_uid_with_a_leading_zero_is_repeated_as_the_camera_wrote_it(examine: Any, report: Report) -> None:
    odd = replace(examine(healthy(R)), study_instance_uid="1.2.826.03.4")
    raw = report(odd).get_item("StudyInstanceUID")
    assert raw is not None
    assert bytes(raw.value).rstrip(b"\0") == b"1.2.826.03.4"


def test_the_same_data_set_always_gives_the_same_bytes() -> None:
    def encoded() -> bytes:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "2.25.1"
        dataset.PatientName = "Müller^Jürgen"
        dataset.SpecificCharacterSet = "ISO_IR 192"
        return attributes.encode(dataset, "1.2.840.10008.1.2.1")

    assert encoded() == encoded()
    assert dcmread(BytesIO(encoded())).file_meta.ImplementationVersionName.startswith("RETINAGATE")
