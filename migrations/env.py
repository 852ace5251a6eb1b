"""How Alembic runs our revisions: each in one transaction, on SQLite with foreign keys off and checked afterwards.

With foreign keys on, rebuilding a SQLite table would delete its children through a cascade or fail; so they are off
while a revision runs, and an empty ``foreign_key_check`` is demanded before it is committed.
"""

from alembic import context
from sqlalchemy import Connection, text

from casebook.database import Database
from casebook.models import Base


def _run(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    if is_sqlite and connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise RuntimeError("the migration left rows without the rows they point to")


def run() -> None:
    """Migrate the database whose URL was handed in."""
    database = Database(context.config.attributes["url"])
    try:
        with database.engine.connect() as connection:
            if database.is_sqlite:
                connection.exec_driver_sql("COMMIT")  # the pragma does nothing inside a transaction
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            _run(connection)
            connection.commit()
    finally:
        database.close()


run()
