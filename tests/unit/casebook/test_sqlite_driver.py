"""SQLite is used only where it is known to keep what it was given (R3)."""

import sys
from pathlib import Path

import pytest

from casebook import sqlite_driver
from casebook.database import Database
from casebook.errors import Misconfigured, Unavailable


@pytest.mark.parametrize(
    "version", ["3.7.0", "3.40.1", "3.44.5", "3.45.1", "3.49.2", "3.50.4", "3.50.6", "3.51.0", "3.51.2"]
)
def test_R3_a_version_with_the_wal_reset_fault_is_refused(version: str) -> None:
    with pytest.raises(Misconfigured, match=f"^SQLite {version} can damage the database .* make install"):
        sqlite_driver.check_version(version)


@pytest.mark.parametrize("version", ["3.6.23.1", "3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.53.4", "4.0.0"])
def test_R3_a_cured_version_is_taken(version: str) -> None:
    sqlite_driver.check_version(version)


def test_R3_the_service_itself_refuses_an_old_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pysqlite3.dbapi2.sqlite_version", "3.40.1")
    with pytest.raises(Misconfigured, match=r"SQLite 3\.40\.1 can damage"):
        Database(f"sqlite:///{tmp_path / 'casebook.sqlite3'}")


def test_R3_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pysqlite3.dbapi2", None)
    with pytest.raises(Misconfigured, match="The SQLite driver pysqlite3 is missing"):
        Database(f"sqlite:///{tmp_path / 'casebook.sqlite3'}")


@pytest.mark.parametrize("name", ["casebook.sqlite3", "strange name?mode=rwc&x#%20.sqlite3"])
def test_a_look_leaves_no_trace(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    made = Database(f"sqlite:///{tmp_path / 'made'}")
    made.create_schema()
    made.close()
    (tmp_path / "made").rename(file)
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    looking = Database(sqlite_driver.to_look_at(file))
    assert looking.schema() == "current"
    looking.close()
    assert list(tmp_path.iterdir()) == [file]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_look_sees_what_a_running_service_has_just_written(tmp_path: Path) -> None:
    from sqlalchemy import text

    file = tmp_path / "casebook.sqlite3"
    service = Database(f"sqlite:///{file}")
    service.create_schema()
    with service.transaction() as t:
        t.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    looking = Database(sqlite_driver.to_look_at(file))
    assert looking.schema() == "newer"
    looking.close()
    service.close()


def test_a_look_makes_no_database(tmp_path: Path) -> None:
    looking = Database(sqlite_driver.to_look_at(tmp_path / "casebook.sqlite3"))
    with pytest.raises(Unavailable):
        looking.schema()
    assert list(tmp_path.iterdir()) == []
