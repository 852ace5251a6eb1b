"""A crowd of hostile connections from one address, each opened again soon after it was closed (security N1-N9, N20)."""

import itertools
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import raw_association as raw
from raw_association import association_request, pdu

CLIENT_HELLO_BEGUN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@dataclass(frozen=True)
class Manner:
    """How a connection behaves: what it sends at once, then a byte a second, then behind the first answer."""

    at_once: bytes = b""
    trickled: bytes = b""
    behind_answer: bytes = b""
    closes_at_once: bool = False


MANNERS: dict[str, tuple[Manner, ...]] = {
    "N1 silence": (Manner(),),
    "N2 half a header": tuple(Manner(association_request()[:length]) for length in range(1, 6)),
    "N3 a header alone": (Manner(association_request()[:6]),),
    "N4 a byte a second": (Manner(trickled=association_request()),),
    "N5 too long": tuple(Manner(pdu(raw.RQ, b"", length)) for length in (0xFFFFFFFF, 262_145)),
    "N6 no request": tuple(
        Manner(first) for first in (pdu(raw.P_DATA, b"\0" * 20), b"GET / HTTP/1.1\r\n\r\n", CLIENT_HELLO_BEGUN)
    ),
    "N20 half a PDU": (Manner(association_request(), behind_answer=pdu(raw.P_DATA, b"\0" * 10, 16_384)),),
}
TLS_MANNERS: dict[str, tuple[Manner, ...]] = {
    "N9 silence": (Manner(),),
    "N9 half a ClientHello": (Manner(CLIENT_HELLO_BEGUN),),
    "N10 a plain request": (Manner(association_request()),),
}


class Flood:
    """Holds as many connections as it has manners; used as a context manager it closes them all at the end.

    Args:
        address: of the listener.
        manners: one for each connection.
        pause: seconds from the end of a connection to its next beginning.
    """

    def __init__(self, address: tuple[str, int], manners: Sequence[Manner], pause: float = 0.2) -> None:
        self.opened = 0
        self.closed_by_peer = 0
        self._address = address
        self._pause = pause
        self._selector = selectors.DefaultSelector()
        self._due = [(time.monotonic(), _Connection(manner)) for manner in manners]
        self._open: set[_Connection] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flood")

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            now = time.monotonic()
            for due, connection in list(self._due):
                if due <= now:
                    self._due.remove((due, connection))
                    self._begin(connection)
            for key, events in self._selector.select(0.01):
                self._turn(key.data, events)
            for connection in list(self._open):
                if connection.trickle(now):
                    self._end(connection)
        for connection in list(self._open):
            self._end(connection)

    def _begin(self, connection: "_Connection") -> None:
        connection.begin(self._address)
        self._open.add(connection)
        self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)
        self.opened += 1

    def _turn(self, connection: "_Connection", events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                connection.socket.sendall(connection.manner.at_once)
                if connection.manner.closes_at_once:
                    self._end(connection)
                else:
                    self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            elif connection.is_at_end():
                self.closed_by_peer += 1
                self._end(connection)
        except BlockingIOError:
            pass
        except OSError:
            self.closed_by_peer += 1
            self._end(connection)

    def _end(self, connection: "_Connection") -> None:
        self._selector.unregister(connection.socket)
        self._open.discard(connection)
        connection.socket.close()
        self._due.append((time.monotonic() + self._pause, connection))


class _Connection:
    """One of the crowd."""

    socket: socket.socket

    def __init__(self, manner: Manner) -> None:
        self.manner = manner

    def begin(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(address)
        self._is_answered = False
        self._trickled = 0
        self._began = time.monotonic()

    def is_at_end(self) -> bool:
        data = self.socket.recv(4096)
        if data and not self._is_answered and self.manner.behind_answer:
            self.socket.sendall(self.manner.behind_answer)
        self._is_answered = True
        return not data

    def trickle(self, now: float) -> bool:
        """Send the byte that is due, and say whether the peer is gone."""
        due = min(len(self.manner.trickled), int(now - self._began))
        try:
            if due > self._trickled:
                self.socket.sendall(self.manner.trickled[self._trickled : due])
                self._trickled = due
        except OSError:
            return True
        return False


def crowd(kinds: Sequence[Sequence[Manner]], size: int) -> list[Manner]:
    """Return so many manners of each kind, the variants of a kind in turn."""
    return [manner for kind in kinds for manner in itertools.islice(itertools.cycle(kind), size)]
