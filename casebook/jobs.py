"""The queue is rows: enqueue, claim with a lease and a fence, finish, and what happens to a job that kills (R10, R13).

Every change of a claimed job names its fence; when another worker has taken the job meanwhile, nothing changes and
``LostLease`` tells the late one to throw its results away.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook import synthetic
from casebook.errors import LostLease
from casebook.models import Job
from casebook.words import JobKind, JobState

LEASE_SECONDS = 60.0
CRASHES_TO_QUARANTINE = 3
INTERRUPTIONS_TO_QUARANTINE = 5
OLDEST_EVERY = 5  # every fifth claim takes the oldest waiting job, so that nobody starves (R17)
RELEASE_AFTER = timedelta(hours=1)
ILL_SUBJECTS = 5
ILL_WITHIN = timedelta(minutes=10)
BATCH = 500  # rows a repair touches in one transaction, so that a backlog does not hold the writer (R12)

_IDLE: dict[str, object] = {"owner": None, "leased_until": None}


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in hand, for as long as its fence stands."""

    id: int
    kind: JobKind
    subject: str
    fence: int
    attempts: int
    crashes: int
    alone: bool


def enqueue(
    t: Session,
    kind: JobKind,
    subject: str | int,
    now: datetime,
    *,
    priority: int = 5,
    run_after: datetime | None = None,
) -> bool:
    """Add a job unless one is alive for this kind and subject.

    Args:
        priority: 0 is first.
        run_after: not before this time; at once when none.

    Returns:
        Whether a job was added.
    """
    row = {
        "kind": kind,
        "subject": str(subject),
        "state": JobState.WAITING,
        "priority": priority,
        "run_after": run_after or now,
        "created_at": now,
    }
    try:
        with t.begin_nested():
            t.execute(insert(Job).values(**row))
    except IntegrityError:
        return False
    return True


