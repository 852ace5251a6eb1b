"""A database of an older version is brought to this one with everything that stands in it."""

from datetime import UTC, datetime, timedelta

from alembic import command
from listed_case import Eye, L, R, add_case, blurred
from sqlalchemy import select, text

from casebook.database import Database, _alembic_configuration
from casebook.models import Grading, Photograph, Session, User
from casebook.words import Reason

MADE = datetime(2026, 3, 12, 8, 2, tzinfo=UTC)


def test_R22_users_and_sessions_of_0001_are_kept_and_a_one_time_password_ends_a_day_after_it_was_made(
    database_url: str,
) -> None:
    database = Database(database_url)
    command.upgrade(_alembic_configuration(database_url), "0001")
    with database.transaction() as t:
        for number, name, must_change in ((1, "admin", True), (2, "reader", False)):
            t.execute(
                text(
                    "INSERT INTO users (id, name, display_name, role, password_hash, must_change, created_at)"
                    " VALUES (:id, :name, :name, 'admin', 'x', :must_change, :at)"
                ),
                {"id": number, "name": name, "must_change": must_change, "at": MADE if not database.is_sqlite else str(MADE.replace(tzinfo=None))},
            )  # fmt: skip
        t.add(Session(secret_sha256="a" * 64, user_id=2, created_at=MADE, seen_at=MADE, expires_at=MADE))
    database.create_schema()
    database.check_schema()
    with database.reading() as t:
        users = {user.name: user for user in t.scalars(select(User))}
        assert users["admin"].password_expires_at == MADE + timedelta(hours=24)
        assert users["reader"].password_expires_at is None
        assert t.scalars(select(Session)).one().user is users["reader"]
    database.close()


def test_R22_photographs_and_gradings_of_0002_are_kept_and_may_be_in_doubt(database_url: str) -> None:
    database = Database(database_url)
    command.upgrade(_alembic_configuration(database_url), "0002")
    with database.transaction() as t:
        add_case(t, (Eye(R, 3), blurred(L)), MADE)
    database.create_schema()
    database.check_schema()
    with database.transaction() as t:
        photographs = t.scalars(select(Photograph).order_by(Photograph.id)).all()
        assert [photograph.reason for photograph in photographs] == [None, Reason.BLURRED]
        gradings = t.scalars(select(Grading).order_by(Grading.id)).all()
        assert [grading.grade for grading in gradings] == [3, None]
        photographs[0].reason = gradings[0].reason = Reason.UNSURE
    database.close()
