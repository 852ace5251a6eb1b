"""One-time passwords end, wrong passwords are counted, and the reports of a revision are found by an index.

Revision: 0002, after 0001.
"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from casebook.models.base import Key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("password_expires_at", sa.DateTime(timezone=True), nullable=True))
    _end_one_time_passwords(op.get_bind())
    op.create_table(
        "failed_logins",
        sa.Column("id", Key, nullable=False),
        sa.Column("account_sha256", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_logins")),
    )
    op.create_index("ix_failed_logins_address", "failed_logins", ["address"], unique=False)
    op.create_index("ix_reports_revision_id", "reports", ["revision_id"], unique=False)


def _end_one_time_passwords(connection: sa.Connection) -> None:
    users = sa.table(
        "users",
        sa.column("id", Key),
        sa.column("must_change", sa.Boolean()),
        sa.column("created_at", sa.DateTime(timezone=True)),
        sa.column("password_expires_at", sa.DateTime(timezone=True)),
    )
    # In Python, for the engines add to a time differently.
    waiting = connection.execute(sa.select(users.c.id, users.c.created_at).where(users.c.must_change)).all()
    for user, created_at in waiting:
        connection.execute(
            users.update().where(users.c.id == user).values(password_expires_at=created_at + timedelta(hours=24))
        )
