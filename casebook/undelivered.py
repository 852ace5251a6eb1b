"""Asking for a person because a result has not arrived, and taking that back when it has."""

from datetime import datetime

from sqlalchemy import Select, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook import attention
from casebook.models import AttentionRow, Delivery, Report, Revision
from casebook.words import Attention, DeliveryState

_NOT_DELIVERED = 4  # urgency class of normal eyes whose report did not arrive (ux U1)


def ask(t: Session, case_ids: Select[int], now: datetime, detail: str) -> None:
    """Ask for a person at each of these cases that is not asking yet, in one statement however many they are."""
    chosen = case_ids.subquery()
    case_id = chosen.c[0]
    opened = (
        select(AttentionRow.id)
        .where(
            AttentionRow.case_id == case_id,
            AttentionRow.reason == Attention.DELIVERY_FAILED,
            AttentionRow.cleared_at.is_(None),
        )
        .exists()
    )
    rows = select(
        case_id,
        literal(Attention.DELIVERY_FAILED, AttentionRow.reason.type),
        literal(detail),
        literal(now, AttentionRow.since.type),
    ).where(~opened)
    t.execute(
        update(Revision)
        .where(Revision.case_id.in_(select(case_id)), Revision.superseded_at.is_(None), Revision.urgency.is_(None))
        .values(urgency=_NOT_DELIVERED)
        .execution_options(synchronize_session=False)
    )
    try:
        with t.begin_nested():
            t.execute(insert(AttentionRow).from_select(["case_id", "reason", "detail", "since"], rows))
    except IntegrityError:
        return  # another lane asked in this instant; the next attempt asks for the rest


def no_longer_ask(t: Session, case_id: int, now: datetime) -> None:
    """Close the question when nothing of the case is in trouble any more."""
    trouble = (
        select(Delivery.id)
        .join(Delivery.report)
        .join(Report.revision)
        .where(
            Revision.case_id == case_id,
            or_(
                Delivery.state == DeliveryState.FAILED,
                (Delivery.state == DeliveryState.WAITING) & (Delivery.attempts > 0),
            ),
        )
        .limit(1)
    )
    if t.scalar(trouble) is not None:
        return
    attention.close(t, case_id, Attention.DELIVERY_FAILED, now)
    t.execute(
        update(Revision)
        .where(Revision.case_id == case_id, Revision.superseded_at.is_(None), Revision.urgency == _NOT_DELIVERED)
        .values(urgency=None)
        .execution_options(synchronize_session=False)
    )
