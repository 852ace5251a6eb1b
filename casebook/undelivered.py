"""Asking for a person because a result has not arrived, and taking that back when it has."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from casebook import attention
from casebook.models import AttentionRow, Case, Delivery, Report, Revision
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
    if t.scalar(of_case(literal(case_id)).limit(1)) is not None:
        return
    attention.close(t, case_id, Attention.DELIVERY_FAILED, now)
    t.execute(
        update(Revision)
        .where(Revision.case_id == case_id, Revision.superseded_at.is_(None), Revision.urgency == _NOT_DELIVERED)
        .values(urgency=None)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """A destination that has not got what it should have got."""

    destination: str
    results: int
    reason: str  # whole sentences with the remedy, of the newest attempt
    next_attempt_at: datetime | None  # none: all of it waits for a person


def of_case(case_id: ColumnElement[int]) -> Select[int]:
    """Return the question which deliveries of a case were tried and have not arrived, whatever their revision."""
    return select(Delivery.id).join(Delivery.report).join(Report.revision).where(Revision.case_id == case_id, _tried())


def case_ids() -> Select[int]:
    """Return the question which cases have something that was tried and has not arrived."""
    return (
        select(Revision.case_id).join(Report, Report.revision_id == Revision.id).join(Report.deliveries).where(_tried())
    )


def of_cases(t: Session, case_ids: Sequence[int]) -> dict[int, list[Delivery]]:
    """Return what was tried and has not arrived, by case."""
    found: dict[int, list[Delivery]] = defaultdict(list)
    query = (
        select(Revision.case_id, Delivery)
        .join(Delivery.report)
        .join(Report.revision)
        .where(Revision.case_id.in_(case_ids), _tried())
        .options(selectinload(Delivery.report))
        .order_by(Delivery.id)
    )
    for case_id, delivery in t.execute(query):
        found[case_id].append(delivery)
    return found


def troubles(t: Session) -> list[Trouble]:
    """Return the destinations that have not got what they should have got; of patients' results only."""
    grouped = (
        select(Delivery.destination, func.count(), func.max(Delivery.id), func.min(Delivery.next_attempt_at))
        .join(Delivery.report)
        .join(Report.revision)
        .join(Revision.case)
        .where(_tried(), Case.synthetic.is_(False))
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    )
    return [
        Trouble(destination, results, t.get_one(Delivery, newest).last_error or "", next_attempt_at)
        for destination, results, newest, next_attempt_at in t.execute(grouped).all()
    ]


def _tried() -> ColumnElement[bool]:
    return or_(
        Delivery.state == DeliveryState.FAILED,
        (Delivery.state == DeliveryState.WAITING) & (Delivery.attempts > 0),
    )
