"""How far each report has come on its way: rows, attempts and back-off (R5-R7, R9).

A delivery is one report on its way to one destination. Each destination has one lane; what concerns the whole lane
(nobody answers, the association is refused) is everybody's failed attempt, and one try finds out whether it is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, func, literal, select, update
from sqlalchemy.orm import Session

from casebook import jobs, synthetic, undelivered
from casebook.errors import BadInput
from casebook.models import Case, Delivery, File, Job, Report, Revision
from casebook.settings import LOOPBACK, Destination
from casebook.words import DeliveryState, JobKind, JobState, Product

FIRST_DELAY = 5.0
LONGEST_DELAY = 900.0  # also the pause of a lane whose settings are wrong
ASK_AFTER = timedelta(hours=24)
LONGEST_ERROR = 500
_URGENCY_OF_NONE = 9


class Effect(StrEnum):
    """What an attempt came to, and so what happens next (R6)."""

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    CONFIGURATION = "configuration"
    UNKNOWN = "unknown"
    PERMANENT = "permanent"


TRIES = {Effect.PERMANENT: 3, Effect.UNKNOWN: 10}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was seen when an object was sent, judged."""

    effect: Effect
    sentence: str  # what happened and the remedy; of a plain success empty
    status: int | None = None
    breaks_lane: bool = False  # the destination itself does not work, so nothing else is tried now


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is due, with all that sending it needs."""

    id: int
    case_id: int
    product: Product
    path: str  # of the object's file in the archive
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    attempts: int
    refusals: int
    first_attempt_at: datetime | None


def plan(t: Session, reports: Iterable[Report], destinations: Iterable[Destination], now: datetime) -> set[str]:
    """Write one row for each report and destination that takes its product; what has a row keeps it.

    Those of a synthetic case go to the loop-back PACS, and to no other destination (I9).

    Returns:
        The names of the destinations that have something new to get.
    """
    planned = set()
    chosen = tuple(destinations)
    for report in reports:
        case = t.get_one(Case, report.revision.case_id)
        known = set(t.scalars(select(Delivery.destination).where(Delivery.report_id == report.id)))
        takers = {LOOPBACK, *(taker.name for taker in chosen if report.product in taker.products)}
        for name in sorted(takers):
            if name in known or not synthetic.may_reach(case, name):
                continue
            t.add(
                Delivery(
                    report_id=report.id,
                    destination=name,
                    state=DeliveryState.WAITING,
                    next_attempt_at=now,
                    created_at=now,
                )
            )
            planned.add(name)
    t.flush()
    return planned


def due_destinations(t: Session, now: datetime) -> set[str]:
    """Return the destinations for which something is due (the sweep's question)."""
    return set(
        t.scalars(
            select(Delivery.destination)
            .join(Delivery.report)
            .join(Report.revision)
            .join(Revision.case)
            .where(*_due(now), ~synthetic.astray())
            .distinct()
        )
    )


def due(t: Session, destination: str, now: datetime, limit: int = jobs.BATCH) -> list[Parcel]:
    """Return what is due for a destination: the most urgent case first, then first come.

    Whatever the rows say, nothing of a synthetic case leaves for a PACS (I9).
    """
    query: Select[*tuple[object, ...]] = (
        select(
            Delivery.id, Revision.case_id, Report.product, File.path, Report.sop_class_uid, Report.sop_instance_uid,
            Report.transfer_syntax_uid, Delivery.attempts, Delivery.refusals, Delivery.first_attempt_at,
        )
        .join(Delivery.report)
        .join(Report.revision)
        .join(Revision.case)
        .join(Report.file)
        .where(Delivery.destination == destination, *_due(now), ~synthetic.astray())
        .order_by(func.coalesce(Revision.urgency, _URGENCY_OF_NONE), Delivery.id)
        .limit(limit)
    )  # fmt: skip
    return [Parcel(*row) for row in t.execute(query)]  # type: ignore[arg-type]


def record_attempt(t: Session, parcel: Parcel, attempt: Attempt, now: datetime, chance: float) -> DeliveryState:
    """Write what came of sending one object; only a row that still waits is changed.

    Args:
        chance: a random number of 0 to 1 that spreads the next attempts; the resulting time is what is stored.

    Returns:
        The state the delivery is in now.
    """
    refusals = parcel.refusals + (attempt.effect in TRIES)
    gives_up = attempt.effect in TRIES and refusals >= TRIES[attempt.effect]
    values: dict[str, object] = {
        "attempts": parcel.attempts + 1,
        "refusals": refusals,
        "first_attempt_at": parcel.first_attempt_at or now,
        "last_status": attempt.status,
        "last_error": attempt.sentence[:LONGEST_ERROR] or None,
    }
    if attempt.effect is Effect.DELIVERED:
        state = DeliveryState.SENT
        values |= {"sent_at": now, "next_attempt_at": None}
    elif gives_up:
        state = DeliveryState.FAILED
        values["next_attempt_at"] = None
    else:
        state = DeliveryState.WAITING
        delay = LONGEST_DELAY if attempt.effect is Effect.CONFIGURATION else back_off(parcel.attempts, chance)
        values["next_attempt_at"] = now + timedelta(seconds=delay)
    changed = t.execute(
        update(Delivery)
        .where(Delivery.id == parcel.id, Delivery.state == DeliveryState.WAITING)
        .values(state=state, **values)
        .returning(Delivery.id)
    ).one_or_none()
    if changed is None:
        return t.get_one(Delivery, parcel.id).state
    if state is DeliveryState.SENT:
        undelivered.no_longer_ask(t, parcel.case_id, now)
    elif gives_up or attempt.effect is Effect.CONFIGURATION or _too_long(parcel.first_attempt_at, now):
        undelivered.ask(t, select(literal(parcel.case_id)), now, attempt.sentence)
    return state


def record_lane_failure(
    t: Session, destination: str, attempt: Attempt, now: datetime, chance: float, *, culprit: Parcel | None = None
) -> float:
    """Write that a destination did not answer or would not talk: a failed attempt of everything due for it.

    Args:
        chance: a random number of 0 to 1 that spreads the next attempts.
        culprit: the object at which the association broke; it goes last next time, in case the fault is its own.

    Returns:
        The seconds until the lane tries again.
    """
    first = due(t, destination, now, limit=1)
    if attempt.effect is Effect.CONFIGURATION:
        delay = LONGEST_DELAY
    else:
        delay = back_off(first[0].attempts if first else 0, chance)
    resumes_at = now + timedelta(seconds=delay)
    waiting = (Delivery.destination == destination, *_due(now))
    long_ago = Delivery.first_attempt_at <= now - ASK_AFTER
    asks = literal(value=True) if attempt.effect is Effect.CONFIGURATION else long_ago
    cases_asking = (
        select(Revision.case_id)
        .join(Report, Report.revision_id == Revision.id)
        .join(Delivery, Delivery.report_id == Report.id)
        .where(*waiting, asks)
        .distinct()
    )
    undelivered.ask(t, cases_asking, now, attempt.sentence)
    t.execute(
        update(Delivery)
        .where(*waiting)
        .values(
            attempts=Delivery.attempts + 1,
            first_attempt_at=func.coalesce(Delivery.first_attempt_at, now),
            next_attempt_at=resumes_at,
            last_status=attempt.status,
            last_error=attempt.sentence[:LONGEST_ERROR],
        )
    )
    if culprit is not None:
        t.execute(
            update(Delivery)
            .where(Delivery.id == culprit.id, Delivery.state == DeliveryState.WAITING)
            .values(next_attempt_at=resumes_at + timedelta(seconds=FIRST_DELAY))
        )
    return delay


def resend(
    t: Session, case_id: int, destinations: Iterable[Destination], now: datetime, *, also_sent: bool = False
) -> int:
    """Try at once what has not arrived of a case, and give destinations added since then their rows.

    Args:
        destinations: all that are configured.
        also_sent: send again what was sent before, because a person says that it is not there.

    Returns:
        How many deliveries of the case are due now.

    Raises:
        BadInput: there is no such case.
    """
    case = t.get(Case, case_id)
    if case is None:
        raise BadInput(f"There is no case {case_id}.", "The API and the dashboard list them.")
    of_case = select(Report.id).join(Report.revision).where(Revision.case_id == case_id)
    allowed = synthetic.reachable_from(case)
    states = [DeliveryState.WAITING, DeliveryState.FAILED]
    if also_sent:
        states += [DeliveryState.SENT, DeliveryState.CONFIRMED]
    again = t.scalars(
        update(Delivery)
        .where(Delivery.report_id.in_(of_case), Delivery.state.in_(states), allowed)
        .values(state=DeliveryState.WAITING, next_attempt_at=now, first_attempt_at=None, refusals=0, confirmed_at=None)
        .returning(Delivery.destination)
    ).all()
    newest = select(func.max(Report.revision_id)).where(Report.id.in_(of_case)).scalar_subquery()
    reports = t.scalars(select(Report).where(Report.revision_id == newest).order_by(Report.id)).all()
    for name in sorted({*again, *plan(t, reports, destinations, now)}):
        wake(t, name, now)
    due_now = select(func.count()).select_from(Delivery).where(Delivery.report_id.in_(of_case), *_due(now), allowed)
    return t.scalar(due_now) or 0


def wake(t: Session, destination: str, now: datetime) -> None:
    """Let a destination's lane run at once, even if it pauses."""
    if not jobs.enqueue(t, JobKind.DELIVER, destination, now):
        t.execute(
            update(Job)
            .where(Job.kind == JobKind.DELIVER, Job.subject == destination, Job.state == JobState.WAITING)
            .values(run_after=now)
        )


def pull_back(t: Session, now: datetime) -> int:
    """Bring attempts that a jump of the clock put out of reach back within the longest delay (R15)."""
    farthest = now + timedelta(seconds=LONGEST_DELAY + FIRST_DELAY)
    changed = t.scalars(
        update(Delivery)
        .where(Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at > farthest)
        .values(next_attempt_at=farthest)
        .returning(Delivery.id)
    )
    return len(changed.all())


def back_off(attempts: int, chance: float) -> float:
    """Return the delay in seconds after so many attempts before this one (R7)."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempts, 30)) * (0.5 + 0.5 * chance)


def _due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at <= now


def _too_long(first_attempt_at: datetime | None, now: datetime) -> bool:
    return first_attempt_at is not None and now - first_attempt_at >= ASK_AFTER
