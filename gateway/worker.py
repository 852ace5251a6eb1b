"""Works jobs off: claims those of a kind until none is left, keeps their leases alive, and hands each to its station.

A bell says that there may be work; a worker also looks by itself, so that a broker that is away costs a second a step.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from casebook import jobs, synthetic
from casebook.errors import LostLease, RetinaGateError, Unavailable
from casebook.jobs import Claim
from casebook.telemetry import JOB_ATTEMPTS
from casebook.words import JobKind
from gateway.house import House

log = logging.getLogger(__name__)

RENEW_EVERY = 15.0
# What a job of one kind may have made work for; waking in vain is harmless.
_NEXT = {JobKind.GRADE: JobKind.REPORT, JobKind.REPORT: JobKind.DELIVER}
# A job that fails in a way nobody foresaw is tried again, ever more slowly, and never lost.
FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0


class Station(Protocol):
    """Does the whole job of a claim, and finishes, postpones or crashes it itself."""

    kind: JobKind

    @property
    def hands(self) -> int:
        """How many jobs it can do at once; deliveries are limited by their destinations instead."""
        ...

    def work(self, claim: Claim) -> None:
        """Do the job."""

    def is_ready(self) -> bool:
        """Say whether a job could be done now."""


class Worker:
    """The stations of one process and the jobs in their hands.

    Args:
        house: database and clock.
        stations: who does which kind.
    """

    def __init__(self, house: House, stations: list[Station]) -> None:
        self._house = house
        self._stations = {station.kind: station for station in stations}
        self._lanes: dict[JobKind, _Lane] = {kind: _Lane() for kind in self._stations if kind is not JobKind.DELIVER}
        self._in_hand: dict[int, Claim] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._claims = count(1)
        self.stopping = threading.Event()

    def look(self) -> None:
        """Wake whoever has something due; call it every second.

        Raises:
            Unavailable: the database is away.
        """
        with self._house.database.reading() as t:
            due = jobs.due(t, self._house.clock.now())
        for kind in due:
            self.wake(kind)

    def wake(self, kind: JobKind) -> None:
        """Work this kind off in a thread of its own, and return at once."""
        threading.Thread(target=self._answer_alone, args=(kind,), name=f"work-{kind}", daemon=True).start()

    def answer(self, kind: JobKind) -> None:
        """Work until nothing of this kind is left; a thread for each hand of the station, or for each destination."""
        station = self._stations.get(kind)
        if station is None:
            return
        lane = self._lanes.get(kind)
        if lane is None:
            self._work_until_nothing_is_left(station)
            return
        lane.wanted = True
        # Who comes while all hands work leaves the wish behind, and one of them looks once more before it goes.
        while lane.wanted and lane.enter(station.hands):
            try:
                lane.wanted = False
                self._work_until_nothing_is_left(station)
            finally:
                lane.leave()

    def _answer_alone(self, kind: JobKind) -> None:
        try:
            self.answer(kind)
        except Exception:  # a thread's end is a border; the next look tries again
            log.exception("a kind of work ended in a way nobody foresaw", extra={"kind": kind})

    def renew_leases(self) -> None:
        """Keep every lease in hand alive; call it every ``RENEW_EVERY`` seconds."""
        with self._lock:
            in_hand = list(self._in_hand.values())
        for claim in in_hand:
            try:
                with self._house.database.transaction() as t:
                    jobs.renew(t, claim, self._house.clock.now())
            except (LostLease, Unavailable) as error:
                log.warning("a lease was not renewed", extra={"job": claim.id, "error": str(error)})

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait that many seconds for the jobs in hand to end."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_hand, timeout)

    def _work_until_nothing_is_left(self, station: Station) -> None:
        while not self.stopping.is_set() and station.is_ready():
            try:
                claim, counts = self._claim(station.kind)
            except Unavailable as error:
                log.warning("no job claimed", extra={"kind": station.kind, "error": str(error)})
                return
            if claim is None:
                return
            lane = self._lanes.get(station.kind)
            if lane is not None and lane.has_room(station.hands):
                self.wake(station.kind)  # where there was one job there may be another
            with self._holding(claim):
                outcome = self._work(station, claim)
            if counts:
                JOB_ATTEMPTS.labels(str(claim.kind), outcome).inc()

    def _claim(self, kind: JobKind) -> tuple[Claim | None, bool]:
        """Return the next job, if there is one, and whether it counts: synthetic eyes' do not (ux O39)."""
        now = self._house.clock.now()
        with self._house.database.transaction() as t:
            if kind is JobKind.GRADE and jobs.worker_is_ill(t, now):
                log.error("too many photographs crashed the decoder lately, grading pauses", extra={"kind": kind})
                return None, False
            claim = jobs.claim(t, kind, self._owner, now, oldest=next(self._claims) % jobs.OLDEST_EVERY == 0)
            return claim, claim is not None and not synthetic.is_work(t, claim.id)

    @contextmanager
    def _holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._in_hand[claim.id] = claim
        try:
            yield
        finally:
            with self._idle:
                self._in_hand.pop(claim.id, None)
                self._idle.notify_all()

    def _work(self, station: Station, claim: Claim) -> str:
        try:
            station.work(claim)
        except LostLease:
            log.warning("another worker took the job over", extra={"job": claim.id, "kind": claim.kind})
            outcome = "lost"
        except RetinaGateError as error:
            outcome = self._put_off(claim, str(error))
        except Exception as error:  # the worker is a border: one job must not end the others
            log.exception("a job failed in a way nobody foresaw", extra={"job": claim.id, "kind": claim.kind})
            outcome = self._put_off(claim, f"{type(error).__name__} in the {claim.kind} station")
        else:
            outcome = "done"
            if claim.kind in _NEXT:
                self.wake(_NEXT[claim.kind])
        return outcome

    def _put_off(self, claim: Claim, error: str) -> str:
        delay = jobs.back_off(claim.attempts, FIRST_DELAY, LONGEST_DELAY)
        try:
            with self._house.database.transaction() as t:
                jobs.postpone(t, claim, self._house.clock.now(), error=error, delay=delay)
        except (LostLease, Unavailable):
            return "lost"  # the lease runs out and the sweep gives the job back
        log.warning("a job was put off", extra={"job": claim.id, "kind": claim.kind, "error": error})
        return "postponed"


class _Lane:
    """One kind's way through: how many work, and whether somebody asked meanwhile."""

    def __init__(self) -> None:
        self.wanted = False
        self._working = 0
        self._lock = threading.Lock()

    def has_room(self, hands: int) -> bool:
        """Say whether one more could work."""
        return self._working < hands

    def enter(self, hands: int) -> bool:
        """Begin to work, where there is room."""
        with self._lock:
            if not self.has_room(hands):
                return False
            self._working += 1
            return True

    def leave(self) -> None:
        """End to work."""
        with self._lock:
            self._working -= 1
