"""Commands beside a running service: they write rows, and the service picks them up."""

from collections.abc import Callable
from pathlib import Path

import pytest
from private_orthanc import Orthanc
from pydicom import dcmread
from questions import SR, case_of, delivered, results
from running_service import Service, wait_for
from studies import Study


@pytest.mark.peer("orthanc")
def test_regrade_and_resend_reach_the_pacs(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    tmp_path: Path,
) -> None:
    service = make_service(orthanc).start()
    study = phantoms(41)
    send(service, study)
    first = wait_for(lambda: delivered(service, study), 30, "the first report")
    assert service.run("regrade", str(first["id"])).returncode == 0
    second = wait_for(
        lambda: (found := delivered(service, study)) and found["revision"] == 2 and found, 30, "the second report"
    )
    assert [photograph["grade"] for photograph in second["photographs"]] == [
        photograph["grade"] for photograph in first["photographs"]
    ]
    found = results(orthanc, study, tmp_path / "received")
    assert len(found) == 6
    assert sorted(int(report.InstanceNumber) for report in found if report.SOPClassUID == SR) == [1, 2]

    again = service.run("resend", str(first["id"]), "--all")
    assert (again.returncode, again.stderr.strip()) == (0, f"6 objects of case {first['id']} wait to be sent")
    wait_for(lambda: all(d["attempts"] == 2 for d in case_of(service, study)["deliveries"]), 30, "the second sending")
    assert len(orthanc.instances()) == 6
    assert service.run("fsck").stdout == "clean\n"


@pytest.mark.peer("orthanc")
def test_send_carries_files_to_a_destination(
    make_service: Callable[..., Service], orthanc: Orthanc, phantoms: Callable[[int], Study]
) -> None:
    service = make_service(orthanc)
    study = phantoms(42)
    sent = service.run("send", str(study.folder), "--to", "pacs")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert set(orthanc.instances()) == {str(dcmread(file).SOPInstanceUID) for file in study.files}
    nobody = service.run("send", str(study.folder), "--to", "nobody")
    assert (nobody.returncode, nobody.stderr) == (
        1, "retinagate: There is no destination nobody. Configured are: pacs.\n",
    )  # fmt: skip
    (study.folder / "notes.txt").write_text("not DICOM")
    mixed = service.run("send", str(study.folder), "--to", "pacs")
    assert mixed.returncode == 1
    assert "notes.txt is not a DICOM file" in mixed.stderr
