"""Synthetic eyes stay here: the only place that says which rows are theirs, and where these may go (I9).

A case is synthetic when the self-test of this start brought it. Its results go to the loop-back PACS alone, no
patient's ever do, and no count contains it (ux O39).
"""

from sqlalchemy import ColumnElement, and_, case, cast, or_, select
from sqlalchemy.orm import Session

from casebook.models import Case, Delivery, Job, Photograph, Revision
from casebook.settings import LOOPBACK
from casebook.words import JobKind


def may_reach(origin: Case, destination: str) -> bool:
    """Say whether results of a case may go to a destination of this name."""
    return origin.synthetic == (destination == LOOPBACK)


def reachable_from(origin: Case) -> ColumnElement[bool]:
    """Return the condition that a delivery goes where results of its case, this one, may go."""
    return Delivery.destination == LOOPBACK if origin.synthetic else Delivery.destination != LOOPBACK


def astray() -> ColumnElement[bool]:
    """Return the condition that a delivery, joined with its case, goes where results of that case may not."""
    return or_(
        and_(Case.synthetic.is_(True), Delivery.destination != LOOPBACK),
        and_(Case.synthetic.is_(False), Delivery.destination == LOOPBACK),
    )


def has_work() -> ColumnElement[bool]:
    """Return the condition that a job is about a synthetic case."""
    # CASE, for only it keeps an engine from reading the name of a destination as a number.
    row = case((Job.kind != JobKind.DELIVER, cast(Job.subject, Photograph.id.type)))
    photograph = select(Photograph.id).join(Photograph.case).where(Photograph.id == row, Case.synthetic.is_(True))
    revision = select(Revision.id).join(Revision.case).where(Revision.id == row, Case.synthetic.is_(True))
    return or_(
        and_(Job.kind == JobKind.GRADE, photograph.exists()),
        and_(Job.kind == JobKind.REPORT, revision.exists()),
        and_(Job.kind == JobKind.DELIVER, Job.subject == LOOPBACK),
    )


def is_work(t: Session, job_id: int) -> bool:
    """Say whether a job is about a synthetic case."""
    return t.scalar(select(Job.id).where(Job.id == job_id, has_work())) is not None
