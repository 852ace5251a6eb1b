"""The list of cases: the only place that builds its query. A page is a handful of statements, whatever its length.

What needs attention stands in clinical order (ux U1): urgency, due time, oldest first, number. Synthetic cases stand in
every list, marked, and in no count.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, func, literal, select, tuple_
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.types import TypeEngine

from casebook import attention, cases, undelivered
from casebook.models import AttentionRow, Case, Delivery, Grading, Photograph, Report, Revision, Utc
from casebook.outcome import CANNOT_SAY
from casebook.words import Attention


class Tab(StrEnum):
    """The lists there are."""

    ATTENTION = "attention"
    UNDELIVERED = "undelivered"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as people and programs see it: its current revision and all that hangs on it."""

    case: Case
    revision: Revision
    attention: list[Attention]
    photographs: list[Photograph]
    gradings: dict[int, list[Grading]]  # by photograph, in the order of the frames
    reports: list[Report]  # of the current revision, with their deliveries
    undelivered: list[Delivery]  # of any revision: tried, and not arrived


@dataclass(frozen=True, slots=True)
class Counts:
    """How many cases each list holds, synthetic ones left out."""

    attention: int
    undelivered: int
    all: int
    overdue: int


def page(
    t: Session, *, limit: int, before: int | None = None, study_instance_uid: str | None = None
) -> tuple[list[CaseView], int | None]:
    """Return cases with photographs, newest first.

    Args:
        limit: how many at most.
        before: only cases with a smaller id; the cursor of the page before.
        study_instance_uid: only the case of this study.

    Returns:
        The cases, and the cursor of the next page if there is one.
    """
    query = _current().order_by(Case.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Case.id < before)
    if study_instance_uid is not None:
        query = query.where(Case.study_instance_uid == study_instance_uid)
    return _page(t, query, limit)


def tab_page(t: Session, tab: Tab, *, limit: int, after: int | None = None) -> tuple[list[CaseView], int | None]:
    """Return the cases of a list in its order; all cases stand newest first.

    Args:
        limit: how many at most.
        after: the case with which the page before ended.

    Returns:
        The cases, and the cursor of the next page if there is one.
    """
    if tab is Tab.ALL:
        return page(t, limit=limit, before=after)
    query = _current().where(_belongs(tab)).order_by(*_ORDER).limit(limit + 1)
    place = _place(t, after) if after is not None else None
    if place is not None:
        query = query.where(tuple_(*_ORDER) > tuple_(*place))
    return _page(t, query, limit)


def neighbours(t: Session, tab: Tab, case_id: int) -> tuple[int | None, int | None]:
    """Return the cases before and after a case in a list, where there are any."""
    if tab is Tab.ALL:
        newer = select(func.min(Case.id)).join(Revision).where(Case.id > case_id, Revision.superseded_at.is_(None))
        older = select(func.max(Case.id)).join(Revision).where(Case.id < case_id, Revision.superseded_at.is_(None))
        return t.scalar(newer), t.scalar(older)
    place = _place(t, case_id)
    if place is None:
        return None, None
    ids = select(Case.id).join(Revision).where(Revision.superseded_at.is_(None), _belongs(tab)).limit(1)
    before = ids.where(tuple_(*_ORDER) < tuple_(*place)).order_by(*(column.desc() for column in _ORDER))
    return t.scalar(before), t.scalar(ids.where(tuple_(*_ORDER) > tuple_(*place)).order_by(*_ORDER))


def counts(t: Session, now: datetime) -> Counts:
    """Return how many cases each list holds."""
    number = (
        select(func.count())
        .select_from(Revision)
        .join(Revision.case)
        .where(Revision.superseded_at.is_(None), Case.synthetic.is_(False))
    )
    asking = number.where(_belongs(Tab.ATTENTION))
    return Counts(
        attention=t.scalar(asking) or 0,
        undelivered=t.scalar(number.where(_belongs(Tab.UNDELIVERED))) or 0,
        all=t.scalar(number) or 0,
        overdue=t.scalar(asking.where(Revision.due_at < now)) or 0,
    )


