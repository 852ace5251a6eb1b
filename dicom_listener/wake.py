"""Lets the library's two threads of an association sleep until there is something to do.

Left alone each of them looks a thousand times a second: ten idle associations took a quarter of a core (measured).
"""

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from dicom_listener.wire import readable

LONGEST_SECONDS = 0.5  # timers that only polling sees are seen so late at worst


class Wake:
    """Ends a wait for a socket from another thread."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0)
        self._sender.settimeout(0)

    def set(self) -> None:
        """End the wait under way, or the next one."""
        with contextlib.suppress(OSError):  # full: it is set already; closed: nobody waits any more
            self._sender.send(b"\0")

    def wait(self, connection: socket.socket | None, seconds: float) -> None:
        """Wait until the connection can be read, somebody sets this, or the time is over."""
        waiting_for = [self._receiver] if connection is None else [self._receiver, connection]
        with contextlib.suppress(OSError, ValueError):  # the connection is closed: its reader will see
            if self._receiver in readable(waiting_for, max(0.0, min(seconds, LONGEST_SECONDS))):
                self._receiver.recv(4096)

    def close(self) -> None:
        """Give the sockets back."""
        self._receiver.close()
        self._sender.close()


class Checkpoint(threading.Event):
    """Stands in for the event the association's thread passes in every round, and holds it while nothing is pending.

    Args:
        is_pending: whether there is something to do.
    """

    def __init__(self, is_pending: Callable[[], bool]) -> None:
        super().__init__()
        self._is_pending = is_pending
        self._news = threading.Event()
        super().set()

    def tell(self) -> None:
        """Say that there may be something to do."""
        self._news.set()

    def set(self) -> None:
        """Open the checkpoint."""
        super().set()
        self._news.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Pass when the checkpoint is open and there is something to do, or now and then."""
        is_open = super().wait(timeout)
        self._news.clear()  # before the question: what comes behind it sets it again
        if not self._is_pending():
            self._news.wait(LONGEST_SECONDS)
        return is_open


class TellingQueue(queue.Queue[Any]):
    """A queue that tells of everything put into it.

    Args:
        tell: is called behind every ``put``.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Put, and tell."""
        super().put(item, block, timeout)
        self._tell()