def claim(t: Session, kind: JobKind, owner: str, now: datetime, *, oldest: bool = False) -> Claim | None:
    """Take the next due job of a kind, or none.

    Urgent first, then first come; jobs under suspicion come last and only when nothing of their kind is in hand.

    Args:
        owner: who takes it, for people who look at the row.
        oldest: ignore the priority this once.
    """
    in_hand = select(literal(1)).where(Job.kind == kind, Job.state == JobState.LEASED)
    candidate = (
        select(Job.id)
        .where(
            Job.kind == kind,
            Job.state == JobState.WAITING,
            Job.run_after <= now,
            # A job under suspicion runs by itself, so that its death can be blamed on it.
            or_(Job.alone.is_(False), ~in_hand.exists()),
            ~in_hand.where(Job.alone.is_(True)).exists(),
        )
        .order_by(*((Job.alone, Job.id) if oldest else (Job.alone, Job.priority, Job.run_after, Job.id)))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = t.execute(
        update(Job)
        .where(Job.id == candidate.scalar_subquery(), Job.state == JobState.WAITING)
        .values(
            state=JobState.LEASED,
            owner=owner,
            leased_until=now + timedelta(seconds=LEASE_SECONDS),
            fence=Job.fence + 1,
            attempts=Job.attempts + 1,
            # Taken back by every word of the worker: only silence while it ran alone counts.
            interruptions=Job.interruptions + case((Job.alone.is_(True), 1), else_=0),
        )
        .returning(Job.id, Job.kind, Job.subject, Job.fence, Job.attempts, Job.crashes, Job.alone)
    ).one_or_none()
    return None if row is None else Claim(*row)


def renew(t: Session, claim: Claim, now: datetime) -> None:
    """Keep the lease alive.

    Raises:
        LostLease: another worker owns the job now.
    """
    _change(t, claim, leased_until=now + timedelta(seconds=LEASE_SECONDS))


def finish(t: Session, claim: Claim, now: datetime) -> None:
    """Mark the job done, in the transaction that writes its results.

    Raises:
        LostLease: another worker owns the job now.
    """
    _change(t, claim, **_IDLE, state=JobState.DONE, finished_at=now, interruptions=_spoken(claim))


def postpone(t: Session, claim: Claim, now: datetime, *, error: str, delay: float) -> None:
    """Give the job back after a clean, passing error; that counts against nobody.

    Args:
        error: our own sentence, without patient data.
        delay: seconds until the next try.

    Raises:
        LostLease: another worker owns the job now.
    """
    _change(
        t,
        claim,
        **_IDLE,
        state=JobState.WAITING,
        run_after=now + timedelta(seconds=delay),
        last_error=error,
        interruptions=_spoken(claim),
    )


def release(t: Session, claim: Claim, now: datetime) -> None:
    """Give the job back at once because this process stops; that is no crash and no interruption (R19)."""
    postpone(t, claim, now, error="given back at a stop", delay=0)


def crashed(t: Session, claim: Claim, now: datetime, *, error: str) -> bool:
    """Count a death of the child at this job; the third puts it into quarantine, unless the worker itself is ill.

    Returns:
        Whether the job is in quarantine now, until a person releases it.

    Raises:
        LostLease: another worker owns the job now.
    """
    condemned = claim.crashes + 1 >= CRASHES_TO_QUARANTINE and not worker_is_ill(t, now)
    end = (
        {"state": JobState.QUARANTINED, "finished_at": now}
        if condemned
        else {
            "state": JobState.WAITING,
            "run_after": now + timedelta(seconds=back_off(claim.crashes + 1, first=1.0, longest=60.0)),
        }
    )
    _change(
        t,
        claim,
        **_IDLE,
        **end,
        crashes=Job.crashes + 1,
        crashed_at=now,
        last_error=error,
        interruptions=_spoken(claim),
    )
    return condemned


def worker_is_ill(t: Session, now: datetime) -> bool:
    """Say whether so many different jobs killed the child lately that the fault must lie with the worker (R13)."""
    lately = select(func.count()).where(Job.crashed_at > now - ILL_WITHIN)
    return (t.scalar(lately) or 0) > ILL_SUBJECTS


def release_expired(t: Session, now: datetime, *, all_leases: bool = False) -> list[tuple[JobKind, str]]:
    """Give back jobs whose claim ended without a word; a photograph that does so too often goes into quarantine.

    Args:
        all_leases: at the start of a process that owns the whole casebook every lease of an earlier start is void.

    Returns:
        Kind and subject of the jobs that are in quarantine now.
    """
    expired = and_(Job.state == JobState.LEASED, *([] if all_leases else [Job.leased_until < now]))
    condemned: list[tuple[JobKind, str]] = []
    for job in t.scalars(select(Job).where(expired).limit(BATCH).with_for_update(skip_locked=True)):
        suspect = job.kind is JobKind.GRADE
        job.owner = job.leased_until = None
        job.fence += 1
        job.alone = suspect
        job.run_after = now
        job.last_error = "a worker stopped in the middle of it"
        if suspect and job.interruptions >= INTERRUPTIONS_TO_QUARANTINE:
            job.state, job.finished_at = JobState.QUARANTINED, now
            condemned.append((job.kind, job.subject))
        else:
            job.state = JobState.WAITING
    t.flush()
    return condemned


def release_suspects(t: Session, now: datetime) -> list[str]:
    """Release, once and after an hour, what only interruptions condemned: an operator may have killed the worker.

    Returns:
        The subjects released.
    """
    released = t.scalars(
        update(Job)
        .where(
            Job.kind == JobKind.GRADE,
            Job.state == JobState.QUARANTINED,
            Job.crashes < CRASHES_TO_QUARANTINE,
            Job.interruptions == INTERRUPTIONS_TO_QUARANTINE,  # a second time it stands one higher
            Job.finished_at < now - RELEASE_AFTER,
        )
        .values(state=JobState.WAITING, finished_at=None, run_after=now)
        .returning(Job.subject)
    )
    return list(released)


def due(t: Session, now: datetime) -> set[JobKind]:
    """Return the kinds that have a job waiting and due."""
    return set(t.scalars(select(Job.kind).where(Job.state == JobState.WAITING, Job.run_after <= now).distinct()))


def depth(t: Session) -> dict[tuple[JobKind, JobState], int]:
    """Return how many unfinished jobs there are of each kind and state, those about synthetic eyes left out."""
    rows = t.execute(
        select(Job.kind, Job.state, func.count())
        .where(Job.state != JobState.DONE, ~synthetic.has_work())
        .group_by(Job.kind, Job.state)
    )
    return {(kind, state): count for kind, state, count in rows}


def back_off(tries: int, first: float, longest: float) -> float:
    """Return a jittered delay in seconds that doubles with each try, up to the longest."""
    return float(min(longest, first * 2 ** min(tries - 1, 30)) * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret


def _spoken(claim: Claim) -> ColumnElement[int]:
    """Take back the interruption that the claim wrote down in advance."""
    return Job.interruptions - int(claim.alone)


def _change(t: Session, claim: Claim, **values: object) -> None:
    changed = t.execute(
        update(Job)
        .where(Job.id == claim.id, Job.fence == claim.fence, Job.state == JobState.LEASED)
        .values(**values)
        .returning(Job.id)
    ).one_or_none()
    if changed is None:
        raise LostLease("Another worker owns this job now.")
