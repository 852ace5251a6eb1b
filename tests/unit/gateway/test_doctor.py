"""``retinagate doctor`` in every situation it is for, each one really made; compared with what a person reads (C11)."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stand_in_bundle
from private_orthanc import free_port

from casebook import audit, heartbeats
from casebook.archive import Archive, register
from casebook.clock import SYSTEM
from casebook.database import Database
from casebook.models import FileKind
from casebook.settings import Settings
from gateway import doctor, running
from gateway.checks import clock, disk, model, ports, rows
from gateway.checks.finding import Finding, clause
from gateway.configuration import load
from gateway.house import open_house
from gateway.running import Running
from inference.bundle import SHIPPED
from inference.child_words import Ready

COMMAND = str(Path(sys.executable).with_name("retinagate"))
SECRET = "SECRET7F3A"
AGAIN = ", then run retinagate doctor again"
Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Ports of its own and no reserve, for the disk of whoever runs this may be nearly full."""
    return {
        "PATH": "/usr/bin:/bin",
        "RETINAGATE_HOME": str(tmp_path / "home"),
        "RETINAGATE__ARCHIVE__RESERVE_MB": "1",
        "RETINAGATE__LISTENER__PORT": str(free_port()),
        "RETINAGATE__DASHBOARD__PORT": str(free_port()),
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """A house that has been opened once, as the first start does."""
    made = load(environment)
    with open_house(made, migrate=True):
        return made


@pytest.fixture
def run(environment: dict[str, str]) -> Doctor:
    """Run the command as a person does."""

    def run(*arguments: str, before: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, COMMAND, "doctor", *arguments],
            env=environment | more, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


def about(ended: subprocess.CompletedProcess[str], check: str) -> list[str]:
    """Return the line about a subject, and the one under it that says what to do."""
    lines = ended.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line[6:].startswith(check))
    return [line for line in lines[at : at + 2] if line is lines[at] or line[6:].startswith("do this")]


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }


def test_ux_C11_a_healthy_house_line_by_line(run: Doctor, settings: Settings) -> None:
    before = tree(settings.home)
    ended = run()
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    expected = [
        r"ok    home          writable, \d+\.\d GB free, reserve 1\.0 MB",
        r"ok    database      SQLite 3\.[\d.]+, schema current",
        r"ok    audit         chain unbroken",
        r"ok    archive       of this casebook, writable",
        r"ok    broker        memory, inside the one process of retinagate up",
        r"ok    model         rg-compact-3 3\.0\.0, openvino [\d.]+, golden pictures reproduced",
        rf"ok    listener      127\.0\.0\.1:{settings.listener.port} is free",
        r"ok    callers       anyone on this machine",
        rf"ok    dashboard     127\.0\.0\.1:{settings.dashboard.port} is free",
        r"ok    destination   none is set; results stay here",
    ]
    for line, pattern in zip(lines, expected, strict=False):
        assert re.fullmatch(pattern, line), line
    assert re.fullmatch(r"(10 ok, 1 warning|11 ok, 0 warnings), 0 red", lines[-1])
    assert tree(settings.home) == before


def test_ux_C1_json_is_one_object_a_line_and_nothing_else(run: Doctor, settings: Settings) -> None:
    findings = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert [finding["check"] for finding in findings] == [
        "home", "database", "audit", "archive", "broker", "model", "listener", "callers", "dashboard", "destination",
        "clock",
    ]  # fmt: skip
    assert all(set(finding) == {"check", "status", "what", "remedy"} for finding in findings)
    assert {finding["status"] for finding in findings} <= {"ok", "warn"}


def test_where_there_is_no_home_none_is_made_and_the_line_says_so(run: Doctor, tmp_path: Path) -> None:
    ended = run()
    assert ended.returncode == 0
    assert re.fullmatch(
        rf"warn  home          {tmp_path}/home is not there yet, and was not made; .* GB free, reserve 1\.0 MB",
        about(ended, "home")[0],
    )
    assert about(ended, "database")[1] == ("      do this       run retinagate up or retinagate migrate, which make it")
    assert list(tmp_path.iterdir()) == []


