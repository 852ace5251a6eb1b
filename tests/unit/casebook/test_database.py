"""The schema is the same on both engines, made by the migrations, and refuses what must never be written."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from casebook.database import Database
from casebook.errors import Misconfigured, Unavailable
from casebook.models import AuditRow, Base, BundleRow, Case, Delivery, File, Grading, Job, Photograph, Report, Revision

NOW = datetime(2026, 3, 12, 8, 2, tzinfo=UTC)
SHA = "a" * 64


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing_and_the_schema_is_known(database: Database) -> None:
    database.create_schema()
    database.check_schema()


def test_R22_two_starts_at_once_both_find_the_schema(database_url: str, tmp_path: Path) -> None:
    environment = {"RETINAGATE_HOME": str(tmp_path), "RETINAGATE__DATABASE__URL": database_url}
    command = [str(Path(sys.executable).with_name("retinagate")), "migrate"]
    starts = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [start.communicate(timeout=60)[0] for start in starts] == ["schema 0003\n"] * 2


def test_R22_a_migration_leaves_no_lock_behind(database: Database) -> None:
    if database.is_sqlite:
        return
    # The database is open as it is in a service: a lock of its session would hold up whoever migrates later.
    with database.reading() as t:
        assert (
            t.scalar(
                text(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            )
            == 0
        )


def test_R22_a_schema_from_the_future_is_refused_with_the_remedy(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()
    for refuses in (database.check_schema, database.create_schema):
        with pytest.raises(Misconfigured, match="Install the newer RetinaGate that made it"):
            refuses()


def test_R22_a_database_without_a_schema_is_refused_with_the_remedy(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(Misconfigured, match="Run: retinagate migrate"):
        database.check_schema()
    database.close()


def test_a_database_that_is_away_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable), database.transaction() as t:
        t.execute(text("SELECT 1"))


@pytest.mark.parametrize("url", ["mysql://somebody:secret@host/name", "not a url with secret"])
def test_a_wrong_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def _fill(database: Database) -> None:
    with database.transaction() as t:
        for number in range(1, 7):
            t.add(File(path=f"objects/{number}", sha256=SHA, size=1, kind="original", created_at=NOW))
            t.flush()
        t.add(BundleRow(name="b", version="1", sha256=SHA, card="{}", first_used_at=NOW))
        t.add(
            Case(study_instance_uid="1.2", attributes="{}", first_received_at=NOW, last_received_at=NOW)
        )  # fmt: skip
        t.flush()
        t.add(Revision(**_revision()))
        t.add(Photograph(**_photograph()))
        t.flush()
        t.add(Report(**_report()))
        t.add(Job(kind="grade", subject="1", state="waiting", run_after=NOW, created_at=NOW))
        t.flush()
        t.add(Delivery(**_delivery()))


def _revision(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case_id": 1, "number": 1, "cause": "arrival", "status": "arriving", "opened_at": NOW, "last_object_at": NOW,
        "objects": 1,
    }  # fmt: skip
    return row | changes


def _photograph(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case_id": 1, "first_revision": 1, "sop_instance_uid": "1.2.1", "sop_class_uid": "1.2", "series_instance_uid": "1",
        "transfer_syntax_uid": "1.2", "dataset_sha256": SHA, "file_id": 1, "attributes": "{}", "gradability": "pending",
        "calling_ae": "A", "caller_host": "h", "received_at": NOW, "number_of_frames": 1, "laterality_contradicts": False,
        "station_name": "",
    }  # fmt: skip
    return row | changes


def _grading(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "photograph_id": 1, "frame": 1, "bundle_id": 1, "gradability": "gradable", "certainty": 0.9, "score": 2.0,
        "grade": 2, "confidence": 0.8, "runner": "r", "graded_at": NOW,
    }  # fmt: skip
    return row | changes


def _report(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "revision_id": 1, "product": "sr", "sop_instance_uid": "2.25.1", "sop_class_uid": "1", "series_instance_uid": "1",
        "transfer_syntax_uid": "1", "file_id": 2, "created_at": NOW,
    }  # fmt: skip
    return row | changes


def _delivery(**changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "report_id": 1, "destination": "pacs", "state": "waiting", "next_attempt_at": NOW, "created_at": NOW,
        "attempts": 0, "refusals": 0,
    }  # fmt: skip
    return row | changes


NONE: dict[str, object] = {"score": None, "grade": None, "confidence": None}
BROKEN = {
    "a path twice": (File, {"path": "objects/1", "sha256": SHA, "size": 1, "kind": "original", "created_at": NOW}),
    "a short hash": (File, {"path": "x", "sha256": "ab", "size": 1, "kind": "original", "created_at": NOW}),
    "an empty file": (File, {"path": "x", "sha256": SHA, "size": 0, "kind": "original", "created_at": NOW}),
    "an unknown kind": (File, {"path": "x", "sha256": SHA, "size": 1, "kind": "picture", "created_at": NOW}),
    "a study twice": (
        Case, {"study_instance_uid": "1.2", "attributes": "", "first_received_at": NOW, "last_received_at": NOW}),
    "two current revisions": (Revision, _revision(number=2)),
    "a number twice": (Revision, _revision(superseded_at=NOW)),
    "arriving and ready": (Revision, _revision(number=2, superseded_at=NOW, ready_at=NOW)),
    "ready without a time": (Revision, _revision(number=2, superseded_at=NOW, status="ready")),
    "an instance twice": (Photograph, _photograph(file_id=3)),
    "a file of two photographs": (Photograph, _photograph(sop_instance_uid="1.2.9")),
    "no frames": (Photograph, _photograph(sop_instance_uid="1.2.9", file_id=3, number_of_frames=0)),
    "an eye X": (Photograph, _photograph(sop_instance_uid="1.2.9", file_id=3, laterality="X")),
    "an ungradable eye with grade 0": (
        Grading, _grading(gradability="ungradable", reason="blurred", grade=0, score=0.0, confidence=0.5)),
    "an ungradable eye with a grade alone": (
        Grading, _grading(gradability="ungradable", reason="blurred", grade=0, score=None, confidence=None)),
    "an ungradable eye without a reason": (Grading, _grading(gradability="ungradable", **NONE)),
    "a gradable eye without a grade": (Grading, _grading(**NONE)),
    "a gradable eye without a score": (Grading, _grading(score=None)),
    "a limited eye without a reason": (Grading, _grading(gradability="limited")),
    "grade 5": (Grading, _grading(grade=5)),
    "grade -1": (Grading, _grading(grade=-1)),
    "score 4.1": (Grading, _grading(score=4.1)),
    "score not a number": (Grading, _grading(score=float("nan"))),
    "confidence 1.1": (Grading, _grading(confidence=1.1)),
    "certainty 2": (Grading, _grading(certainty=2.0)),
    "a grading of nothing": (Grading, _grading(photograph_id=99)),
    "a second report of the revision": (Report, _report(sop_instance_uid="2.25.2", file_id=3)),
    "a report UID twice": (Report, _report(product="overlay", photograph_id=1, frame=1, file_id=3)),
    "a photograph's report without its frame": (
        Report, _report(sop_instance_uid="2.25.2", product="overlay", photograph_id=1, file_id=3)),
    "a report sent twice": (Delivery, _delivery()),
    "waiting without a time": (Delivery, _delivery(destination="b", next_attempt_at=None)),
    "failed with a time": (Delivery, _delivery(destination="b", state="failed")),
    "sent without a time": (Delivery, _delivery(destination="b", state="sent", next_attempt_at=None)),
    "a job alive twice": (
        Job, {"kind": "grade", "subject": "1", "state": "waiting", "run_after": NOW, "created_at": NOW}),
    "leased without an owner": (
        Job, {"kind": "grade", "subject": "2", "state": "leased", "run_after": NOW, "created_at": NOW}),
    "waiting with an owner": (
        Job, {"kind": "grade", "subject": "2", "state": "waiting", "owner": "x", "leased_until": NOW, "run_after": NOW,
              "created_at": NOW}),
    "done without a time": (
        Job, {"kind": "grade", "subject": "2", "state": "done", "run_after": NOW, "created_at": NOW}),
    "a naive time": (
        File, {"path": "x", "sha256": SHA, "size": 1, "kind": "original",
               "created_at": datetime(2026, 1, 1)}),  # noqa: DTZ001
}  # fmt: skip


def test_rows_that_break_a_promise_are_refused(database: Database) -> None:
    _fill(database)
    accepted = []
    for name, (table, row) in BROKEN.items():
        try:
            with database.transaction() as t:
                t.execute(insert(table).values(**row))
        except (DBAPIError, StatementError):
            continue
        accepted.append(name)
    assert accepted == []


def test_the_sound_rows_beside_them_are_accepted(database: Database) -> None:
    _fill(database)
    sound: list[tuple[type[Base], dict[str, Any]]] = [
        (Grading, _grading()),
        (Grading, _grading(frame=2, gradability="limited", reason="blurred")),
        (Grading, _grading(frame=3, gradability="ungradable", reason="blurred", **NONE)),
        (Grading, _grading(superseded_at=NOW)),
        (Report, _report(sop_instance_uid="2.25.2", product="overlay", photograph_id=1, frame=1, file_id=3)),
        (Report, _report(sop_instance_uid="2.25.3", product="overlay", photograph_id=1, frame=2, file_id=4)),
        (Delivery, _delivery(destination="b", state="failed", next_attempt_at=None)),
    ]
    with database.transaction() as t:
        for table, row in sound:
            t.execute(insert(table).values(**row))


def test_times_come_back_as_aware_utc(database: Database) -> None:
    east = datetime(2026, 3, 12, 10, 2, tzinfo=timezone(timedelta(hours=2)))
    with database.transaction() as t:
        t.add(File(path="x", sha256=SHA, size=1, kind="original", created_at=east))
    with database.reading() as t:
        file = t.query(File).one()
        assert file.created_at == NOW
        assert file.created_at.utcoffset() == timedelta(0)


def test_security_S17_the_audit_is_append_only(database: Database) -> None:
    row = {"at": NOW, "actor": "a", "address": "", "action": "x", "outcome": "ok", "detail": "", "previous": "0" * 64}
    with database.transaction() as t:
        t.execute(insert(AuditRow).values(seq=1, **row, hash=SHA))
    attempts = [
        update(AuditRow).values(actor="b"),
        text("DELETE FROM audit"),
        text(
            "INSERT OR REPLACE INTO audit (seq, at, actor, address, action, outcome, detail, previous, hash)"
            " SELECT seq, at, 'b', address, action, outcome, detail, previous, hash FROM audit"
        )
        if database.is_sqlite
        else text("TRUNCATE audit"),
    ]
    for attempt in attempts:
        with pytest.raises(DBAPIError), database.transaction() as t:
            t.execute(attempt)
    with database.reading() as t:
        assert t.query(AuditRow).one().actor == "a"


def test_a_unit_of_work_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as t:
        t.add(File(path="x", sha256=SHA, size=1, kind="original", created_at=NOW))
        t.flush()
        raise ZeroDivisionError
    with database.reading() as t:
        assert t.query(File).count() == 0


def test_R3_sqlite_is_new_enough_and_durable(database: Database) -> None:
    if not database.is_sqlite:
        with database.reading() as t:
            assert t.scalar(text("SHOW synchronous_commit")) == "on"
        return
    with database.reading() as t:
        version = tuple(int(part) for part in t.scalar(text("SELECT sqlite_version()")).split("."))
        assert version >= (3, 51, 3)
        assert t.scalar(text("PRAGMA journal_mode")) == "wal"
        assert t.scalar(text("PRAGMA synchronous")) == 2
        assert t.scalar(text("PRAGMA foreign_keys")) == 1
