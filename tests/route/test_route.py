"""A photograph goes the whole way: camera, service, PACS."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from dicom_validators import dcentvfy, dciodvfy, dsrdump, pixelmed
from private_orthanc import Orthanc
from pydicom import dcmread
from questions import LOINC_EYES, SECONDARY_CAPTURE, SR, case_of, delivered, grades_in, results
from running_service import QUIET_SECONDS, Service, wait_for
from studies import MARK, NAME, Study, make_study

from casebook.words import Laterality


@pytest.mark.peer("orthanc")
@pytest.mark.usefixtures("shape")
def test_a_study_comes_back_as_one_report_and_two_overlays(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    tmp_path: Path,
) -> None:
    service = make_service(orthanc).start()
    study = phantoms(1)
    send(service, study)
    wait_for(
        lambda: all(p["gradability"] != "pending" for p in case_of(service, study)["photographs"]), 15, "gradability"
    )
    case = wait_for(lambda: delivered(service, study), 30, "delivery")
    assert case["status"] == "reported"
    assert {photograph["laterality"] for photograph in case["photographs"]} == {"R", "L"}
    assert all(photograph["grade"] is not None for photograph in case["photographs"])
    found = results(orthanc, study, tmp_path / "received")
    assert sorted(dataset.SOPClassUID for dataset in found) == [SECONDARY_CAPTURE, SECONDARY_CAPTURE, SR]
    source = dcmread(study.files[0], stop_before_pixels=True)
    for dataset in found:
        assert str(dataset.PatientName) == NAME
        for keyword in ("PatientID", "AccessionNumber", "StudyInstanceUID", "StudyDate", "StudyID"):
            assert dataset[keyword].value == source[keyword].value, keyword
    report = next(dataset for dataset in found if dataset.SOPClassUID == SR)
    assert set(grades_in(report)) == LOINC_EYES
    heatmap = f"/api/v1/cases/{case['id']}/photographs/{case['photographs'][0]['id']}/heatmap.png"
    assert service.download(heatmap).startswith(b"\x89PNG")
    downloaded = dcmread(BytesIO(service.download(case["reports"][0]["href"])))
    assert downloaded.SOPInstanceUID in {dataset.SOPInstanceUID for dataset in found}

    send(service, study)
    again = case_of(service, study)
    assert (again["revision"], len(again["deliveries"])) == (1, 3)
    assert len(orthanc.instances()) == 3
    fsck = service.run("fsck")
    assert (fsck.returncode, fsck.stdout.strip()) == (0, "clean")
    metrics = service.metrics()
    assert 'retinagate_cases{status="reported"} 1.0' in metrics
    assert service.stop() == 0
    for text in (service.logs(), metrics):
        assert MARK not in text, "security S18: a patient's data left database, archive and pages"


@pytest.mark.peer("orthanc")
def test_a_late_photograph_makes_the_second_revision(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    tmp_path: Path,
) -> None:
    service = make_service(orthanc).start()
    study = phantoms(2)
    send(service, Study(study.uid, study.folder, study.files[:1]))
    first = wait_for(lambda: delivered(service, study), 30, "the first report")
    assert first["revision"] == 1
    assert "missing_eye" in first["attention"]
    assert first["referable"] is not False
    send(service, study)
    second = wait_for(
        lambda: (found := delivered(service, study)) and found["revision"] == 2 and found, 30, "the second report"
    )
    assert "missing_eye" not in second["attention"]
    reports = [found for found in results(orthanc, study, tmp_path / "received") if found.SOPClassUID == SR]
    by_number = {int(report.InstanceNumber): report for report in reports}
    assert sorted(by_number) == [1, 2]
    predecessor = by_number[2].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == by_number[1].SOPInstanceUID


@pytest.mark.peer("orthanc")
def test_without_a_destination_the_report_waits_to_be_downloaded(
    make_service: Callable[..., Service], phantoms: Callable[[int], Study], send: Callable[[Service, Study], None]
) -> None:
    service = make_service().start()
    study = phantoms(3)
    send(service, study)
    case = wait_for(
        lambda: (found := case_of(service, study)) and found["status"] == "reported" and found, 30, "the report"
    )
    assert case["deliveries"] == []
    assert [report["product"] for report in case["reports"]].count("sr") == 1
    assert dcmread(BytesIO(service.download(case["reports"][0]["href"]))).Manufacturer == "RetinaGate"


@pytest.mark.photographs
@pytest.mark.peer("orthanc")
def test_real_photographs_with_the_shipped_bundle(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    send: Callable[[Service, Study], None],
    photographs: Path,
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    eyes = {Laterality.RIGHT: "eyepacs_16_right.jpg", Laterality.LEFT: "eyepacs_16_left.jpg"}
    study = make_study(
        tmp_path / "real", 16, {side: (photographs / "highres" / name).read_bytes() for side, name in eyes.items()}
    )
    service = _shipped(make_service, orthanc)
    send(service, study)
    sent_at = time.monotonic()
    case = wait_for(lambda: delivered(service, study), QUIET_SECONDS + 30, "delivery")
    print(f"delivered {time.monotonic() - sent_at:.1f} s after the last C-STORE, quiet time {QUIET_SECONDS} s")
    assert all(photograph["grade"] is not None for photograph in case["photographs"])
    found = results(orthanc, study, tmp_path / "received")
    assert sorted(dataset.SOPClassUID for dataset in found) == [SECONDARY_CAPTURE, SECONDARY_CAPTURE, SR]
    files = sorted((tmp_path / "received").glob("*.dcm"))
    for file in files:
        assert dciodvfy(program, file).errors == ()
    assert dcentvfy(program, [*study.files, *files]).errors == ()
    report = next(file for file in files if dcmread(file).SOPClassUID == SR)
    assert dsrdump(program, report).errors == ()
    assert pixelmed(program, report).errors == ()
    assert set(grades_in(dcmread(report))) == LOINC_EYES


def _shipped(make_service: Callable[..., Service], orthanc: Orthanc) -> Service:
    service = make_service(orthanc)
    del service.environment["RETINAGATE__MODEL__BUNDLE"]
    return service.start()
