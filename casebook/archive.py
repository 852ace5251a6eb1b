"""Files that exist only when they are durable: create, fsync, rename, fsync of the folder, and only then a row (R2).

Under the archive's root lie ``incoming`` (parts and work folders, swept) and ``objects`` (final files, each named by
exactly one row). Names are ours; no text of a peer is ever part of a path.
"""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import failpoints
from casebook.errors import Misconfigured, Unavailable
from casebook.models import File, FileKind

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A durable file: its path below the archive's root, the SHA-256 of its bytes, its length."""

    path: str
    sha256: str
    size: int


class Archive:
    """The folder that holds every file of the casebook.

    Args:
        root: the folder; made by ``prepare`` when it is new.
        reserve_mb: free space in MiB below which nothing more is taken; by default the larger of 1 GiB and 5 %.
    """

    def __init__(self, root: Path, reserve_mb: int | None = None) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.objects = root / "objects"
        self._mark = root / "archive.id"
        self._reserve_mb = reserve_mb

    def check_owner(self, identity: str, *, is_new: bool) -> None:
        """Make sure, changing nothing, that the folder is the one this casebook belongs to (F5).

        Args:
            identity: the installation's identity, written into the archive at its first start.
            is_new: whether the casebook holds no file yet, so that an empty archive is right.

        Raises:
            Misconfigured: the archive belongs to another casebook, or is missing under a casebook that has files.
        """
        if self._mark.exists():
            if self._mark.read_text().strip() != identity:
                raise Misconfigured(
                    "The archive belongs to another installation.", "Set archive.path to the archive of this database."
                )
        elif not is_new:
            raise Misconfigured(
                "The archive's folder is empty or not mounted, but the database names files in it.",
                "Mount or restore the archive, then start again.",
            )

    def prepare(self, identity: str, *, is_new: bool) -> None:
        """Make the folders, or make sure that they are the ones this casebook belongs to.

        Args:
            identity: as in ``check_owner``.
            is_new: as in ``check_owner``.

        Raises:
            Misconfigured: as ``check_owner``.
        """
        self.check_owner(identity, is_new=is_new)
        # All folders are made now, so that keeping a file costs two fsyncs and not four.
        shelves = (self.objects / f"{number:02x}" for number in range(256))
        for folder in (self.root, self.incoming, self.objects, *shelves):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(self.objects)
        if not self._mark.exists():
            # Whole or not at all, and twice the same where two start at once.
            part = self.root / f"{uuid.uuid4().hex}.part"
            _write_durably(part, identity.encode())
            part.rename(self._mark)
            _sync_folder(self.root)

    def keep(self, part: Path, suffix: str) -> Stored:
        """Make a part that lies in ``incoming`` a durable file under a name of ours.

        Args:
            part: the complete file; it is gone from there afterwards.
            suffix: what the name ends in, such as ``.dcm``.

        Raises:
            OSError: the disk failed; nothing is left under ``objects``. A failed fsync is final for that file.
        """
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            sha256, size = _hash(descriptor)
            os.fchmod(descriptor, 0o600)  # the child made some of them, under a mask of its own
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        name = uuid.uuid4().hex
        folder = self.objects / name[:2]
        target = folder / f"{name}{suffix}"
        part.rename(target)
        failpoints.point("after_rename")
        try:
            _sync_folder(folder)
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return Stored(str(target.relative_to(self.root)), sha256, size)

    def store(self, data: bytes, suffix: str) -> Stored:
        """Make bytes of our own a durable file.

        Raises:
            OSError: the disk failed; nothing is left behind.
        """
        part = self.incoming / f"{uuid.uuid4().hex}.part"
        try:
            _write(part, data)
            return self.keep(part, suffix)
        finally:
            part.unlink(missing_ok=True)

    def path(self, relative: str) -> Path:
        """Return where a file of a row lies."""
        return self.root / relative

    def read(self, relative: str) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError: it is not there or cannot be read.
        """
        return self.path(relative).read_bytes()

    def discard(self, relative: str) -> None:
        """Remove a file that no row names."""
        self.path(relative).unlink(missing_ok=True)

    def differs(self, file: File) -> str | None:
        """Say how a file on disk differs from its row, or nothing when it does not."""
        path = self.path(file.path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return "is missing"
        try:
            sha256, size = _hash(descriptor)
        finally:
            os.close(descriptor)
        if size != file.size:
            return f"has {size} bytes instead of {file.size}"
        return None if sha256 == file.sha256 else "has other bytes than were received"

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Give an empty folder in ``incoming``, removed with everything still in it at the end."""
        folder = self.incoming / f"{uuid.uuid4().hex}.work"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def free_bytes(self) -> int:
        """Return the free space on the archive's disk."""
        return shutil.disk_usage(self.root).free

    def reserve_bytes(self) -> int:
        """Return the space that is kept free for the database and our own results."""
        if self._reserve_mb is not None:
            return self._reserve_mb << 20
        return max(1 << 30, shutil.disk_usage(self.root).total // 20)

    def check_reserve(self) -> None:
        """Refuse more photographs when the disk is nearly full (R18).

        Raises:
            Unavailable: the free space is below the reserve.
        """
        if self.free_bytes() < self.reserve_bytes():
            raise Unavailable("The disk is nearly full.", "Make room; cameras will send again.")

    def objects_on_disk(self, older_than: float) -> Iterator[str]:
        """Give the relative path of every file under ``objects``.

        Args:
            older_than: POSIX time; a file that came later may be one whose row is being written right now.
        """
        for folder, _, names in os.walk(self.objects):
            for name in names:
                path = Path(folder) / name
                with contextlib.suppress(FileNotFoundError):
                    if path.lstat().st_ctime <= older_than:  # set by the rename
                        yield str(path.relative_to(self.root))

    def sweep_incoming(self, older_than: float) -> int:
        """Remove parts and work folders left behind by a process that died.

        Args:
            older_than: POSIX time; what changed since then stays.

        Returns:
            How many were removed.
        """
        removed = 0
        for entry in self.incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if entry.lstat().st_mtime < older_than:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                    removed += 1
        return removed


def register(t: Session, stored: Stored, kind: FileKind, now: datetime) -> File:
    """Write the row of a durable file."""
    file = File(path=stored.path, sha256=stored.sha256, size=stored.size, kind=kind, created_at=now)
    t.add(file)
    t.flush()
    return file


def strangers(t: Session, archive: Archive, older_than: float) -> list[str]:
    """Return the files under ``objects`` that no row names: a process died between the rename and the commit (F2).

    Args:
        older_than: POSIX time; later files may still get their row.
    """
    on_disk = sorted(archive.objects_on_disk(older_than))
    named = set(t.scalars(select(File.path)))
    return [path for path in on_disk if path not in named]


def _hash(descriptor: int) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    while block := os.read(descriptor, _CHUNK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _write_durably(path: Path, data: bytes) -> None:
    _write(path, data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
