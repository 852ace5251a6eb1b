"""Reporting stations beside real programs: a casebook of its own for each test, and Orthanc where one is asked for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from private_orthanc import TITLE, Orthanc
from reporting_desk import Desk

from casebook.archive import Archive
from casebook.database import Database
from casebook.settings import Destination


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine is enough here: both are tried where the rows are written."""
    return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"


@pytest.fixture
def orthanc(program: Callable[[str], str], tmp_path: Path) -> Iterator[Orthanc]:
    """Run an empty Orthanc of our own."""
    with Orthanc(program("orthanc"), tmp_path / "orthanc") as running:
        yield running


@pytest.fixture
def desk_for(database: Database, archive: Archive, clock: Any) -> Callable[..., Desk]:
    """Give reporter and sender for one destination on this machine."""

    def make(port: int, title: str = TITLE) -> Desk:
        return Desk(database, archive, clock, (Destination(name="pacs", ae_title=title, host="127.0.0.1", port=port),))

    return make
