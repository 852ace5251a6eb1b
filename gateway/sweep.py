"""Repairs silence: whatever a lost bell, a killed worker or a restart left undone follows from rows, and is done (R12).

Every repair is a conditional change in a transaction of its own, so two sweepers beside each other are harmless.
"""

import logging
import random
import threading
import time

from casebook import attention, cases, deliveries, heartbeats, invariants, jobs
from casebook.archive import strangers
from casebook.errors import Unavailable
from casebook.models import Photograph, Revision
from casebook.telemetry import SWEEP_LAST, SWEEP_REPAIRS
from casebook.words import Attention, CaseStatus, Gradability, JobKind, Reason
from gateway.house import House
from gateway.progress import Progress

log = logging.getLogger(__name__)

EVERY = 5.0
PART_AGE = 3600.0
STRANGERS_EVERY = STRANGER_AGE = 3600.0
# A listener closes its own studies, for it knows what is in flight; this is for studies whose listener is gone.
LISTENER_GRACE = 60.0


def run_sweeper(house: House, stop: threading.Event, progress: Progress) -> None:
    """Sweep now and every five seconds until told to stop."""
    began = strangers_at = house.clock.monotonic()
    while True:
        try:
            sweep(house, alone_for=house.clock.monotonic() - began)
            if house.clock.monotonic() >= strangers_at:
                strangers_at = house.clock.monotonic() + STRANGERS_EVERY
                remove_strangers(house, older_than=time.time() - STRANGER_AGE)
            progress.turn()
        except Unavailable as error:
            log.warning("sweep put off", extra={"error": str(error)})
        if stop.wait(EVERY * random.uniform(0.8, 1.2)):  # noqa: S311 - not a secret
            return


def begin_alone(house: House) -> int:
    """Void what an earlier start left in hand, in a process that owns the whole casebook, and look whether all is well.

    Returns:
        How many promises about rows and recent files do not hold (R20).
    """
    house.archive.sweep_incoming(time.time())
    remove_strangers(house, older_than=time.time())
    with house.database.transaction() as t:
        heartbeats.forget(t)
    _release(house, all_leases=True)
    sweep(house, alone_for=0)
    with house.database.reading() as t:
        broken = list(invariants.check(t, house.archive, house.clock.now(), quick=True))
    for finding in broken:
        log.error("a promise does not hold", extra={"kind": finding.invariant})
    return len(broken)


def sweep(house: House, *, alone_for: float) -> None:
    """Do every repair once; the workers see by themselves what is due then.

    Args:
        alone_for: seconds since this sweeper began; a study is not taken for complete just because we were away.

    Raises:
        Unavailable: the database is away.
    """
    repairs = {
        "lease": _release(house),
        "suspect": _release_suspects(house),
        "quiet": _close_quiet(house) if alone_for > LISTENER_GRACE else 0,
        "settle": _settle(house),
        "job": _enqueue_missing(house),
        "delivery": _enqueue_deliveries(house),
        "part": house.archive.sweep_incoming(time.time() - PART_AGE),
    }
    for kind, count in repairs.items():
        if count:
            SWEEP_REPAIRS.labels(kind).inc(count)
            log.info("sweep repaired", extra={"kind": kind, "count": count})
    now = house.clock.now()
    with house.database.transaction() as t:
        heartbeats.beat(t, "sweeper", now, ready=True)
    SWEEP_LAST.set(now.timestamp())


def remove_strangers(house: House, older_than: float) -> None:
    """Remove files that no row names.

    Args:
        older_than: POSIX time; later ones may still get their row.
    """
    with house.database.reading() as t:
        found = strangers(t, house.archive, older_than)
    for path in found:
        house.archive.discard(path)
    if found:
        SWEEP_REPAIRS.labels("stranger").inc(len(found))
        log.warning("files without a row removed", extra={"count": len(found)})


def _release(house: House, *, all_leases: bool = False) -> int:
    now = house.clock.now()
    with house.database.transaction() as t:
        condemned = jobs.release_expired(t, now, all_leases=all_leases)
        for kind, subject in condemned:
            if kind is JobKind.GRADE:
                photograph = t.get_one(Photograph, int(subject))
                cases.answered(t, photograph, Gradability.UNREADABLE, Reason.GRADING_FAILED, now)
                attention.ask(t, photograph.case_id, Attention.GRADING_FAILED, now)
    return len(condemned)


def _release_suspects(house: House) -> int:
    with house.database.transaction() as t:
        released = jobs.release_suspects(t, house.clock.now())
        for subject in released:
            photograph = t.get_one(Photograph, int(subject))
            photograph.gradability, photograph.reason = Gradability.PENDING, None
    return len(released)


def _close_quiet(house: House) -> int:
    timing = house.settings.cases
    return cases.close_all_quiet(
        house.database,
        house.clock.now(),
        quiet_seconds=timing.quiet_seconds + LISTENER_GRACE,
        force_seconds=timing.force_seconds + LISTENER_GRACE,
    )


def _settle(house: House) -> int:
    with house.database.reading() as t:
        unsettled = cases.unsettled(t)
    settled = 0
    for revision_id in unsettled:
        with house.database.transaction() as t:
            settled += cases.settle(t, revision_id, house.clock.now())
    return settled


def _enqueue_missing(house: House) -> int:
    now = house.clock.now()
    with house.database.transaction() as t:
        added = sum(jobs.enqueue(t, JobKind.GRADE, photograph_id, now) for photograph_id in cases.without_job(t))
        unreported = t.query(Revision.id).filter(Revision.status == CaseStatus.GRADED, Revision.superseded_at.is_(None))
        return added + sum(jobs.enqueue(t, JobKind.REPORT, revision_id, now) for (revision_id,) in unreported)


def _enqueue_deliveries(house: House) -> int:
    now = house.clock.now()
    reachable = {destination.name for destination in house.destinations}
    with house.database.transaction() as t:
        deliveries.pull_back(t, now)
        due = deliveries.due_destinations(t, now) & reachable
        return sum(jobs.enqueue(t, JobKind.DELIVER, name, now) for name in sorted(due))
