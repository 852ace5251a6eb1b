"""What every test may ask for: a casebook on both engines, a clock moved by hand, and the programs beside us.

A program or data set that is missing is named at the end of the run; with ``DEMAND_PEERS=1`` it fails instead.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database

ROOT = Path(__file__).resolve().parent.parent
MISSING: pytest.StashKey[dict[str, str]] = pytest.StashKey()

# Absolute paths: pynetdicom installs namesakes of DCMTK's programs into the virtual environment.
PROGRAMS = {
    "echoscu": ("/usr/bin/echoscu", "dcmtk"),
    "storescu": ("/usr/bin/storescu", "dcmtk"),
    "storescp": ("/usr/bin/storescp", "dcmtk"),
    "dcmsend": ("/usr/bin/dcmsend", "dcmtk"),
    "dcmcjpeg": ("/usr/bin/dcmcjpeg", "dcmtk"),
    "dcmcjpls": ("/usr/bin/dcmcjpls", "dcmtk"),
    "dcmcrle": ("/usr/bin/dcmcrle", "dcmtk"),
    "dcmconv": ("/usr/bin/dcmconv", "dcmtk"),
    "dsrdump": ("/usr/bin/dsrdump", "dcmtk"),
    "dciodvfy": ("/usr/bin/dciodvfy", "dicom3tools"),
    "dcentvfy": ("/usr/bin/dcentvfy", "dicom3tools"),
    "orthanc": ("/usr/sbin/Orthanc", "orthanc"),
    "java": ("/usr/bin/java", "pixelmed-apps"),
    "pixelmed": ("/usr/share/java/pixelmed.jar", "pixelmed-apps"),
}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MISSING] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    node.config.stash[MISSING].update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["missing"] = session.config.stash[MISSING]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    missing = config.stash[MISSING]
    if not missing:
        return
    terminalreporter.section("not run here, for something is missing")
    for name, remedy in sorted(missing.items()):
        terminalreporter.write_line(f"{name}: {remedy}")
    packages = sorted({remedy.rsplit(" ", 1)[1] for remedy in missing.values() if remedy.startswith("apt-get")})
    if packages:
        terminalreporter.write_line(f"install them all: apt-get install {' '.join(packages)}")


def _absent(config: pytest.Config, name: str, remedy: str) -> None:
    config.stash[MISSING][name] = remedy
    if os.environ.get("DEMAND_PEERS") == "1":
        pytest.fail(f"{name} is missing and demanded here: {remedy}", pytrace=False)
    pytest.skip(f"{name} is missing: {remedy}")


@pytest.fixture
def program(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Give the absolute path of a peer's program (a key of ``PROGRAMS``), or skip naming what installs it."""

    def find(name: str) -> str:
        path, package = PROGRAMS[name]
        if not Path(path).exists():
            _absent(pytestconfig, name, f"apt-get install {package}")
        return path

    return find


@pytest.fixture
def photographs(pytestconfig: pytest.Config) -> Path:
    """Give the folder of real photographs beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "labels.csv").exists():
        _absent(pytestconfig, "real photographs", "lay the folder shared/data beside the checkout")
    return folder


class HandClock(Clock):
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 12, 8, 2, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database of its own, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'casebook.sqlite3'}"
        return
    import psycopg

    server = os.environ.get("TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
    name = f"retinagate_test_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(server, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        _absent(request.config, "PostgreSQL", "apt-get install postgresql")
        raise AssertionError from None
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield server.replace("postgresql://", "postgresql+psycopg://").rsplit("/", 1)[0] + f"/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give an empty casebook on each engine in turn."""
    database = Database(database_url)
    database.create_schema()
    yield database
    database.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Give an empty archive without a reserve."""
    archive = Archive(tmp_path / "archive", reserve_mb=0)
    archive.prepare("a-test-installation", is_new=True)
    return archive