def test_a_settings_error_exits_2(run: Doctor) -> None:
    ended = run(RETINAGATE__LISTENER__PORT="0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "retinagate: listener.port must be at least 1. Correct it and start again.\n"


def test_a_full_disk_is_red_with_the_remedy(run: Doctor, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this kernel lets nobody mount a disk of their own; the reserve is tested below all the same")
    home = tmp_path / "home"
    home.mkdir()
    small_disk = (
        f"mount -t tmpfs -o size=16m small {home} && {COMMAND} migrate >/dev/null && "
        f'cat /dev/zero > {home}/ballast 2>/dev/null; exec "$0" "$@"'
    )
    ended = run(before=("unshare", "-rm", "sh", "-c", small_disk))
    assert ended.returncode == 1
    assert about(ended, "home") == [
        "RED   home          the disk is full: 0.0 MB free, reserve 1.0 MB; no photograph is taken",
        f"      do this       make room on that disk, or lower archive.reserve_mb{AGAIN}",
    ]
    assert "schema current" in about(ended, "database")[0]


def test_R18_less_room_than_the_reserve_is_red(settings: Settings) -> None:
    greedy = settings.model_copy(update={"archive": settings.archive.model_copy(update={"reserve_mb": 1_000_000_000})})
    found = disk.home(greedy)
    assert found.status == "red"
    assert re.fullmatch(r"the disk is full: .* free, reserve 1048576\.0 GB; no photograph is taken", found.what)


def test_R18_an_archive_on_a_disk_of_its_own_has_the_reserve_and_the_home_what_rows_need(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk here")
    settings = load(
        {
            "RETINAGATE_HOME": str(tmp_path),
            "RETINAGATE__ARCHIVE__PATH": str(other / f"retinagate-test-{os.getpid()}"),
            "RETINAGATE__ARCHIVE__RESERVE_MB": "1000000000",
        }
    )
    assert re.fullmatch(r"writable, [\d.]+ [GM]B free", disk.home(settings).what)
    assert "no photograph is taken" in rows.archive(settings).what
    full = disk.Room(free=99_000_000, reserve=None).lack("home")
    assert full is not None
    assert full.what == "the disk is full: 99.0 MB free"


@pytest.mark.parametrize(("inside", "what"), [("", "cannot be written"), ("home", "cannot be made")])
def test_a_home_that_cannot_be_used_is_red(inside: str, what: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" / inside
    found = disk.home(settings.model_copy(update={"home": home}))
    assert (found.status, found.what) == ("red", f"{home} {what}")
    assert found.remedy == "set RETINAGATE_HOME to a folder of yours"


@pytest.mark.parametrize(
    ("package", "what"),
    [
        (
            "from sqlite3.dbapi2 import *\nsqlite_version = '3.40.1'\n",
            "SQLite 3.40.1 can damage the database (its WAL-reset fault)",
        ),
        ("raise ImportError\n", "the SQLite driver pysqlite3 is missing"),
    ],
)
def test_R3_an_old_sqlite_or_none_is_red_with_the_remedy(
    package: str, what: str, run: Doctor, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "old" / "pysqlite3").mkdir(parents=True)
    (tmp_path / "old" / "pysqlite3" / "__init__.py").touch()
    (tmp_path / "old" / "pysqlite3" / "dbapi2.py").write_text(package)
    ended = run(PYTHONPATH=str(tmp_path / "old"))
    assert ended.returncode == 1
    assert about(ended, "database") == [
        f"RED   database      {what}",
        f"      do this       install RetinaGate's own one again: make install{AGAIN}",
    ]


def test_R22_a_schema_from_the_future_and_one_from_the_past(settings: Settings) -> None:
    _set_schema(settings, "9999")
    assert rows.database(settings).what.endswith(": the schema is newer than this version")
    assert rows.database(settings).remedy == "install the newer RetinaGate that made it"
    _set_schema(settings, "0001")
    assert rows.database(settings).what.endswith(": the schema is older than this version")
    assert rows.database(settings).remedy == "run retinagate migrate"
    assert rows.audit_chain(settings) == []


def test_a_file_that_is_no_database_is_red(settings: Settings) -> None:
    (settings.home / "casebook.sqlite3").write_bytes(b"not a database" * 1000)
    found = rows.database(settings)
    assert found.status == "red"
    assert found.what.endswith("casebook.sqlite3 cannot be read (file is not a database)")


def test_security_S17_a_changed_audit_row_is_red_and_named(settings: Settings) -> None:
    database = Database(settings.database_url)
    with database.transaction() as t:
        for number in range(3):
            audit.append(t, SYSTEM.now(), actor="test", action=f"act {number}")
    assert rows.audit_chain(settings) == [Finding("audit", "ok", "chain unbroken")]  # type: ignore[arg-type]
    with database.transaction() as t:
        connection = t.connection()
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE audit SET actor = 'somebody else' WHERE action = 'act 1'")
    database.close()
    (found,) = rows.audit_chain(settings)
    assert found.status == "red"
    assert re.match(r"row \d+ does not follow from the one before", found.what)


def test_F5_the_archive_of_another_installation_and_one_that_is_not_mounted(settings: Settings) -> None:
    assert rows.archive(settings).what == "of this casebook, writable"
    mark = settings.archive_path / "archive.id"
    own = mark.read_text()
    mark.write_text("another")
    assert rows.archive(settings).what == "the archive belongs to another installation"
    mark.write_text(own)
    archive = Archive(settings.archive_path)
    database = Database(settings.database_url)
    with database.transaction() as t:
        register(t, archive.store(b"bytes", ".dcm"), FileKind.ORIGINAL, SYSTEM.now())
    database.close()
    shutil.move(settings.archive_path, settings.home / "elsewhere")
    found = rows.archive(settings)
    assert found.what == "the archive's folder is empty or not mounted, but the database names files in it"
    assert found.remedy == "mount or restore the archive, then start again"
    assert not settings.archive_path.exists()


def test_security_S21_a_file_of_the_bundle_with_one_byte_changed_is_red_and_named(
    run: Doctor, settings: Settings, tmp_path: Path
) -> None:
    bundle = shutil.copytree(SHIPPED, tmp_path / "bundle")
    data = bytearray((bundle / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(data)
    ended = run(RETINAGATE__MODEL__BUNDLE=str(bundle))
    assert ended.returncode == 1
    assert about(ended, "model") == [
        "RED   model         the bundle's file model.onnx is not the one its card names",
        f"      do this       install the bundle again, or set model.bundle to another one{AGAIN}",
    ]


def test_security_S21_a_model_that_answers_otherwise_than_its_card_says_is_red(
    run: Doctor, settings: Settings, tmp_path: Path
) -> None:
    bundle = shutil.copytree(SHIPPED, tmp_path / "bundle")
    card = json.loads((bundle / "card.json").read_text())
    for runner in card["runners"].values():
        runner["golden"][0] += 1.0
    (bundle / "card.json").write_text(json.dumps(card))
    ended = run(RETINAGATE__MODEL__BUNDLE=str(bundle))
    assert ended.returncode == 1
    assert "nothing here computes the bundle rg-compact-3 as its card says" in about(ended, "model")[0]


def test_a_device_that_is_not_here_is_red(run: Doctor, settings: Settings, tmp_path: Path) -> None:
    bundle = stand_in_bundle.make(tmp_path / "bundle")
    ended = run(RETINAGATE__MODEL__DEVICE="cuda", RETINAGATE__MODEL__BUNDLE=str(bundle))
    assert ended.returncode == 1
    assert about(ended, "model") == [
        "RED   model         model.device is cuda, but the bundle stand-in has no weights for torch",
        f"      do this       set model.bundle to one that has them, or set model.device to cpu{AGAIN}",
    ]


def test_a_model_that_is_slow_to_answer_is_a_warning_for_the_machine_may_be_at_work(settings: Settings) -> None:
    found = model.model(settings, seconds=0.0)
    assert (found.status, found.what) == (
        "warn", "the files are whole, but the golden pictures took longer than 0 s",
    )  # fmt: skip


def test_a_model_that_needs_its_second_choice_is_a_warning(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = Ready(
        name="any-bundle", version="1.0.0", sha256="0" * 64, card="{}", runner="onnxruntime 1.32",
        fallback="OpenVINO is not used: it ended the process that loaded it.",
    )  # fmt: skip
    monkeypatch.setattr("inference.children.Children.wait_ready", lambda *_: ready)
    found = model.model(settings, seconds=1.0)
    assert (found.status, found.what) == (
        "warn",
        "any-bundle 1.0.0, onnxruntime 1.32, golden pictures reproduced; "
        "OpenVINO is not used: it ended the process that loaded it",
    )


@pytest.fixture
def stranger() -> Iterator[tuple[int, int]]:
    """Give process and port of another program that listens."""
    program = (
        "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize("part", ["listener", "dashboard"])
def test_a_port_taken_by_another_program_is_red_and_names_it(
    part: str, run: Doctor, settings: Settings, stranger: tuple[int, int]
) -> None:
    process, port = stranger
    ended = run(**{f"RETINAGATE__{part.upper()}__PORT": str(port)})
    assert ended.returncode == 1
    name = Path(f"/proc/{process}/comm").read_text().strip()
    assert about(ended, part) == [
        f"RED   {part:<14}port {port} is taken by {name} (process {process})",
        f"      do this       stop that program, or set {part}.port to another one{AGAIN}",
    ]


def test_a_port_below_1024_is_not_for_everybody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    found = ports.port("listener", settings, None, SYSTEM)
    assert found.what == f"port {settings.listener.port} may not be used by this user"
    assert found.remedy == "set listener.port to 1024 or higher"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_red(host: str, settings: Settings) -> None:
    found = ports.port("dashboard", _with(settings, "dashboard", host=host, behind_proxy=True), None, SYSTEM)
    assert (found.what, found.remedy) == (
        "dashboard.host is not an address of this machine", "set dashboard.host to 127.0.0.1",
    )  # fmt: skip


def test_security_S1_a_dashboard_for_the_network_in_the_clear_is_red(settings: Settings) -> None:
    found = ports.port("dashboard", _with(settings, "dashboard", host="0.0.0.0"), None, SYSTEM)
    assert found.what == "dashboard.host is reachable from other machines, but nothing encrypts it"


def test_a_port_held_by_our_own_service_is_ok(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.listener.port)):
        found = ports.port("listener", settings, _running(settings), SYSTEM)
    assert found == Finding(
        "listener", "ok", f"127.0.0.1:{settings.listener.port}, held by our own service (process {os.getpid()})"  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_port_whose_holder_cannot_be_seen_is_ours_while_our_service_lives(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.checks.sockets.listeners", lambda _: frozenset())
    with socket.create_server(("127.0.0.1", settings.listener.port)):
        assert ports.port("listener", settings, _running(settings), SYSTEM).status == "ok"
        found = ports.port("listener", settings, None, SYSTEM)
    assert found.what == f"port {settings.listener.port} is taken by another program"


def test_parts_run_as_processes_of_their_own_are_known_by_their_sign_of_life(settings: Settings) -> None:
    database = Database(settings.database_url)
    with database.transaction() as t:
        heartbeats.beat(t, "listener", SYSTEM.now(), ready=True)
    database.close()
    with socket.create_server(("127.0.0.1", settings.listener.port)):
        found = ports.port("listener", settings, None, SYSTEM)
    assert found.what.endswith(f", held by our own service (process {os.getpid()})")


def test_a_service_that_runs_without_listening_is_red(settings: Settings) -> None:
    found = ports.port("listener", settings, _running(settings), SYSTEM)
    assert found.status == "red"
    assert found.what.endswith(f"but nothing listens at 127.0.0.1:{settings.listener.port}")


def test_security_S4_a_caller_without_an_address_is_red_and_named(run: Doctor, settings: Settings) -> None:
    listed = [{"ae_title": "CAMERA", "host": "no-such-host.invalid"}, {"ae_title": "PACS", "host": "127.0.0.1"}]
    ended = run(RETINAGATE__LISTENER__ALLOWED_CALLERS=json.dumps(listed))
    assert ended.returncode == 1
    assert about(ended, "callers") == [
        "RED   callers       no address is known for CAMERA at no-such-host.invalid, so nothing is taken from there",
        f"      do this       correct the host in listener.allowed_callers, or the name server{AGAIN}",
    ]


def test_security_S4_callers_that_are_known_are_listed(settings: Settings) -> None:
    listed = _with(settings, "listener", allowed_callers=({"ae_title": "CAMERA", "host": "camera-1"},))
    assert ports.callers(listed, SYSTEM, lambda _: frozenset({"10.0.0.9"})).what == "CAMERA at camera-1"


def test_security_S1_a_listener_for_the_network_without_callers_is_red(settings: Settings) -> None:
    found = ports.callers(_with(settings, "listener", host="0.0.0.0"), SYSTEM)
    assert found.what == "listener.host lets the network in, but listener.allowed_callers is empty"


@pytest.mark.parametrize(
    ("microseconds", "status", "what"),
    [
        (None, "warn", "whether it is synchronised cannot be known here; case ages may be wrong"),
        (16_000_000, "warn", "not synchronised; case ages may be wrong"),
        (1_500, "ok", "synchronised, off by 0.002 s at most"),
    ],
)
def test_the_clock_is_judged_by_what_the_kernel_says(microseconds: int | None, status: str, what: str) -> None:
    found = clock.judge(microseconds)
    assert (found.status, found.what) == (status, what)
    assert bool(found.remedy) == (status == "warn")


def test_the_kernel_says_how_wrong_the_clock_may_be() -> None:
    assert (error := clock.greatest_error()) is None or error >= 0


def test_security_S19_no_line_holds_a_secret(run: Doctor, settings: Settings) -> None:
    nobody = free_port()
    for arguments in ([], ["--json"]):
        ended = run(
            *arguments,
            RETINAGATE__DATABASE__URL=f"postgresql+psycopg://reader:{SECRET}@127.0.0.1:{nobody}/casebook",
            RETINAGATE__BROKER__URL=f"amqp://reader:{SECRET}@127.0.0.1:{nobody}//",
        )
        assert ended.returncode == 1
        assert f"PostgreSQL at 127.0.0.1:{nobody}: nothing listens there" in ended.stdout
        assert f"RabbitMQ at 127.0.0.1:{nobody}: nothing listens there" in ended.stdout
        assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize("url", [f"mysql://a:{SECRET}@b/c", f"{SECRET}", f"postgresql://a:{SECRET}@b:port/c"])
def test_a_database_url_that_cannot_be_used_is_red_and_not_shown(url: str, settings: Settings) -> None:
    found = rows.database(_with(settings, "database", url=url))
    assert found.status == "red"
    assert found.what.startswith("database.url ")
    assert SECRET not in repr(found)


def test_what_hangs_is_red_in_time_and_what_fails_is_heard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()

    def hang(_: object) -> Finding:
        hanging.wait(60)
        raise AssertionError

    def fail(_: object) -> Finding:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(disk, "home", hang)
    monkeypatch.setattr(rows, "database", fail)
    monkeypatch.setattr("gateway.checks.model.model", lambda *_: Finding("model", "ok", "left out"))  # type: ignore[arg-type]
    begun = time.monotonic()
    found = list(doctor.examine(settings, seconds=1.0))
    assert time.monotonic() - begun < 5
    hanging.set()
    assert (found[0].check, found[0].status, found[0].what) == ("home", "red", "no answer within 1 s")
    assert (found[1].check, found[1].what) == ("database", "the check itself failed (ZeroDivisionError)")
    assert found[-1].check == "clock"


def test_a_sentence_becomes_a_clause() -> None:
    assert clause("Install it again.") == "install it again"
    assert clause("SQLite 3 is old.") == "SQLite 3 is old"
    assert clause("RetinaGate runs.") == "RetinaGate runs"
    assert clause("A part is missing.") == "a part is missing"


def _with(settings: Settings, section: str, **values: Any) -> Settings:
    content = settings.model_dump()
    return Settings.model_validate(content | {section: content[section] | values})


def _set_schema(settings: Settings, revision: str) -> None:
    database = Database(settings.database_url)
    with database.transaction() as t:
        t.connection().exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    database.close()


def _running(settings: Settings) -> Running:
    return running.Running(
        process=os.getpid(),
        ae_title=settings.listener.ae_title,
        dicom_host=settings.listener.host,
        dicom_port=settings.listener.port,
        dashboard_host=settings.dashboard.host,
        dashboard_port=settings.dashboard.port,
        loopback_port=1,
        self_test_secret="-",
    )
