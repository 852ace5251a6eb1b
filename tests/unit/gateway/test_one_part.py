"""A part that runs as a process of its own says in one sentence why it cannot, and ends."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from gateway.cli import main

Run = Callable[..., Result]
PARTS = ("listen", "work", "dashboard")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(part: str, database: str, broker: str = "redis://127.0.0.1:1/0") -> Result:
        monkeypatch.setenv("RETINAGATE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("RETINAGATE__DATABASE__URL", database)
        monkeypatch.setenv("RETINAGATE__BROKER__URL", broker)
        return CliRunner().invoke(main, [part])

    return run


@pytest.mark.parametrize("part", PARTS)
def test_F7_with_the_database_away_at_start(run: Run, part: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        ended = run(part, f"postgresql://me:CANARY7F3A@127.0.0.1:{taken.getsockname()[1]}/rows")
    assert (ended.exit_code, ended.stderr) == (
        1, "retinagate: The database cannot be reached. Check that it runs, then try again.\n",
    )  # fmt: skip


def test_R22_without_the_schema_it_names_the_command_that_makes_it(run: Run, postgresql_url: str) -> None:
    database = make_url(postgresql_url).render_as_string(hide_password=False)
    ended = run("listen", database)
    assert (ended.exit_code, ended.stderr) == (
        2, "retinagate: The database's schema does not fit this version. Run: retinagate migrate\n",
    )  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_broker_inside_one_process_is_refused(run: Run, part: str, tmp_path: Path) -> None:
    ended = run(part, f"sqlite:///{tmp_path / 'rows.sqlite3'}", "memory://")
    assert ended.exit_code == 2
    assert "memory://, which reaches no other process" in ended.stderr
