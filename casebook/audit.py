"""The append-only chain of what was done, by whom, to what: no patient's name, each row hashes the one before (S17)."""

import hashlib
import json
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casebook.models import AuditRow

START = "0" * 64
_CHAIN_LOCK = 0x5247_0002  # a number of our own for PostgreSQL's advisory lock, held to the end of the transaction


def append(
    t: Session,
    now: datetime,
    *,
    actor: str,
    action: str,
    case_id: int | None = None,
    outcome: str = "ok",
    address: str = "",
    detail: str = "",
) -> None:
    """Write one act, in the transaction of the act itself.

    Args:
        actor: a user's or token's name, or the program that acted.
        action: what was done, a word such as ``token.add``.
        detail: our own words and row ids; of a peer's text nothing but a checked AE title.
    """
    if t.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        t.execute(select(func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    last = t.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).one_or_none()
    row = AuditRow(
        at=now,
        actor=actor,
        address=address,
        action=action,
        case_id=case_id,
        outcome=outcome,
        detail=detail,
        previous=last.hash if last is not None else START,
        hash="",
    )
    row.hash = _hash(row)
    t.add(row)
    t.flush()


def first_broken(t: Session) -> int | None:
    """Return the sequence number of the first row that does not follow from the one before, or none."""
    previous = START
    for row in t.scalars(select(AuditRow).order_by(AuditRow.seq)):
        if row.previous != previous or row.hash != _hash(row):
            return row.seq
        previous = row.hash
    return None


def _hash(row: AuditRow) -> str:
    content = [
        row.at.isoformat(),
        row.actor,
        row.address,
        row.action,
        row.case_id,
        row.outcome,
        row.detail,
        row.previous,
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
