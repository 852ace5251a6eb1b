"""The engine: SQLite (WAL, FULL, through pysqlite3) or PostgreSQL, and units of work at the border."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from casebook import sqlite_driver
from casebook.errors import Misconfigured, Unavailable

log = logging.getLogger(__name__)

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL may roll back what was acknowledged when the power fails
    "foreign_keys=ON",
    "busy_timeout=10000",
    "recursive_triggers=ON",  # else INSERT OR REPLACE passes the audit table's triggers
)
_MIGRATION_LOCK = 0x5265_7469_6E61
_PATIENCE_SECONDS = 10


class Schema(StrEnum):
    """How a database's schema compares with the one this version knows."""

    ABSENT = "absent"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


class Database:
    """The casebook's rows.

    Args:
        url: SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql+psycopg://...``.

    Raises:
        Misconfigured: the URL is of another kind or cannot be read.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose work is committed at the end, or rolled back whole.

        Raises:
            Unavailable: the database is locked or gone; whether a commit under way was kept is then unknown.
        """
        with self._session(writes=True) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads.

        Raises:
            Unavailable: the database is locked or gone.
        """
        with self._session(writes=False) as session:
            yield session

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        # A read transaction that wants to write later gets SQLITE_BUSY at once, so units of work begin IMMEDIATE.
        connection_options = {"casebook_writes": writes}
        with (
            _reached(),
            self.engine.connect().execution_options(**connection_options) as connection,
            Session(connection, expire_on_commit=False, autoflush=True) as session,
        ):
            try:
                yield session
                if writes:
                    session.commit()
            except BaseException:  # an interrupt too: whatever ended the work, nothing half-written stays
                session.rollback()
                raise

    def create_schema(self) -> None:
        """Bring the schema to the newest revision; safe when two start at once.

        Raises:
            Misconfigured: the schema is newer than this program.
            Unavailable: the database cannot be reached.
        """
        from alembic import command
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        configuration = _alembic_configuration(self.url)
        try:
            if self.schema_revision() == ScriptDirectory.from_config(configuration).get_current_head():
                return
            with self.engine.connect() as lock:
                if not self.is_sqlite:  # SQLite has one writer anyway
                    lock.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
                command.upgrade(configuration, "head")
        except CommandError as error:
            raise _newer() from error
        except OperationalError as error:
            raise _unavailable(error) from error

    def schema_revision(self) -> str | None:
        """Return the revision the database's schema is at; none in an empty one.

        Raises:
            Unavailable: the database cannot be reached.
        """
        from alembic.runtime.migration import MigrationContext

        with _reached(), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def schema(self) -> Schema:
        """Say whether the schema is the one this version knows.

        Raises:
            Unavailable: the database cannot be reached.
        """
        from alembic.script import ScriptDirectory

        revision = self.schema_revision()
        script = ScriptDirectory.from_config(_alembic_configuration(self.url))
        if revision is None:
            return Schema.ABSENT
        if revision == script.get_current_head():
            return Schema.CURRENT
        return Schema.OLDER if revision in {one.revision for one in script.walk_revisions()} else Schema.NEWER

    def check_schema(self) -> None:
        """Refuse a schema that is older or newer than this program.

        Raises:
            Misconfigured: naming the remedy.
            Unavailable: the database cannot be reached.
        """
        match self.schema():
            case Schema.CURRENT:
                return
            case Schema.NEWER:
                raise _newer()
            case Schema.ABSENT | Schema.OLDER:
                raise Misconfigured("The database's schema does not fit this version.", "Run: retinagate migrate")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _newer() -> Misconfigured:
    return Misconfigured(
        "The database has a schema this version does not know.", "Install the newer RetinaGate that made it."
    )


def _alembic_configuration(url: str) -> Any:
    from alembic.config import Config

    import migrations

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    configuration.attributes["url"] = url
    return configuration


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except Exception as error:  # a URL that is wrong in its port or password raises other than ArgumentError
        raise Misconfigured(
            "database.url cannot be read.", "Write it as postgresql+psycopg://USER@HOST/NAME."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, module=sqlite_driver.driver(), hide_parameters=True, connect_args={"isolation_level": None}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=_PATIENCE_SECONDS,
            connect_args={
                "connect_timeout": 5,
                # A host that died without a word would be waited for for a quarter of an hour.
                "tcp_user_timeout": _PATIENCE_SECONDS * 1000,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
                "options": "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=10000 -c timezone=UTC",
            },
        )
    raise Misconfigured("database.url names an engine that is not supported.", "Use sqlite:/// or postgresql://.")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("casebook_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _reached() -> Iterator[None]:
    """Turn every way in which a database can be away into one sentence."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnectionFree) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from error
        raise


def _unavailable(error: Exception) -> Unavailable:
    log.warning("database unavailable", extra={"error": type(error.__cause__ or error).__name__})
    return Unavailable("The database cannot be reached.", "Check that it runs, then try again.")
