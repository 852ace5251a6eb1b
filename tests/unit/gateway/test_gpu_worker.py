"""A worker before a network process: as many photographs under way as there are reading children, none lost or blamed.

Torch computes on the CPU here; whether a GPU does the same, no test in this repository can tell.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import simplejpeg
import torch_bundle
from arrivals import RIGHT
from dicom_objects import photograph, written
from running_service import wait_for
from sqlalchemy import func, select

from casebook.arrival import arrive
from casebook.models import Grading, Heatmap, Job, Photograph
from casebook.settings import Settings
from casebook.words import Gradability, JobKind, JobState
from gateway.house import House, open_house
from gateway.worker import Worker
from inference import phantom
from inference.children import Children
from inference.station import Grader

PHOTOGRAPHS = 20
LESIONS = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.PROLIFERATIVE)

pytestmark = pytest.mark.timeout(400)  # torch is loaded anew by every network process


@pytest.fixture
def house(tmp_path: Path, clock: Any) -> Iterator[House]:
    with open_house(Settings(home=tmp_path), clock, migrate=True) as house:
        yield house


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    bundle = torch_bundle.make(tmp_path / "bundle")
    children = Children(bundle, device="cuda", readers=2, torch_device="cpu")
    children.start()
    children.wait_ready()
    yield children
    children.stop()


def _received(house: House, number: int) -> None:
    """Let a photograph arrive as the listener does."""
    picture = phantom.draw(number, lesions=LESIONS[number % 4], size=320)
    data = written(photograph(simplejpeg.encode_jpeg(picture, quality=92)))
    stored = house.archive.store(data, ".dcm")
    sent = replace(
        RIGHT,
        sop_instance_uid=f"1.2.3.1.{number + 1}",
        dataset_sha256=f"{number:064}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.77.1.5.1",
        transfer_syntax_uid="1.2.840.10008.1.2.4.50",
    )
    with house.database.transaction() as t:
        arrive(t, sent, stored, house.clock.now())


def test_R14_a_worker_whose_network_process_is_killed_answers_every_photograph_once(
    house: House, children: Children
) -> None:
    for number in range(PHOTOGRAPHS):
        _received(house, number)
    (network,) = children._networks
    worker = Worker(house, [Grader(house.database, house.archive, children, house.clock)])
    killed = []

    def done() -> int:
        with house.database.reading() as t:
            return t.scalar(select(func.count()).where(Job.kind == JobKind.GRADE, Job.state == JobState.DONE)) or 0

    def in_hand() -> int:
        with house.database.reading() as t:
            return t.scalar(select(func.count()).where(Job.kind == JobKind.GRADE, Job.state == JobState.LEASED)) or 0

    worker.wake(JobKind.GRADE)
    wait_for(lambda: in_hand() == 2, 60, "a second photograph under way")
    for least in (2, 6):
        wait_for(lambda least=least: done() >= least and network.process_id, 120, "some answers")
        assert network.process_id is not None
        killed.append(network.process_id)
        os.kill(killed[-1], signal.SIGKILL)
        # While the network is away no new photograph is claimed; a look once a second begins again.
        wait_for(lambda: network.process_id not in (None, killed[-1]) and children.is_ready(), 120, "the network")
        worker.look()
    wait_for(lambda: done() == PHOTOGRAPHS, 240, "all answers")
    assert worker.wait_until_idle(20)
    with house.database.reading() as t:
        jobs = t.scalars(select(Job).where(Job.kind == JobKind.GRADE)).all()
        assert [(job.state, job.crashes, job.attempts) for job in jobs] == [(JobState.DONE, 0, 1)] * PHOTOGRAPHS
        photographs = t.scalars(select(Photograph)).all()
        assert all(one.gradability is not Gradability.PENDING for one in photographs)
        gradings = t.scalars(select(Grading)).all()
        assert len(gradings) == PHOTOGRAPHS
        graded = [one for one in gradings if one.grade is not None]
        assert len(graded) >= 15, "the gate lets the eyes through"
        assert {one.runner.split()[0] for one in graded} == {"torch"}
        assert len(t.scalars(select(Heatmap)).all()) == len(graded)
