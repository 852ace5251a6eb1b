"""Where the bytes of an arriving object go: to a part in ``incoming``, in the order they come, memory flat (R2, P30).

It stands in for the buffer in which pynetdicom collects a data set. An exception inside that library would kill the
association, so the first error is kept here for the handler to find, and the rest of the object is swallowed: the
sender gets its answer, and the association lives on.
"""

import contextlib
import hashlib
import io
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Look = Callable[[bytes], bool]


class Spool(io.BytesIO):
    """Takes the data set of one object.

    Args:
        folder: where the part is made, on the archive's own file system.
        head: what stands before the data set in the file: preamble and file meta information.
        look: is shown the beginning of the data set, again each time it has doubled, until it has seen enough.
        refusal: why the object is not taken; its bytes are then swallowed from the start.
    """

    HEAD_BYTES = 1 << 20  # as much is kept in memory for ``look``

    def __init__(
        self, folder: Path, head: bytes, *, look: Look | None = None, refusal: BaseException | None = None
    ) -> None:
        super().__init__()
        self.path = folder / f"{uuid.uuid4().hex}.part"
        self.data_at = len(head)
        self.received = 0
        self.error = refusal
        self._head = head
        self._digest = hashlib.sha256()
        self._descriptor: int | None = None
        self._ended = False
        self._look = look
        self._seen = bytearray()
        self._look_again_at = 0

    def write(self, data: "ReadableBuffer", /) -> int:
        """Append a fragment of the data set; never raises."""
        size = memoryview(data).nbytes
        self.received += size
        if self.error is None and not self._ended:
            try:
                self._append(data)
            except OSError as error:
                self.error = error
                self._remove()
            else:
                self._digest.update(data)
                self._show(data)
        return size

    def complete(self) -> str:
        """End the part and return the SHA-256 of the data set as received, without file meta.

        Raises:
            BaseException: the first error that happened on the way, or the refusal.
        """
        self._ended = True
        if self.error is not None:
            raise self.error
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove the part, unless it was renamed away; may be called at any time and again."""
        self._ended = True
        self._remove()

    def _append(self, data: "ReadableBuffer") -> None:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)
            _write_all(self._descriptor, memoryview(self._head))
        _write_all(self._descriptor, memoryview(data))

    def _show(self, data: "ReadableBuffer") -> None:
        if self._look is None:
            return
        self._seen += data
        if len(self._seen) < self._look_again_at:
            return
        self._look_again_at = 2 * len(self._seen)
        if self._look(bytes(self._seen)) or len(self._seen) > self.HEAD_BYTES:
            self._look = None
            self._seen = bytearray()

    def _remove(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.close(descriptor)
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _write_all(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]
