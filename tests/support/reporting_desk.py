"""The two reporting stations on a casebook of a test's own, worked by hand."""

from collections.abc import Callable
from typing import Any

from graded_case import Shot, add_revision, write_case
from sqlalchemy import select

from casebook import jobs
from casebook.archive import Archive
from casebook.database import Database
from casebook.invariants import check
from casebook.jobs import Claim
from casebook.models import Case, Delivery, File, Report, Revision
from casebook.settings import Destination
from casebook.words import JobKind
from reporting.station import Reporter, Sender
from reporting.store import Limits


class Desk:
    """A reporter with its casebook."""

    def __init__(self, database: Database, archive: Archive, clock: Any, destinations: tuple[Destination, ...]) -> None:
        self.database, self.archive, self.clock, self.destinations = database, archive, clock, destinations
        self.reporter = Reporter(database, archive, destinations, clock)

    def case(self, *shots: Shot, **options: Any) -> Revision:
        with self.database.transaction() as t:
            revision = write_case(t, self.archive, list(shots), self.clock.now(), **options)
            jobs.enqueue(t, JobKind.REPORT, revision.id, self.clock.now())
        return revision

    def later(self, revision: Revision, *shots: Shot) -> Revision:
        with self.database.transaction() as t:
            case = t.get_one(Case, revision.case_id)
            later = add_revision(t, self.archive, case, list(shots), self.clock.now())
            jobs.enqueue(t, JobKind.REPORT, later.id, self.clock.now())
        return later

    def claim(self, kind: JobKind = JobKind.REPORT) -> Claim:
        with self.database.transaction() as t:
            claim = jobs.claim(t, kind, "test", self.clock.now())
        assert claim is not None
        return claim

    def work(self) -> None:
        self.reporter.work(self.claim())

    def reports(self) -> list[Report]:
        with self.database.reading() as t:
            return list(t.scalars(select(Report).order_by(Report.id)))

    def bytes_of(self, report: Report) -> bytes:
        with self.database.reading() as t:
            return self.archive.read(t.get_one(File, report.file_id).path)

    def findings(self) -> list[str]:
        with self.database.reading() as t:
            return [f"{found.invariant}: {found.what}" for found in check(t, self.archive, self.clock.now())]

    def send(self, *, limits: Limits = Limits(), chance: Callable[[], float] = lambda: 1.0) -> None:  # noqa: B008
        """Work off the deliver job that is next."""
        sender = Sender(
            self.database, self.archive, self.destinations, "RETINAGATE", self.clock, limits=limits, chance=chance
        )
        sender.work(self.claim(JobKind.DELIVER))

    def deliveries(self) -> list[Delivery]:
        with self.database.reading() as t:
            return list(t.scalars(select(Delivery).order_by(Delivery.id)))