def normal_since(t: Session, moment: datetime) -> int:
    """Return how many patients' cases that arrived whole since a moment were graded and need nobody."""
    query = (
        select(func.count())
        .select_from(Revision)
        .join(Revision.case)
        .where(
            Revision.superseded_at.is_(None), Revision.ready_at >= moment, Revision.referable.is_(False),
            Case.synthetic.is_(False), ~_belongs(Tab.ATTENTION),
        )
    )  # fmt: skip
    return t.scalar(query) or 0


def one(t: Session, case_id: int) -> CaseView | None:
    """Return a case, or none where there is none with photographs."""
    rows = [(case, revision) for case, revision in t.execute(_current().where(Case.id == case_id))]
    return views(t, rows)[0] if rows else None


def views(t: Session, rows: Sequence[tuple[Case, Revision]]) -> list[CaseView]:
    """Return cases with all that hangs on them.

    Args:
        rows: cases, each with its current revision.
    """
    case_ids = [case.id for case, _ in rows]
    numbers = {case.id: revision.number for case, revision in rows}
    reasons = attention.open_reasons(t, case_ids)
    photographs: dict[int, list[Photograph]] = defaultdict(list)
    for photograph in t.scalars(
        select(Photograph).where(Photograph.case_id.in_(case_ids)).order_by(Photograph.id)
    ):  # fmt: skip
        first = photograph.first_revision
        if first is not None and first <= numbers[photograph.case_id]:
            photographs[photograph.case_id].append(photograph)
    gradings = cases.current_gradings(
        t, [photograph for several in photographs.values() for photograph in several],
        with_pictures=True,
    )  # fmt: skip
    reports: dict[int, list[Report]] = defaultdict(list)
    for report in t.scalars(
        select(Report)
        .where(Report.revision_id.in_([revision.id for _, revision in rows]))
        .options(selectinload(Report.deliveries), selectinload(Report.file))
        .order_by(Report.id)
    ):
        reports[report.revision_id].append(report)
    in_trouble = undelivered.of_cases(t, case_ids)
    return [
        CaseView(
            case, revision, reasons[case.id], photographs[case.id],
            {photograph.id: gradings[photograph.id] for photograph in photographs[case.id]}, reports[revision.id],
            in_trouble[case.id],
        )
        for case, revision in rows
    ]  # fmt: skip


# Revisions settled before there were due times stand by when they were opened.
_ORDER: tuple[ColumnElement[Any], ...] = (
    func.coalesce(Revision.urgency, CANNOT_SAY),
    func.coalesce(Revision.due_at, Revision.opened_at),
    Case.first_received_at.expression,
    Case.id.expression,
)


def _current() -> Select[Case, Revision]:
    return select(Case, Revision).join(Revision, Revision.case_id == Case.id).where(Revision.superseded_at.is_(None))


def _belongs(tab: Tab) -> ColumnElement[bool]:
    match tab:
        case Tab.ATTENTION:
            asking = select(AttentionRow.id).where(
                AttentionRow.case_id == Revision.case_id, AttentionRow.cleared_at.is_(None)
            )
            return asking.correlate(Revision).exists()
        case Tab.UNDELIVERED:
            return Case.id.in_(undelivered.case_ids())
        case Tab.ALL:
            return literal(value=True)


def _place(t: Session, case_id: int) -> tuple[ColumnElement[Any], ...] | None:
    """Return where a case stands in the clinical order, whether or not it still belongs there."""
    row = t.execute(
        select(*_ORDER).select_from(Case).join(Revision).where(Case.id == case_id, Revision.superseded_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    types: tuple[TypeEngine[Any], ...] = (Integer(), Utc(), Utc(), BigInteger())
    return tuple(literal(value, kind) for value, kind in zip(row, types, strict=True))


def _page(t: Session, query: Select[Case, Revision], limit: int) -> tuple[list[CaseView], int | None]:
    rows = [(case, revision) for case, revision in t.execute(query)]
    found = views(t, rows[:limit])
    return found, found[-1].case.id if len(rows) > limit else None
