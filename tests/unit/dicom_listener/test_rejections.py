"""Who was refused is audited, seldom, and never at the cost of an answer (security S4)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from listening import Place, until
from raw_association import RawAssociation
from sqlalchemy import select, text

from casebook import audit, telemetry
from casebook.database import Database
from casebook.models import AuditRow
from dicom_listener.outcomes import Outcome
from dicom_listener.rejections import MOST_ROWS, Rejections


def rows(database: Database) -> list[tuple[str, str, str, str]]:
    with database.reading() as t:
        assert audit.first_broken(t) is None
        written = t.scalars(select(AuditRow).where(AuditRow.actor == "listener").order_by(AuditRow.seq))
        return [(row.action, row.address, row.outcome, row.detail) for row in written]


def lost() -> float:
    return telemetry.REGISTRY.get_sample_value("retinagate_rejections_lost_total") or 0.0


@pytest.fixture
def rejections(database: Database, clock: Any) -> Iterator[Rejections]:
    rejections = Rejections(database, clock)
    rejections.start()
    yield rejections
    rejections.stop()


def test_security_S4_the_first_refusal_is_written_at_once_and_the_next_together(
    rejections: Rejections, database: Database
) -> None:
    first = ("association.refuse", "10.0.0.5", "caller_unknown", "calling title STRANGER, 1 x")
    rejections.note(Outcome.CALLER_UNKNOWN, "10.0.0.5", "STRANGER")
    assert until(lambda: rows(database) == [first])
    for _ in range(200):
        rejections.note(Outcome.CALLER_UNKNOWN, "10.0.0.5", "STRANGER")
        rejections.note(Outcome.CALLED_WRONG, "10.0.0.5", None)
    assert rows(database) == [first]  # the minute is not over
    rejections.stop()
    assert rows(database) == [
        first,
        ("association.refuse", "10.0.0.5", "caller_unknown", "calling title STRANGER, 200 x"),
        ("association.refuse", "10.0.0.5", "called_wrong", "without a calling title, 200 x"),
    ]


def test_security_S4_every_minute_is_one_transaction_of_a_few_rows(database: Database, clock: Any) -> None:
    before = lost()
    rejections = Rejections(database, clock)
    for number in range(1000):
        rejections.note(Outcome.CALLER_UNKNOWN, "10.0.0.5", f"TITLE{number}")
    rejections.write()
    assert len(rows(database)) == MOST_ROWS
    assert lost() - before == 1000 - MOST_ROWS
    rejections.note(Outcome.CALLER_UNKNOWN, "10.0.0.5", "TITLE1000")
    rejections.write()
    assert len(rows(database)) == MOST_ROWS + 1


def test_what_is_noted_again_and_again_is_written_again_and_again(database: Database, clock: Any) -> None:
    rejections = Rejections(database, clock, every_seconds=0.01)
    rejections.start()
    for written in (1, 2, 3):
        rejections.note(Outcome.BUSY, "10.0.0.5", "CAMERA")
        assert until(lambda so_many=written: len(rows(database)) == so_many)
    rejections.stop()


def test_a_database_that_is_away_loses_refusals_and_counts_them(clock: Any) -> None:
    before = lost()
    away = Database("sqlite:////nowhere/casebook.sqlite3")
    rejections = Rejections(away, clock)
    rejections.note(Outcome.BUSY, "10.0.0.5", "CAMERA")
    rejections.note(Outcome.BUSY, "10.0.0.5", "CAMERA")
    rejections.write()
    assert lost() - before == 2
    away.close()


def test_security_S4_a_refused_association_is_audited_with_its_checked_title_alone(
    listen: Callable[..., Place], database: Database
) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    for calling in (b"STRANGER", b"STRANGER", b"<script>", b"a\nb", b"CAM\xe9RA", b"\\"):
        with RawAssociation(place.address) as peer:
            peer.associate(calling=calling)
    place.listener.stop()
    written = rows(database)
    assert written[0][:3] == ("association.refuse", "127.0.0.1", "caller_unknown")
    titles = {detail.rpartition(",")[0] for _, _, _, detail in written}
    assert titles == {"calling title STRANGER", "calling title <script>", "without a calling title"}
    assert sum(int(detail.split()[-2]) for _, _, _, detail in written) == 6


def test_security_S4_a_refusal_is_answered_while_the_database_hangs(
    listen: Callable[..., Place], database: Database
) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    with database.transaction() as t:  # the one writer of SQLite
        t.execute(text("SELECT 1"))
        for _ in range(20):
            with RawAssociation(place.address, timeout=2.0) as peer:
                assert peer.associate(calling=b"STRANGER") == (3, bytes([0, 1, 1, 3]))
        assert rows(database) == []
