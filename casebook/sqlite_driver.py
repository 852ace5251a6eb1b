"""SQLite as it can be trusted: the driver that carries its own library, and the versions that are refused (R3).

Versions 3.7.0 to 3.51.2 can damage a database in WAL mode when two connections checkpoint and write at one instant
(sqlite.org/wal.html#walresetbug); 3.44.6 and 3.50.7 carry the cure. Debian 12's own 3.40.1 does not.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL

from casebook.errors import Misconfigured

_FIRST_WITH_WAL, _FIRST_CURED = (3, 7, 0), (3, 51, 3)
_CURED_LINES: dict[tuple[int, ...], tuple[int, int, int]] = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
_REMEDY = "Install RetinaGate's own one again: make install."


def driver() -> Any:
    """Return the DB-API module that SQLAlchemy shall use.

    Raises:
        Misconfigured: it is missing, or its SQLite can damage the database.
    """
    try:
        import pysqlite3.dbapi2 as module
    except ImportError:
        raise Misconfigured("The SQLite driver pysqlite3 is missing.", _REMEDY) from None
    check_version(module.sqlite_version)
    return module


def check_version(version: str) -> None:
    """Refuse a version of the SQLite library that has the WAL-reset fault.

    Args:
        version: as the library says it, such as ``3.40.1``.

    Raises:
        Misconfigured: it has the fault.
    """
    numbers = tuple(int(number) for number in version.split("."))
    cured = numbers >= _CURED_LINES.get(numbers[:2], _FIRST_CURED)
    if numbers >= _FIRST_WITH_WAL and not cured:
        raise Misconfigured(f"SQLite {version} can damage the database (its WAL-reset fault).", _REMEDY)


def to_look_at(file: Path) -> str:
    """Return the URL under which a casebook is read without a trace: no file is made, changed or removed beside it."""
    query = {"mode": "ro", "uri": "true"}
    if not file.with_name(f"{file.name}-wal").exists():
        query["immutable"] = "1"  # nobody has it open; without this the reader would leave a log of its own behind
    return URL.create("sqlite", database=f"file:{quote(str(file))}", query=query).render_as_string()
