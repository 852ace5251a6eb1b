"""The real application on a casebook of its own, and people in front of it."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from fastapi import FastAPI
from visitor import QUICK, Visitor, add_person

from casebook.archive import Archive
from casebook.database import Database
from casebook.models import Role
from casebook.settings import Dashboard
from dashboard.app import make_app


@pytest.fixture
def database(one_database: Database) -> Database:
    """Both engines are tried where the rows are written."""
    return one_database


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
