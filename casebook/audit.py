"""The append-only chain of what was done, by whom, to what: no patient's name, each row hashes the one before (S17)."""

import hashlib
import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook.models import AuditRow

START = "0" * 64


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
        detail: our own words and row ids, never a peer's text.
    """
    last = t.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1).with_for_update()).one_or_none()
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
