"""The audit is one chain, whoever writes at the same time, and what was changed in it is named (security S17)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text

from casebook import audit
from casebook.clock import SYSTEM
from casebook.database import Database
from casebook.models import AuditRow


def test_security_S17_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    def write(actor: str) -> None:
        for _ in range(10):
            with database.transaction() as t:
                audit.append(t, SYSTEM.now(), actor=actor, action="test")

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, "abcd"))
    with database.reading() as t:
        assert t.scalar(select(func.count()).select_from(AuditRow)) == 40
        assert audit.first_broken(t) is None


def _act(database: Database, clock: Any, actor: str) -> None:
    with database.transaction() as t:
        audit.append(t, clock.now(), actor=actor, action="case.view")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE seq = 2",
        "UPDATE audit SET outcome = 'refused' WHERE seq = 2",
        "UPDATE audit SET action = 'login', detail = '' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
    ],
)
def test_H22_a_row_that_was_changed_behind_the_triggers_is_named(database: Database, clock: Any, change: str) -> None:
    for name in ("one", "two", "three"):
        _act(database, clock, name)
    clock.move(-3600)  # a clock that is set back breaks nothing
    _act(database, clock, "four")
    with database.transaction() as t:
        assert audit.first_broken(t) is None
        if database.is_sqlite:
            for trigger in ("audit_no_update", "audit_no_delete"):
                t.execute(text(f"DROP TRIGGER {trigger}"))
        else:
            t.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        t.execute(text(change))
        assert audit.first_broken(t) == (3 if "DELETE" in change else 2)
