"""The list of cases: the only place that builds its query. A page is a handful of statements, whatever its length."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from casebook import attention, cases
from casebook.models import Case, Grading, Photograph, Report, Revision
from casebook.words import Attention


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as people and programs see it: its current revision and all that hangs on it."""

    case: Case
    revision: Revision
    attention: list[Attention]
    photographs: list[Photograph]
    gradings: dict[int, list[Grading]]  # by photograph, in the order of the frames
    reports: list[Report]  # of the current revision, with their deliveries


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
    query = (
        select(Case, Revision)
        .join(Revision, Revision.case_id == Case.id)
        .where(Revision.superseded_at.is_(None))
        .order_by(Case.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(Case.id < before)
    if study_instance_uid is not None:
        query = query.where(Case.study_instance_uid == study_instance_uid)
    rows = [(case, revision) for case, revision in t.execute(query)]
    views = _views(t, rows[:limit])
    return views, views[-1].case.id if len(rows) > limit else None


def one(t: Session, case_id: int) -> CaseView | None:
    """Return a case, or none where there is none with photographs."""
    rows = [
        (case, revision)
        for case, revision in t.execute(
            select(Case, Revision)
            .join(Revision, Revision.case_id == Case.id)
            .where(Case.id == case_id, Revision.superseded_at.is_(None))
        )
    ]
    return _views(t, rows)[0] if rows else None


def _views(t: Session, rows: Sequence[tuple[Case, Revision]]) -> list[CaseView]:
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
    return [
        CaseView(
            case, revision, reasons[case.id], photographs[case.id],
            {photograph.id: gradings[photograph.id] for photograph in photographs[case.id]}, reports[revision.id],
        )
        for case, revision in rows
    ]  # fmt: skip
