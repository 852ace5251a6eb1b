"""Delivery to real PACS: Orthanc and DCMTK's storescp get our bytes, once, and we believe only what they say."""

import io
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from graded_case import Shot, Study, healthy
from private_orthanc import Orthanc, free_port
from pydicom import dcmread
from reporting_desk import Desk
from sqlalchemy import update

from casebook import jobs
from casebook.models import Delivery
from casebook.words import JobKind, Laterality

R, L = Laterality.RIGHT, Laterality.LEFT
NAME = "Müller^Jürgen"


def send_again(desk: Desk) -> None:
    """Forget that anything was sent, as if the process had died before it could write it down."""
    with desk.database.transaction() as t:
        t.execute(update(Delivery).values(state="waiting", sent_at=None, next_attempt_at=desk.clock.now()))
        jobs.enqueue(t, JobKind.DELIVER, "pacs", desk.clock.now())
    desk.send()


@pytest.mark.peer("orthanc")
def test_orthanc_holds_one_report_and_two_overlays_in_the_sources_study(
    orthanc: Orthanc, desk_for: Callable[..., Desk]
) -> None:
    desk = desk_for(orthanc.dicom_port)
    study = Study("orthanc", charset="ISO_IR 100", header={"PatientName": NAME})
    desk.case(Shot(R, 3), healthy(L), study=study)
    desk.work()
    desk.send()
    assert [(row.state, row.last_status, row.last_error) for row in desk.deliveries()] == [("sent", 0, None)] * 3
    reports = desk.reports()
    assert set(orthanc.instances()) == {report.sop_instance_uid for report in reports}
    source = study.dataset()
    for report in reports:
        kept = dcmread(io.BytesIO(orthanc.file(report.sop_instance_uid)))
        ours = dcmread(io.BytesIO(desk.bytes_of(report)))
        assert kept == ours
        assert kept.file_meta.TransferSyntaxUID == report.transfer_syntax_uid
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
            assert kept[keyword].value == source[keyword].value
    assert len(orthanc.get("/studies")) == 1


@pytest.mark.peer("orthanc")
def test_R9_sent_twice_the_pacs_holds_it_once(orthanc: Orthanc, desk_for: Callable[..., Desk]) -> None:
    desk = desk_for(orthanc.dicom_port)
    desk.case(Shot(R, 3), healthy(L))
    desk.work()
    desk.send()
    before = orthanc.instances()
    send_again(desk)
    assert orthanc.instances() == before
    assert len(before) == 3
    assert [(row.state, row.attempts) for row in desk.deliveries()] == [("sent", 2)] * 3


@pytest.mark.peer("orthanc")
def test_R7_a_pacs_that_was_away_gets_everything_when_it_is_back(
    orthanc: Orthanc, desk_for: Callable[..., Desk]
) -> None:
    desk = desk_for(orthanc.dicom_port)
    desk.case(healthy(R), healthy(L))
    desk.work()
    orthanc.stop()
    desk.send()
    assert {(row.state, row.attempts) for row in desk.deliveries()} == {("waiting", 1)}
    orthanc.start()
    desk.clock.move(5)
    desk.send()
    assert {(row.state, row.attempts) for row in desk.deliveries()} == {("sent", 2)}
    assert len(orthanc.instances()) == 3


@pytest.mark.peer("orthanc")
def test_our_own_results_keep_their_revision_order_in_the_pacs(orthanc: Orthanc, desk_for: Callable[..., Desk]) -> None:
    desk = desk_for(orthanc.dicom_port)
    first = desk.case(healthy(R))
    desk.work()
    desk.send()
    desk.later(first, Shot(L, 2))
    desk.work()
    desk.send()
    held = orthanc.instances()
    assert len(held) == 5
    series = {
        dcmread(io.BytesIO(orthanc.bytes_of(f"/instances/{held_id}/file"))).SeriesInstanceUID
        for held_id in held.values()
    }
    assert len(series) == 2


@pytest.mark.peer("dcmtk")
def test_storescp_receives_the_data_set_as_we_stored_it(
    program: Callable[[str], str], tmp_path: Path, desk_for: Callable[..., Desk]
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    port = free_port()
    desk = desk_for(port, title="SPOOL")
    desk.case(Shot(R, 3), healthy(L))
    desk.work()
    with _storescp(program("storescp"), folder, port):
        desk.send()
    assert {(row.state, row.last_status) for row in desk.deliveries()} == {("sent", 0)}
    received = {dataset.SOPInstanceUID: dataset for dataset in map(dcmread, folder.iterdir())}
    assert len(received) == 3
    for report in desk.reports():
        assert received[report.sop_instance_uid] == dcmread(io.BytesIO(desk.bytes_of(report)))


@contextmanager
def _storescp(program: str, folder: Path, port: int) -> Iterator[None]:
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = [program, "-aet", "SPOOL", "-od", str(folder), "+xa", str(port)]
    process: subprocess.Popen[Any] = subprocess.Popen(command, env=environment)
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[Any]") -> None:
    """Wait until somebody listens, without connecting: storescp would take that for an association."""
    deadline = time.monotonic() + 10
    while f":{port:04X} " not in Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
