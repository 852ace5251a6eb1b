"""Whether anything has changed that the list of cases shows: one cheap question, asked every second by who looks on."""

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from casebook.models import AttentionRow, Job
from casebook.words import JobState


def stamp(t: Session) -> str:
    """Return a text that is another one when a case has arrived, been answered, reported, sent, or asks for a person.

    Every such step begins, claims or ends a job, or opens or closes a reason for attention; both have small indexes.
    """
    alive = Job.state.in_((JobState.WAITING, JobState.LEASED))
    facts = (
        t.scalar(select(func.max(Job.id))),
        *t.execute(select(func.count(), func.sum(Job.fence), func.sum(Job.id)).where(alive)).one(),
        t.scalar(select(func.max(AttentionRow.id))),
        t.scalar(select(func.count()).where(AttentionRow.cleared_at.is_(None))),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
