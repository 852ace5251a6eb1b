"""A listener for each test, on SQLite."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certificates
import pytest
from certificates import Certificates
from listening import SHORT, Place, new_archive, start

from casebook.archive import Archive
from casebook.database import Database


@pytest.fixture
def database(one_database: Database) -> Database:
    """Both engines are tried where the rows are written."""
    return one_database


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return new_archive(tmp_path / "archive")


@pytest.fixture
def listen(database: Database, archive: Archive) -> Iterator[Callable[..., Place]]:
    """Start listeners: ``listen(limits=..., max_associations=..., ...)``."""
    places: list[Place] = []

    def begin(archive: Archive = archive, **options: Any) -> Place:
        places.append(start(database, archive, **options))
        return places[-1]

    yield begin
    for place in places:
        place.listener.stop()


@pytest.fixture
def place(listen: Callable[..., Place]) -> Place:
    return listen()


@pytest.fixture
def hasty(listen: Callable[..., Place]) -> Place:
    """Give a listener whose deadlines a test can wait for."""
    return listen(limits=SHORT)


@pytest.fixture(scope="module")
def crowded(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a hasty listener that many examples of a property share."""
    folder = tmp_path_factory.mktemp("crowded")
    database = Database(f"sqlite:///{shutil.copy(migrated, folder)}")
    place = start(database, new_archive(folder / "archive"), SHORT)
    yield place
    place.listener.stop()
    database.close()


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give certificates of a listener, a camera, and of peers that must not get in."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))
