"""Opens the house every part stands in: home folder, database, archive, identity, doorbell."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from casebook import installation
from casebook.archive import Archive
from casebook.clock import SYSTEM, Clock
from casebook.database import Database
from casebook.errors import Misconfigured, Refused
from casebook.settings import Destination, Settings

if TYPE_CHECKING:
    from gateway.queue import Doorbell

_ATTEMPTS, _ATTEMPT_SECONDS = 10, 0.05
_OWN_FOLDER = "Set RETINAGATE_HOME to a folder of yours."


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What lets the self-test of this start in: its secret, and the loop-back PACS its results go to."""

    secret: str
    loopback: Destination


@dataclass(frozen=True, slots=True)
class House:
    """What every part needs; each takes from the settings only its own section."""

    settings: Settings
    database: Database
    archive: Archive
    clock: Clock
    identity: str
    self_test: SelfTest | None = None  # only where one process is the whole service

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where the sender may bring something: what is configured, and the loop-back PACS where there is one."""
        loopback = () if self.self_test is None else (self.self_test.loopback,)
        return (*self.settings.destinations, *loopback)

    def doorbell(self) -> "Doorbell":
        """Return a bell to ring; importing Celery costs time, so only who rings pays for it."""
        from gateway.queue import Doorbell

        return Doorbell(self.settings.broker.url, self.identity)


@contextmanager
def open_house(settings: Settings, clock: Clock = SYSTEM, *, migrate: bool = False) -> Iterator[House]:
    """Open database and archive, and close them at the end.

    Args:
        migrate: bring the schema to the newest revision instead of refusing an older one.

    Raises:
        Misconfigured: the home folder cannot be used, or schema or archive do not fit.
        Unavailable: the database cannot be reached.
    """
    make_home(settings.home)
    database = Database(settings.database_url)
    try:
        if migrate:
            database.create_schema()
        else:
            database.check_schema()
        with database.transaction() as t:
            identity = installation.identity(t, clock.now())
            is_new = not installation.holds_files(t)
        archive = Archive(settings.archive_path, settings.archive.reserve_mb)
        archive.prepare(identity, is_new=is_new)
        yield House(settings, database, archive, clock, identity)
    finally:
        database.close()


def make_home(home: Path) -> None:
    """Make the home folder, for the service alone.

    Raises:
        Misconfigured: it cannot be made or written.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise Misconfigured(f"The home folder {home} cannot be made.", _OWN_FOLDER) from None
    if not os.access(home, os.W_OK):
        raise Misconfigured(f"The home folder {home} cannot be written.", _OWN_FOLDER)


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Hold the home folder's lock: one service a home (F23).

    Raises:
        Refused: another service runs there; the sentence names its process.
    """
    make_home(home)
    with (home / "lock").open("a+") as lock:
        if not _took(lock):
            lock.seek(0)
            raise Refused(
                f"RetinaGate runs already in {home} (process {lock.read().strip() or 'unknown'}).",
                "Stop it first, or set RETINAGATE_HOME to another folder.",
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _took(lock: IO[str]) -> bool:
    """Take the lock; a command that looks whether a service runs holds it for an instant, and is waited for."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_ATTEMPT_SECONDS)
        else:
            return True
    return False


def bundle_folder(settings: Settings) -> Path:
    """Return the folder of the bundle that grades.

    Raises:
        Misconfigured: there is none.
    """
    from inference.bundle import CARD, SHIPPED

    folder = settings.model.bundle or SHIPPED
    if not (folder / CARD).is_file():
        raise Misconfigured(f"There is no bundle in {folder}.", "Set model.bundle to the folder of a bundle.")
    return folder
