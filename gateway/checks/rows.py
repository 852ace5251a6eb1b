"""The casebook as it lies there: database, schema, audit chain, and whether the archive is the one that belongs to it.

Everything is read without a trace: nothing is migrated, made or locked.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from casebook import audit, installation, sqlite_driver
from casebook.archive import Archive
from casebook.database import Database, Schema
from casebook.errors import Misconfigured, RetinaGateError
from casebook.models import Installation
from casebook.settings import Settings
from casebook.words import Unreachable
from gateway.checks.disk import nearest, room_at_archive, usable
from gateway.checks.finding import Finding, ok, red, refused, unreached, warn
from gateway.checks.reach import reach

_POSTGRESQL_PORT = 5432
_LOGIN = ("password authentication failed", 'role "', "no pg_hba.conf entry", "no password supplied")


@contextmanager
def looking(settings: Settings) -> Iterator[Database | None]:
    """Open the casebook so that reading it leaves no trace; None where SQLite's file is not there yet.

    Raises:
        Misconfigured: ``database.url`` cannot be used, or the driver is not good enough.
    """
    file = _file(settings)
    if file is not None and (not file.exists() or not file.stat().st_size):
        yield None
        return
    url = settings.database_url if file is None else sqlite_driver.to_look_at(file)
    with closing(Database(url)) as casebook:
        yield casebook


def database(settings: Settings) -> Finding:
    """Look whether the database can be used and its schema is this version's."""
    try:
        name = _name(settings)
        fault = _file_fault(settings, name) if _file(settings) else _server_fault(settings, name)
        if fault is not None:
            return fault
        with looking(settings) as casebook:
            schema = Schema.ABSENT if casebook is None else casebook.schema()
            fault = None if casebook is None or casebook.is_sqlite else _durability_fault(casebook, name)
        return fault or _schema_finding(settings, name, schema)
    except RetinaGateError as error:
        if isinstance(error.__cause__, DBAPIError):  # the driver knows better than our sentence why
            return _unreadable(settings, _name(settings), str(error.__cause__.orig))
        return refused("database", error)
    except DBAPIError as error:
        return _unreadable(settings, _name(settings), str(error.orig))


def audit_chain(settings: Settings) -> list[Finding]:
    """Look whether every row of the audit follows from the one before; silent where the database cannot be read."""
    try:
        with looking(settings) as casebook:
            if casebook is None or casebook.schema() is not Schema.CURRENT:
                return []
            with casebook.reading() as t:
                broken = audit.first_broken(t)
    except (RetinaGateError, DBAPIError):
        return []
    if broken is None:
        return [ok("audit", "chain unbroken")]
    return [
        red(
            "audit",
            f"row {broken} does not follow from the one before: somebody changed what was written",
            "keep the database as it is, compare it with a backup, and find out who could write to it",
        )
    ]


def archive(settings: Settings) -> Finding:
    """Look whether the archive is this casebook's and can be written."""
    folder = settings.archive_path
    kept = Archive(folder, settings.archive.reserve_mb)
    remedy = "give it to the user that runs the service, or set archive.path"
    try:
        owner = _owner(settings)
        if owner is not None:
            kept.check_owner(owner[0], is_new=owner[1])
        if not all(usable(nearest(inner)) for inner in (folder, kept.incoming, kept.objects)):
            return red("archive", f"{folder} cannot be {'written' if folder.exists() else 'made'}", remedy)
        room = room_at_archive(settings)
    except Misconfigured as error:
        return refused("archive", error)
    except OSError as error:
        return red("archive", f"{folder} cannot be looked at ({error.strerror})", remedy)
    if room is not None and (lack := room.lack("archive")) is not None:
        return lack
    space = f", {room.in_words}" if room is not None else ""
    if not folder.exists():
        return ok("archive", f"not there yet; the first start makes it{space}")
    return ok("archive", ("of this casebook, " if owner is not None else "") + f"writable{space}")


def _owner(settings: Settings) -> tuple[str, bool] | None:
    """Return the installation's identity, empty before the first start, and whether it holds no files."""
    try:
        with looking(settings) as casebook:
            schema = Schema.ABSENT if casebook is None else casebook.schema()
            if casebook is None or schema is Schema.ABSENT:
                return "", True
            with casebook.reading() as t:
                row = t.get(Installation, 1)
                return ("", True) if row is None else (row.identity, not installation.holds_files(t))
    except (RetinaGateError, DBAPIError):
        return None


def _file(settings: Settings) -> Path | None:
    """Return SQLite's file, or None where the rows lie in a server."""
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):
        return None
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _name(settings: Settings) -> str:
    """Return how a line names the database.

    Raises:
        Misconfigured: the URL cannot be read, or the driver is not good enough.
    """
    if _file(settings) is not None:
        return f"SQLite {sqlite_driver.driver().sqlite_version}"
    with closing(Database(settings.database_url)) as casebook:
        url = casebook.engine.url
        return f"PostgreSQL at {url.host}:{url.port or _POSTGRESQL_PORT}" if url.host else "PostgreSQL"


def _file_fault(settings: Settings, name: str) -> Finding | None:
    file = _file(settings)
    assert file is not None
    if file.is_dir() or not usable(nearest(file.parent)) or (file.exists() and not os.access(file, os.W_OK)):
        return red("database", f"{name}: {file} cannot be written", "give it to the user that runs the service")
    return None


def _server_fault(settings: Settings, name: str) -> Finding | None:
    url = make_url(settings.database_url)
    if not url.host or url.host.startswith("/"):  # a socket of this machine
        return None
    why = reach(url.host, url.port or _POSTGRESQL_PORT)
    return unreached("database", name, why) if why is not None else None


def _unreadable(settings: Settings, name: str, said: str) -> Finding:
    """Find why a database that is there cannot be read; what the driver said is judged, for it may name a secret."""
    file = _file(settings)
    if file is not None:
        return red("database", f"{name}: {file} cannot be read ({said})", "restore it from a backup if that stays so")
    if any(text in said for text in _LOGIN):
        return red("database", f"{name} refuses the user or the password", "correct them in database.url")
    if 'database "' in said and "does not exist" in said:
        return red("database", f"{name} has no such database", "make it there, or correct its name in database.url")
    if "timeout" in said:
        return unreached("database", name, Unreachable.SILENT)
    return red("database", f"{name} does not let us in", "look into its log, and check database.url")


def _durability_fault(casebook: Database, name: str) -> Finding | None:
    """Find that the server may forget what it has acknowledged (R3)."""
    with casebook.reading() as t:
        connection = t.connection()
        for setting in ("fsync", "synchronous_commit"):
            if connection.exec_driver_sql(f"SHOW {setting}").scalar() == "off":
                return red(
                    "database",
                    f"{name}: {setting} is off, so a power cut loses what was acknowledged",
                    f"set {setting} to on there",
                )
    return None


def _schema_finding(settings: Settings, name: str, schema: Schema) -> Finding:
    match schema:
        case Schema.CURRENT:
            return ok("database", f"{name}, schema current")
        case Schema.OLDER:
            return red("database", f"{name}: the schema is older than this version", "run retinagate migrate")
        case Schema.NEWER:
            return red(
                "database",
                f"{name}: the schema is newer than this version",
                "install the newer RetinaGate that made it",
            )
        case Schema.ABSENT:
            empty = f"{name}: no schema yet"
            if settings.broker.url.startswith("memory:"):
                return warn("database", empty, "run retinagate up or retinagate migrate, which make it")
            return red("database", empty, "run retinagate migrate")  # no part of the service makes it by itself
