"""Asked to stop it stops, soon and with nothing lost; and one home has one service."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from hostile_pacs import hostile_pacs
from private_orthanc import Orthanc
from questions import case_of, delivered
from running_service import Service, wait_for
from studies import Study

STOP_SECONDS = 25


@pytest.mark.peer("orthanc")
def test_R19_stopped_in_the_middle_of_its_work_it_ends_soon_and_goes_on_later(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
) -> None:
    service = make_service(orthanc).start()
    study = phantoms(21)
    send(service, study)
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < STOP_SECONDS
    service.start()
    case = wait_for(lambda: delivered(service, study), 60, "delivery")
    assert (case["revision"], len(case["photographs"]), len(case["deliveries"])) == (1, 2, 3)
    fsck = service.run("fsck")
    assert (fsck.returncode, fsck.stdout.strip()) == (0, "clean")


def test_F23_a_second_service_in_one_home_names_the_first(make_service: Callable[..., Service]) -> None:
    service = make_service().start()
    second = service.run("up")
    assert second.returncode == 1
    assert f"runs already in {service.home} (process {service.pid})" in second.stderr


@pytest.mark.peer("dcmtk")
def test_R14_a_child_that_is_killed_is_replaced_and_nothing_is_lost(
    make_service: Callable[..., Service], phantoms: Callable[[int], Study], send: Callable[[Service, Study], None]
) -> None:
    service = make_service().start()
    for number in (31, 32):
        children = service.children()
        assert len(children) == 1
        os.kill(children[0], signal.SIGKILL)
        study = phantoms(number)
        send(service, study)
        case = wait_for(
            lambda study=study: (found := case_of(service, study)) and found["status"] == "reported" and found,
            60, "the report",
        )  # fmt: skip
        assert all(photograph["grade"] is not None for photograph in case["photographs"])
        assert "grading_failed" not in case["attention"]


def test_R19_a_pacs_that_hangs_does_not_hold_up_the_end(
    make_service: Callable[..., Service], phantoms: Callable[[int], Study], send: Callable[[Service, Study], None]
) -> None:
    with hostile_pacs(deaf=True) as pacs:
        destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port}
        service = make_service(DESTINATIONS=[destination]).start()
        study = phantoms(51)
        send(service, study)
        wait_for(lambda: pacs.associations == 1, 30, "an association")
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < STOP_SECONDS + 2
