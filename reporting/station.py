"""Two stations: the reporter makes a revision's results, the sender brings one destination what is due for it."""

import logging
import random
import threading
from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import attention, deliveries, failpoints, jobs
from casebook.archive import Archive, Stored, register
from casebook.clock import Clock
from casebook.database import Database
from casebook.deliveries import Attempt, Parcel
from casebook.errors import BadInput, Unavailable
from casebook.jobs import Claim
from casebook.models import FileKind, Report, Revision
from casebook.settings import LOOPBACK, Destination
from casebook.telemetry import DELIVERY_ATTEMPTS
from casebook.words import Attention, CaseStatus, JobKind
from reporting import layout, products, source
from reporting.layout import Place
from reporting.source import Examination
from reporting.store import Cargo, Lane, Limits, Unsendable

log = logging.getLogger(__name__)

# What a builder raises when rows hold something nobody foresaw: it is counted, because trying again rarely helps.
_BUILD_ERRORS = (BadInput, ValueError, TypeError, AttributeError, LookupError)


class Reporter:
    """Makes the results of a graded revision: files first, then every row in one transaction (R5).

    Args:
        database: the casebook.
        archive: where the objects go.
        destinations: who gets what; without one the results are made all the same and can be downloaded.
        clock: for the rows; times inside the objects come from rows.
    """

    kind = JobKind.REPORT
    hands = 1

    def __init__(
        self,
        database: Database,
        archive: Archive,
        destinations: Iterable[Destination],
        clock: Clock,
    ) -> None:
        self._database = database
        self._archive = archive
        self._destinations = tuple(destinations)
        self._clock = clock

    def is_ready(self) -> bool:
        """Say whether a job could be done now."""
        return True

    def work(self, claim: Claim) -> None:
        """Make the results of the revision that is the claim's subject.

        Raises:
            Unavailable: database or disk is away.
            LostLease: another worker owns the job now; nothing of this one is left.
        """
        revision_id = int(claim.subject)
        try:
            examination = self._read(revision_id)
            objects = [] if examination is None else self._build(examination)
        except _BUILD_ERRORS as error:
            log.exception("a report could not be built", extra={"job": claim.id})
            self._crashed(claim, revision_id, type(error).__name__)
            return
        self._write_down(claim, revision_id, examination, objects)

    def _read(self, revision_id: int) -> Examination | None:
        with self._database.transaction() as t:
            revision = t.get_one(Revision, revision_id)
            if not _waits(t, revision):
                return None
            examination = source.load(t, revision, self._clock.now())
        return examination if examination.sources else None

    def _build(self, examination: Examination) -> list[tuple[Place, bytes]]:
        try:
            return [
                (place, products.build(examination, place, self._archive.read)) for place in layout.places(examination)
            ]
        except OSError as error:
            raise Unavailable("A picture of the archive cannot be read.", "Run: retinagate fsck") from error

    def _write_down(
        self, claim: Claim, revision_id: int, examination: Examination | None, objects: list[tuple[Place, bytes]]
    ) -> None:
        """Write files, then rows."""
        kept: list[tuple[Place, Stored]] = []
        written = False
        try:
            for place, data in objects:
                kept.append((place, self._archive.store(data, ".dcm")))
            failpoints.point("after_report_files")
            now = self._clock.now()
            with self._database.transaction() as t:
                revision = t.get_one(Revision, revision_id, with_for_update=True)
                needed = _waits(t, revision)
                if needed:
                    reports = [self._row(t, revision, examination, place, stored) for place, stored in kept]
                    planned = deliveries.plan(t, reports, self._destinations, now)
                    for name in sorted(planned):
                        jobs.enqueue(t, JobKind.DELIVER, name, now)
                    revision.status = CaseStatus.REPORTED
                jobs.finish(t, claim, now)
                written = True
        except OSError as error:
            raise Unavailable("The archive cannot be written.", "Check its disk; it will be tried again.") from error
        finally:
            # Once COMMIT was sent its outcome may be unknown; a file that no row names is found by the check for those.
            if not written:
                self._discard(kept)
        if not needed:
            self._discard(kept)

    def _row(
        self, t: Session, revision: Revision, examination: Examination | None, place: Place, stored: Stored
    ) -> Report:
        now = self._clock.now()
        of_all = place.source is None
        predecessor = examination.predecessor if examination is not None and of_all else None
        report = Report(
            revision=revision,
            product=place.product,
            photograph_id=place.source.id if place.source is not None else None,
            frame=place.answer.frame if place.answer is not None else None,
            sop_instance_uid=place.sop_instance_uid,
            sop_class_uid=place.sop_class_uid,
            series_instance_uid=place.series_instance_uid,
            transfer_syntax_uid=place.transfer_syntax_uid,
            predecessor_id=predecessor.id if predecessor is not None else None,
            file_id=register(t, stored, FileKind.REPORT, now).id,
            created_at=now,
        )
        t.add(report)
        t.flush()
        return report

    def _crashed(self, claim: Claim, revision_id: int, error: str) -> None:
        now = self._clock.now()
        with self._database.transaction() as t:
            if jobs.crashed(t, claim, now, error=f"{error} while the report was built"):
                case_id = t.get_one(Revision, revision_id).case_id
                attention.ask(t, case_id, Attention.DELIVERY_FAILED, now, "The report could not be built.")

    def _discard(self, kept: list[tuple[Place, Stored]]) -> None:
        for _, stored in kept:
            self._archive.discard(stored.path)


