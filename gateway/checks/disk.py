"""The home folder, and the room on its disk and on the archive's (R18)."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from casebook.archive import Archive
from casebook.settings import Settings
from gateway.checks.finding import Finding, ok, red, size, warn

_ROOM_FOR_ROWS = 100_000_000  # bytes; what the database and its log may need before anybody looks again
_OWN_FOLDER = "set RETINAGATE_HOME to a folder of yours"


@dataclass(frozen=True, slots=True)
class Room:
    """The room on a disk, in bytes; the reserve is kept where the archive lies."""

    free: int
    reserve: int | None

    @property
    def in_words(self) -> str:
        """How much there is, and how much of it is kept."""
        return f"{size(self.free)} free" + ("" if self.reserve is None else f", reserve {size(self.reserve)}")

    def lack(self, check: str) -> Finding | None:
        """Find that the disk is full, or nearly."""
        if self.reserve is None:
            if self.free >= _ROOM_FOR_ROWS:
                return None
            return red(check, f"the disk is full: {self.in_words}", "make room on that disk")
        if self.free >= self.reserve:
            return None
        return red(
            check,
            f"the disk is full: {self.in_words}; no photograph is taken",
            "make room on that disk, or lower archive.reserve_mb",
        )


def home(settings: Settings) -> Finding:
    """Look whether the home folder can be used and its disk has room."""
    folder = settings.home
    try:
        return _home(settings)
    except OSError as error:
        return red("home", f"{folder} cannot be looked at ({error.strerror})", _OWN_FOLDER)


def room_at_home(settings: Settings) -> Room:
    """Return the room on the home folder's disk."""
    folder = nearest(settings.home)
    same_disk = nearest(settings.archive_path).stat().st_dev == folder.stat().st_dev
    return Room(shutil.disk_usage(folder).free, _reserve(settings) if same_disk else None)


def room_at_archive(settings: Settings) -> Room | None:
    """Return the room on the archive's disk, or None where that is the home folder's."""
    folder = nearest(settings.archive_path)
    if folder.stat().st_dev == nearest(settings.home).stat().st_dev:
        return None
    return Room(shutil.disk_usage(folder).free, _reserve(settings))


def nearest(path: Path) -> Path:
    """Return the path itself or, while it is not there, the nearest folder above it that is."""
    absolute = path.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.exists())


def usable(folder: Path) -> bool:
    """Say whether this process may read and write in a folder."""
    return folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _home(settings: Settings) -> Finding:
    folder = settings.home
    room = room_at_home(settings)
    if not usable(nearest(folder)):
        return red("home", f"{folder} cannot be {'written' if folder.exists() else 'made'}", _OWN_FOLDER)
    if (lack := room.lack("home")) is not None:
        return lack
    if not folder.exists():
        return warn(
            "home",
            f"{folder} is not there yet, and was not made; {room.in_words}",
            "start the service, which makes it, or set RETINAGATE_HOME to the right folder",
        )
    return ok("home", f"writable, {room.in_words}")


def _reserve(settings: Settings) -> int:
    return Archive(nearest(settings.archive_path), settings.archive.reserve_mb).reserve_bytes()
