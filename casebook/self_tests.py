"""What came of each self-test: an act in the audit, which outlives every process; the metric O39 is read from it."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casebook import audit
from casebook.models import AuditRow

ACTOR = "self-test"
_ACTION, _GREEN, _RED = "selftest.run", "green", "red"


def record(t: Session, now: datetime, *, case_id: int | None, red: str = "") -> None:
    """Write that a self-test ended.

    Args:
        case_id: the synthetic case it made, if it came so far.
        red: the step that failed; empty when all were green.
    """
    audit.append(
        t, now, actor=ACTOR, action=_ACTION, case_id=case_id, outcome=_RED if red else _GREEN, detail=red
    )  # fmt: skip


class LastGreen:
    """Knows when a self-test last was green; each look reads only the rows since the one before."""

    def __init__(self) -> None:
        self._seen = 0
        self._at: datetime | None = None

    def look(self, t: Session) -> datetime | None:
        """Return the time, or none where there never was one."""
        newest = t.scalar(select(func.max(AuditRow.seq))) or 0
        since = select(func.max(AuditRow.at)).where(
            AuditRow.seq > self._seen, AuditRow.seq <= newest, AuditRow.action == _ACTION, AuditRow.outcome == _GREEN
        )
        self._at = t.scalar(since) or self._at
        self._seen = newest
        return self._at
