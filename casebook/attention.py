"""Why a person must look at a case: asking twice is harmless, and what was asked before keeps its beginning."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook.models import AttentionRow
from casebook.words import Attention

# Raised by the outcome of a revision; the others come from arrival and delivery and stay until they are dealt with.
OUTCOME_ATTENTION = frozenset(Attention) - {Attention.CONFLICTING_COPY, Attention.DELIVERY_FAILED}


def set_reasons(t: Session, case_id: int, reasons: frozenset[Attention], now: datetime) -> None:
    """Make the open reasons of the outcome exactly these; what was open before keeps its beginning."""
    opened = t.scalars(
        select(AttentionRow).where(
            AttentionRow.case_id == case_id,
            AttentionRow.cleared_at.is_(None),
            AttentionRow.reason.in_(OUTCOME_ATTENTION),
        )
    ).all()
    for row in opened:
        if row.reason not in reasons:
            row.cleared_at = now
    for reason in sorted(reasons - {row.reason for row in opened}):
        ask(t, case_id, reason, now)


def ask(t: Session, case_id: int, reason: Attention, now: datetime, detail: str = "") -> None:
    """Ask for a person; asking twice is harmless."""
    open_row = select(AttentionRow.id).where(
        AttentionRow.case_id == case_id, AttentionRow.reason == reason, AttentionRow.cleared_at.is_(None)
    )
    if t.scalar(open_row) is None:
        try:
            with t.begin_nested():
                t.add(AttentionRow(case_id=case_id, reason=reason, since=now, detail=detail))
        except IntegrityError:
            return  # somebody else asked in this instant


def close(t: Session, case_id: int, reason: Attention, now: datetime) -> None:
    """Close a reason that no longer holds."""
    t.execute(
        update(AttentionRow)
        .where(AttentionRow.case_id == case_id, AttentionRow.reason == reason, AttentionRow.cleared_at.is_(None))
        .values(cleared_at=now)
    )


def open_reasons(t: Session, case_ids: list[int]) -> dict[int, list[Attention]]:
    """Return why a person must look, by case, in the order of the words."""
    found: dict[int, list[Attention]] = {case_id: [] for case_id in case_ids}
    order = list(Attention)
    for case_id, reason in t.execute(
        select(AttentionRow.case_id, AttentionRow.reason).where(
            AttentionRow.case_id.in_(case_ids), AttentionRow.cleared_at.is_(None)
        )
    ):
        found[case_id].append(reason)
    return {case_id: sorted(reasons, key=order.index) for case_id, reasons in found.items()}
