"""The real application on a casebook of its own, and people in front of it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from visitor import QUICK, Visitor, add_person

from casebook.archive import Archive
from casebook.database import Database
from casebook.models import Role
from casebook.settings import Dashboard
from dashboard.app import make_app


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty casebook, migrated once and copied for each test; both engines are tried where the rows are written."""
    file = tmp_path_factory.mktemp("migrated") / "casebook.sqlite3"
    database = Database(f"sqlite:///{file}")
    database.create_schema()
    database.close()
    return file


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    file = shutil.copy(migrated, tmp_path / "casebook.sqlite3")
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture
def app(database: Database, archive: Archive, clock: Any) -> FastAPI:
    app = make_app(Dashboard(allowed_hosts=("testserver",)), database, archive, clock, passwords=QUICK)
    app.state.zone = UTC  # whatever zone this machine is set to
    return app


@pytest.fixture
def signed_in(app: FastAPI, database: Database, clock: Any) -> Callable[[Role], Visitor]:
    """Make a user of a role, named like it, and a browser in which that user is signed in."""

    def enter(role: Role) -> Visitor:
        add_person(database, clock, role, role)
        visitor = Visitor(app)
        assert visitor.sign_in(role).status_code == 303
        return visitor

    return enter
