"""A listener of the tests' own: on a free port, with limits a test can wait for, and a look at what it fills."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from casebook.archive import Archive
from casebook.clock import SYSTEM, Clock
from casebook.database import Database
from casebook.models import File, Photograph
from casebook.settings import Listener as Settings
from casebook.words import JobKind
from dicom_listener.limits import Limits
from dicom_listener.server import Listener, make_server

# A good peer is never cut off because the machine was busy; only the end of a test need not wait.
PATIENT = Limits(stop_idle_seconds=0.2, stop_busy_seconds=1.0)
# For the tests that wait for a deadline to pass.
SHORT = replace(PATIENT, request_seconds=1.0, pdu_seconds=1.0, object_seconds=1.5)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for a state, and say whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@dataclass(frozen=True)
class Place:
    """A running listener and what it fills."""

    listener: Listener
    database: Database
    archive: Archive
    rings: list[JobKind]

    @property
    def address(self) -> tuple[str, int]:
        return self.listener.address

    def counts(self) -> tuple[int, int]:
        """Rows of photographs, and files under objects; both agree with the table of files."""
        with self.database.reading() as t:
            photographs = t.scalar(select(func.count()).select_from(Photograph)) or 0
            paths = set(t.scalars(select(File.path)))
        on_disk = set(self.objects())
        assert paths == on_disk
        return photographs, len(on_disk)

    def objects(self) -> list[str]:
        """What lies under objects, relative to the archive."""
        return [str(file.relative_to(self.archive.root)) for file in self.archive.objects.rglob("*") if file.is_file()]

    def parts(self) -> list[Path]:
        """What lies in incoming."""
        return list(self.archive.incoming.iterdir())


def new_archive(root: Path, reserve_mb: int = 0) -> Archive:
    """Make an empty archive."""
    archive = Archive(root, reserve_mb)
    archive.prepare("test", is_new=True)
    return archive


def start(
    database: Database, archive: Archive, limits: Limits = PATIENT, clock: Clock = SYSTEM, secret: str | None = None,
    bounds: dict[str, Any] | None = None, tls: ssl.SSLContext | None = None, **settings: Any,
) -> Place:  # fmt: skip
    """Start a listener; ``settings`` are its section, ``bounds`` single limits."""
    rings: list[JobKind] = []
    section = Settings(**settings).model_copy(update={"port": 0})
    listener = make_server(
        section, database, archive, clock, rings.append, replace(limits, **bounds or {}),
        self_test_secret=secret, tls=tls,
    )  # fmt: skip
    listener.start()
    return Place(listener, database, archive, rings)