class Sender:
    """Brings one destination all that is due for it, over one association (R6-R7, R9).

    Args:
        database: the casebook.
        archive: where the objects lie.
        destinations: all that are configured; what waits for another one goes on waiting.
        our_title: our AE title.
        clock: for the rows.
        limits: how long a peer may take.
        chance: gives random numbers of 0 to 1 that spread the next attempts.
    """

    kind = JobKind.DELIVER
    hands = 1

    def __init__(
        self,
        database: Database,
        archive: Archive,
        destinations: Iterable[Destination],
        our_title: str,
        clock: Clock,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._archive = archive
        self._destinations = {destination.name: destination for destination in destinations}
        self._our_title = our_title
        self._clock = clock
        self._limits = limits
        self._chance = chance
        self._stopping = threading.Event()

    def is_ready(self) -> bool:
        """Say whether a job could be done now."""
        return not self._stopping.is_set()

    def stop(self) -> None:
        """End after the object under way; what is left waits in its rows (R19)."""
        self._stopping.set()

    def work(self, claim: Claim) -> None:
        """Send what is due for the destination that is the claim's subject.

        Raises:
            Unavailable: the database is away.
            LostLease: another worker owns the job now; what was sent is written down all the same.
        """
        destination = self._destinations.get(claim.subject)
        pause = 0.0
        if destination is not None:
            while parcels := self._due(destination):
                pause = self._send_all(destination, parcels)
                if pause or self._stopping.is_set():
                    break
        now = self._clock.now()
        with self._database.transaction() as t:
            # A lane that pauses keeps its job until then, so that a new report does not wake it; single objects that
            # wait longer are the sweep's business.
            if pause:
                jobs.postpone(t, claim, now, error=f"{claim.subject} did not take anything", delay=pause)
            else:
                jobs.finish(t, claim, now)

    def _due(self, destination: Destination) -> list[Parcel]:
        with self._database.reading() as t:
            return deliveries.due(t, destination.name, self._clock.now())

    def _send_all(self, destination: Destination, parcels: list[Parcel]) -> float:
        """Send these; return the seconds the lane must pause, 0 when it works."""
        cargoes = [Cargo(parcel.sop_class_uid, parcel.transfer_syntax_uid, str(parcel.product)) for parcel in parcels]
        try:
            with Lane(destination, self._our_title, cargoes, self._limits) as lane:
                for parcel, cargo in zip(parcels, cargoes, strict=True):
                    if self._stopping.is_set():
                        break
                    attempt = lane.send(cargo, self._archive.path(parcel.path))
                    failpoints.point("after_store")
                    self._count(destination, parcel, attempt)
                    if attempt.breaks_lane:
                        return self._lane_failed(destination, attempt, parcel)
                    with self._database.transaction() as t:
                        deliveries.record_attempt(t, parcel, attempt, self._clock.now(), self._chance())
        except Unsendable as refusal:
            self._count(destination, parcels[0], refusal.attempt)
            return self._lane_failed(destination, refusal.attempt, None)
        return 0.0

    def _lane_failed(self, destination: Destination, attempt: Attempt, culprit: Parcel | None) -> float:
        now = self._clock.now()
        log.warning(
            "a destination does not take anything",
            extra={"destination": destination.name, "outcome": str(attempt.effect)},
        )
        with self._database.transaction() as t:
            return deliveries.record_lane_failure(t, destination.name, attempt, now, self._chance(), culprit=culprit)

    def _count(self, destination: Destination, parcel: Parcel, attempt: Attempt) -> None:
        if destination.name != LOOPBACK:  # in no count (ux O39)
            DELIVERY_ATTEMPTS.labels(destination.name, str(parcel.product), str(attempt.effect)).inc()


def _waits(t: Session, revision: Revision) -> bool:
    """Say whether a revision still waits for its report: a late photograph may have opened the next one."""
    if revision.superseded_at is not None or revision.status is not CaseStatus.GRADED:
        return False
    return t.scalar(select(Report.id).where(Report.revision_id == revision.id).limit(1)) is None
