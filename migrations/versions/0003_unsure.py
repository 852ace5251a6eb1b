"""A photograph may be graded and in doubt: the word unsure joins the closed set of reasons.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REASONS = (
    "not_fundus", "too_dark", "too_bright", "blurred", "truncated", "monochrome", "syntax", "damaged", "limits",
    "grading_failed", "kind", "one_channel", "own_object", "unsure",
)  # fmt: skip


def upgrade() -> None:
    words = ", ".join(f"'{reason}'" for reason in _REASONS)
    for table in ("photographs", "gradings"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_reason"), type_="check")
            batch.create_check_constraint(op.f(f"ck_{table}_reason"), sa.text(f"reason IN ({words})"))
