"""What lets synthetic eyes in and out: only a start of its own, which has a secret and a loop-back PACS."""

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graded_case import healthy, write_case
from pydicom import dcmread
from sqlalchemy import select

from casebook import deliveries
from casebook.errors import Refused
from casebook.models import File, FileKind, Job, Report
from casebook.settings import LOOPBACK, Destination, Settings
from casebook.words import JobKind, Laterality, Product
from gateway import running
from gateway.demo_patients import patients
from gateway.house import House, SelfTest, alone_in, open_house
from gateway.running import Running
from gateway.sweep import sweep
from gateway.terminal import Waiting, bold, green

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=4242)
SELF_TEST = SelfTest("secret", Destination(name=LOOPBACK, ae_title="RG_LOOPBACK", host="127.0.0.1", port=4243))


@pytest.fixture
def house(tmp_path: Path, clock: Any) -> Iterator[House]:
    with open_house(Settings(home=tmp_path, destinations=(PACS,)), clock, migrate=True) as house:
        yield house


def _report_synthetic(house: House) -> None:
    """Write a synthetic case with a report whose jobs were lost."""
    now = house.clock.now()
    with house.database.transaction() as t:
        shots = [healthy(Laterality.RIGHT), healthy(Laterality.LEFT)]
        revision = write_case(t, house.archive, shots, now, synthetic=True)
        file = File(path="report", sha256="0" * 64, size=1, kind=FileKind.REPORT, created_at=now)
        t.add(file)
        t.flush()
        report = Report(
            revision_id=revision.id, product=Product.SR, sop_instance_uid="2.25.1", sop_class_uid="1.2",
            series_instance_uid="1.3", transfer_syntax_uid="1.4", file_id=file.id, created_at=now,
        )  # fmt: skip
        t.add(report)
        t.flush()
        deliveries.plan(t, [report], house.destinations, now)


@pytest.mark.parametrize("self_test", [None, SELF_TEST])
def test_I9_the_sweep_asks_for_the_loop_back_pacs_where_there_is_one(house: House, self_test: SelfTest | None) -> None:
    house = replace(house, self_test=self_test)
    _report_synthetic(house)
    sweep(house, alone_for=0)
    with house.database.reading() as t:
        lanes = t.scalars(select(Job.subject).where(Job.kind == JobKind.DELIVER)).all()
    assert lanes == ([LOOPBACK] if self_test else [])


def test_what_a_start_says_of_itself_is_for_its_own_user_and_ends_with_it(tmp_path: Path) -> None:
    here = Running(os.getpid(), "RETINAGATE", "127.0.0.1", 11112, "127.0.0.1", 8080, 4243, "secret")
    running.write(tmp_path, here)
    assert stat.S_IMODE((tmp_path / running.NAME).stat().st_mode) == 0o600
    assert running.read(tmp_path) is None, "nobody holds the home folder: it is what a killed start left"
    with alone_in(tmp_path):
        assert running.read(tmp_path) == here
        running.forget(tmp_path)
        assert running.read(tmp_path) is None


def test_who_looks_whether_a_service_runs_does_not_keep_one_from_starting(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        letting_go = threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN))
        letting_go.start()
        with alone_in(tmp_path), pytest.raises(Refused, match="runs already"), alone_in(tmp_path):
            pass
        letting_go.join()


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5")],
)
def test_what_listens_everywhere_is_reached_here(host: str, reached_at: str) -> None:
    assert running.here(host) == reached_at


def test_every_run_of_the_demonstration_has_studies_of_its_own(tmp_path: Path) -> None:
    first, second = patients(), patients()
    assert [patient.name for patient in first] == [patient.name for patient in second]
    assert {patient.study for patient in first}.isdisjoint(patient.study for patient in second)
    one_eye = next(patient for patient in first if len(patient.eyes) == 1)
    ((eye, photograph),) = one_eye.photographs()
    photograph.save_as(tmp_path / "eye.dcm", enforce_file_format=True)
    read = dcmread(tmp_path / "eye.dcm")
    assert (read.ImageLaterality, read.StudyInstanceUID) == (eye.laterality, one_eye.study)
    assert str(read.PatientName).startswith("SYNTHETIC^"), "ux K8: never taken for a patient"


def test_ux_C3_no_colour_and_nothing_in_place_in_a_pipe(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    waiting.say("for something")
    waiting.clear()
    assert (green("ok"), bold("ok")) == ("ok", "ok")
    assert capfd.readouterr().err == ""
    monkeypatch.setattr("gateway.terminal.PIPE_EVERY", 0.0)
    waiting.say("for something")
    assert capfd.readouterr().err == "for something\n"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_ux_C3_colour_on_a_terminal_unless_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert green("ok") != "ok"
    monkeypatch.setenv(variable, value)
    assert green("ok") == "ok"
