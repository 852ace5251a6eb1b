"""The audit is one chain, whoever writes at the same time (security S17)."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

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
