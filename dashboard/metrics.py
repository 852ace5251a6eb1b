"""The metrics that follow from rows and the disk, read when somebody asks (ux 3); synthetic eyes are in none (O39)."""

from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy import func, select

from casebook import heartbeats, jobs, self_tests, synthetic
from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database
from casebook.models import AttentionRow, Case, Delivery, Job, Revision
from casebook.settings import LOOPBACK
from casebook.words import JobState

READY = Gauge("retinagate_ready", "Whether a part is ready", ["part"])
CASES = Gauge("retinagate_cases", "Cases by status", ["status"])
ATTENTION = Gauge("retinagate_cases_attention", "Cases a person must look at", ["reason"])
JOBS = Gauge("retinagate_jobs", "Unfinished jobs", ["station", "state"])
OLDEST_JOB = Gauge("retinagate_job_oldest_waiting_seconds", "Age of the oldest waiting job that is due", ["station"])
DELIVERIES = Gauge("retinagate_deliveries", "Deliveries", ["destination", "state"])
SELF_TEST = Gauge("retinagate_selftest_last_success_timestamp_seconds", "When the self-test last was green")
ARCHIVE_FREE = Gauge("retinagate_archive_free_bytes", "Free space on the archive's disk")
ARCHIVE_RESERVE = Gauge("retinagate_archive_reserve_bytes", "Space kept free")


class Gauges:
    """Fills the gauges from the casebook."""

    def __init__(self, database: Database, archive: Archive, clock: Clock) -> None:
        self._database, self._archive, self._clock = database, archive, clock
        self._self_tests = self_tests.LastGreen()

    def refresh(self) -> None:
        """Read everything anew.

        Raises:
            Unavailable: the database is away.
        """
        now = self._clock.now()
        for gauge in (READY, CASES, ATTENTION, JOBS, OLDEST_JOB, DELIVERIES):
            gauge.clear()
        ARCHIVE_FREE.set(self._archive.free_bytes())
        ARCHIVE_RESERVE.set(self._archive.reserve_bytes())
        with self._database.reading() as t:
            for part, pulse in heartbeats.pulses(t, now).items():
                READY.labels(part).set(pulse.ready and pulse.fresh)
            for (kind, state), count in jobs.depth(t).items():
                JOBS.labels(str(kind), str(state)).set(count)
            for kind, oldest in t.execute(
                select(Job.kind, func.min(Job.run_after))
                .where(Job.state == JobState.WAITING, Job.run_after <= now, ~synthetic.has_work())
                .group_by(Job.kind)
            ):
                OLDEST_JOB.labels(str(kind)).set(_age(oldest, now))
            real = Case.synthetic.is_(False)
            for status, count in t.execute(
                select(Revision.status, func.count())
                .join(Revision.case)
                .where(Revision.superseded_at.is_(None), real)
                .group_by(Revision.status)
            ):
                CASES.labels(str(status)).set(count)
            for reason, count in t.execute(
                select(AttentionRow.reason, func.count())
                .join(Case, Case.id == AttentionRow.case_id)
                .where(AttentionRow.cleared_at.is_(None), real)
                .group_by(AttentionRow.reason)
            ):
                ATTENTION.labels(str(reason)).set(count)
            for destination, delivered, count in t.execute(
                select(Delivery.destination, Delivery.state, func.count())
                .where(Delivery.destination != LOOPBACK)
                .group_by(Delivery.destination, Delivery.state)
            ):
                DELIVERIES.labels(destination, str(delivered)).set(count)
            if (green := self._self_tests.look(t)) is not None:
                SELF_TEST.set(green.timestamp())


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
