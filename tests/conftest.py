"""What every test may ask for: a casebook on both engines, a clock moved by hand, and the programs beside us.

A program or data set that is missing is named at the end of the run; with ``DEMAND_PEERS=1`` it fails instead.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import compose
import private_brokers
import private_postgresql
import psycopg
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
    "redis": ("/usr/bin/redis-server", "redis-server"),
    "rabbitmq": ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
    "node": ("/usr/bin/node", "nodejs"),
    "chromium": ("/usr/bin/chromium", "chromium"),
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


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Give the absolute path of a peer's program (a key of ``PROGRAMS``), or skip naming what installs it."""

    def find(name: str) -> str:
        path, package = PROGRAMS[name]
        if not Path(path).exists():
            _absent(pytestconfig, name, f"apt-get install {package}")
        return path

    return find


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """Give the folder of what the tests use from npm, or skip naming what installs it."""
    folder = ROOT / "tests" / "node" / "node_modules"
    if not (folder / "installed").exists():
        _absent(pytestconfig, "packages from npm", "scripts/node.sh")
    return folder


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


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a server that lets us make databases: the machine's, or a private one."""
    url = os.environ.get("TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        if private_postgresql.binaries() is None:
            _absent(pytestconfig, "PostgreSQL", "apt-get install postgresql")
        with private_postgresql.server(tmp_path_factory.mktemp("postgresql")) as private:
            yield private
    else:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database of its own."""
    name = f"retinagate_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield postgresql_server.replace("postgresql://", "postgresql+psycopg://").rsplit("/", 1)[0] + f"/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def rabbitmq_url(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a RabbitMQ of our own, with the user and the virtual host of the compose file."""
    given = compose.services(compose.example() | compose.SECRETS)["rabbitmq"]["environment"]
    with private_brokers.rabbitmq_server(program("rabbitmq"), tmp_path_factory.mktemp("rabbitmq"), given) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a Redis of our own."""
    with private_brokers.redis_server(program("redis"), tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of its own, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Give an empty casebook on each engine in turn."""
    database = Database(database_url)
    database.create_schema()
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of an empty SQLite casebook, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "casebook.sqlite3"
    database = Database(f"sqlite:///{file}")
    database.create_schema()
    database.close()
    return file


@pytest.fixture
def one_database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    """Give an empty casebook at once, for what does not depend on the engine."""
    database = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / 'casebook.sqlite3')}")
    yield database
    database.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Give an empty archive without a reserve."""
    archive = Archive(tmp_path / "archive", reserve_mb=0)
    archive.prepare("a-test-installation", is_new=True)
    return archive
