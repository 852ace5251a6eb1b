"""Whatever is killed, and when: after a restart there are exactly the same objects, and every promise holds."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from private_orthanc import Orthanc
from questions import delivered, results
from running_service import Service, wait_for
from studies import Study

# The steps of the promises R1, R2, R5 and R10 at which a process may die.
RECEIVING = ("after_part", "after_rename", "after_commit")
LATER = ("after_grading_files", "after_report_files", "after_store")

QUIET_SECONDS = 6  # longer than a restart takes here, so that what is sent again joins its study


def _send(program: Callable[[str], str], service: Service, study: Study) -> None:
    """Send as a camera does whose peer may die under it."""
    command = [program("dcmsend"), "-aec", "RETINAGATE", "127.0.0.1", str(service.dicom_port)]
    subprocess.run([*command, *map(str, study.files)], capture_output=True, timeout=120, check=False)


@pytest.mark.peer("orthanc")
@pytest.mark.parametrize("point", RECEIVING + LATER)
def test_I7_killed_at_any_step_nothing_is_lost_and_nothing_is_double(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    program: Callable[[str], str],
    tmp_path: Path,
    point: str,
) -> None:
    service = make_service(orthanc, CASES__QUIET_SECONDS=QUIET_SECONDS).start(armed=point)
    study = phantoms(7)
    _send(program, service, study)
    service.wait_killed()
    service.start()
    _send(program, service, study)
    case = wait_for(lambda: delivered(service, study), 60, "delivery")
    assert len(case["photographs"]) == 2
    assert case["revision"] == 1
    found = results(orthanc, study, tmp_path / "received")
    assert len(found) == 3, [dataset.SOPClassUID for dataset in found]
    assert len({dataset.SOPInstanceUID for dataset in found}) == 3
    fsck = service.run("fsck")
    assert (fsck.returncode, fsck.stdout.strip()) == (0, "clean")


@pytest.mark.peer("orthanc")
def test_I7_killed_again_and_again_at_random_moments(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    moments = random.Random(20260312)
    service = make_service(orthanc, CASES__QUIET_SECONDS=QUIET_SECONDS)
    studies = [phantoms(number) for number in (11, 12, 13)]
    for study in studies:
        service.start()
        _send(program, service, study)
        time.sleep(moments.uniform(0.1, 4.0))  # a moment nobody chose: reading, grading, reporting or sending
        service.kill()
    service.start()
    for study in studies:
        _send(program, service, study)
        case = wait_for(lambda study=study: delivered(service, study), 60, "delivery")
        assert len(case["photographs"]) == 2
        newest = {report["sop_instance_uid"] for report in case["reports"]}
        held = {str(dataset.SOPInstanceUID) for dataset in results(orthanc, study, tmp_path / "received")}
        assert len(newest) == 3
        assert newest <= held
    fsck = service.run("fsck")
    assert (fsck.returncode, fsck.stdout.strip()) == (0, "clean")
