"""The command line: it answers at once, says what is wrong in one sentence, and exits as its help says."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from casebook.database import Database
from casebook.models import AuditRow, User

COMMAND = str(Path(sys.executable).with_name("retinagate"))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            env={"PATH": "/usr/bin:/bin", "RETINAGATE_HOME": str(tmp_path / "home"), **environment},
            input=stdin, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("command", [["--help"], ["config", "show"], ["grade", "--help"]])
def test_performance_P36_quick_commands_load_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    heavy = ("numpy", "pynetdicom", "pydicom", "fastapi", "torch", "cv2", "openvino", "celery", "sqlalchemy")
    program = (
        "import sys\nfrom gateway.cli import main\n"
        f"try: main({command!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"RETINAGATE_HOME": str(tmp_path)}
    )
    assert ended.stderr.strip() == "[]"


def test_performance_P36_the_service_never_loads_torch_or_export_tools() -> None:
    program = (
        "import sys, gateway.up, gateway.stations, gateway.queue, gateway.grade, dicom_listener.server, dashboard.app\n"
        "print([name for name in ('torch', 'onnx', 'nncf', 'training') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    assert ended.stdout.strip() == "[]", ended.stderr


def test_an_unknown_command_offers_the_nearest(run: Run) -> None:
    ended = run("grad")
    assert ended.returncode == 2
    assert "Did you mean grade?" in ended.stderr


def test_a_wrong_setting_is_one_sentence_and_exit_2(run: Run) -> None:
    ended = run("fsck", RETINAGATE__LISTENER__PORT="0")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == ["retinagate: listener.port must be at least 1. Correct it and start again."]


def test_config_show_is_a_settings_file_without_secrets(run: Run, tmp_path: Path) -> None:
    destinations = json.dumps([{"name": "pacs", "ae_title": "PACS", "host": "10.0.0.5", "port": 4242}])
    url = "postgresql+psycopg://user:SECRET7F3A@host/name"
    shown = run("config", "show", RETINAGATE__DATABASE__URL=url, RETINAGATE__DESTINATIONS=destinations)
    assert shown.returncode == 0
    assert "SECRET7F3A" not in shown.stdout
    (tmp_path / "again.toml").write_text(shown.stdout)
    again = run("--config", str(tmp_path / "again.toml"), "config", "show")
    assert again.stdout == shown.stdout


def test_what_needs_a_schema_says_the_remedy(run: Run) -> None:
    ended = run("fsck")
    assert ended.returncode == 2
    assert "Run: retinagate migrate" in ended.stderr


def test_a_new_home_is_migrated_and_clean(run: Run, tmp_path: Path) -> None:
    assert run("migrate").stdout == "schema 0003\n"
    assert run("migrate").returncode == 0
    clean = run("fsck")
    assert (clean.returncode, clean.stdout) == (0, "clean\n")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_token_is_printed_alone_and_once(run: Run) -> None:
    run("migrate")
    added = run("token", "add", "script", "--scope", "read")
    assert added.returncode == 0
    assert added.stdout.startswith("rg_")
    assert len(added.stdout.split()) == 1
    assert run("token", "add", "script", "--scope", "read").returncode == 1


def test_a_user_needs_a_long_password_and_a_free_name(run: Run) -> None:
    run("migrate")
    short = run("user", "add", "Reader", "--role", "grader", "--password-stdin", stdin="short\n")
    assert (short.returncode, "12 to 256" in short.stderr) == (1, True)
    long = "correct horse battery\n"
    assert run("user", "add", "Reader", "--role", "grader", "--password-stdin", stdin=long).returncode == 0
    assert run("user", "add", "READER", "--role", "viewer", "--password-stdin", stdin=long).returncode == 1


def test_security_S1_a_user_who_is_locked_out_gets_another_password_role_or_no_way_in(run: Run, tmp_path: Path) -> None:
    run("migrate")
    password = "correct horse battery\n"
    unknown = run("user", "password", "Reader", "--password-stdin", stdin=password)
    assert (unknown.returncode, "retinagate user add" in unknown.stderr) == (1, True)
    run("user", "add", "Reader", "--role", "grader", "--password-stdin", stdin=password)
    common = run("user", "password", "reader", "--password-stdin", stdin="password1234\n")
    assert (common.returncode, "somebody would try" in common.stderr) == (1, True)
    for command in (
        ["user", "disable", "Reader"], ["user", "password", "READER", "--password-stdin"], ["user", "role", "reader", "viewer"],
    ):  # fmt: skip
        done = run(*command, stdin="another horse entirely\n")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "another horse" not in done.stderr
    database = Database(f"sqlite:///{tmp_path / 'home' / 'casebook.sqlite3'}")
    with database.reading() as t:
        user = t.query(User).one()
        assert (user.role, user.disabled_at, user.must_change) == ("viewer", None, False)
        acts = [(row.action, row.detail) for row in t.query(AuditRow).order_by(AuditRow.seq)]
    database.close()
    assert acts == [
        ("user.add", "user 1 as grader"), ("user.disable", "user 1"), ("user.password", "user 1"),
        ("user.role", "user 1 as viewer"),
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["regrade", "resend"])
def test_a_case_that_is_not_there_is_named(run: Run, command: str) -> None:
    run("migrate")
    ended = run(command, "99")
    assert ended.returncode == 1
    assert ended.stderr.startswith("retinagate: There is no case 99")


@pytest.mark.parametrize("command", ["listen", "work", "dashboard"])
def test_a_part_alone_needs_a_broker_that_others_can_hear(run: Run, command: str) -> None:
    run("migrate")
    ended = run(command)
    assert ended.returncode == 2
    assert "broker.url is memory://" in ended.stderr


def test_up_refuses_without_a_bundle(run: Run, tmp_path: Path) -> None:
    ended = run("up", RETINAGATE__MODEL__BUNDLE=str(tmp_path / "nothing"))
    assert ended.returncode == 2
    assert "There is no bundle" in ended.stderr
