"""Where connections come in: each says who it is, under one deadline, before anything is built for it (security S2).

The stock server gives a silent connection a slot, two polling threads and all the time it wants (W1, W2). Here a
connection costs one thread until its whole A-ASSOCIATE-RQ is here and was judged.
"""

import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import ThreadedAssociationServer

from casebook.clock import Clock
from casebook.errors import BadInput
from dicom_listener.association_request import (
    HEADER,
    REQUEST_TYPE,
    Abort,
    AssociationRequest,
    Rejection,
    parse,
    with_plain_titles,
)
from dicom_listener.callers import plain_host
from dicom_listener.guard import GuardedAssociation, associate, count, register
from dicom_listener.keeper import Reception
from dicom_listener.limits import Limits
from dicom_listener.room import Room
from dicom_listener.wire import read_exactly

log = logging.getLogger(__name__)

_FAREWELL_SECONDS = 1.0

Judge = Callable[[AssociationRequest, str], Rejection | None]


class _SentAway(Exception):
    """The connection gets this last PDU and no association."""

    def __init__(self, pdu: bytes, outcome: str) -> None:
        super().__init__(outcome)
        self.pdu = pdu
        self.outcome = outcome


class Door(ThreadedAssociationServer):
    """Accepts connections and makes associations of those that may.

    Args:
        ae: the application entity, with its timeouts.
        address: where to listen.
        contexts: what is supported.
        handlers: pynetdicom's event handlers.
        judge: says why a request is refused, or None.
        reception: takes the objects.
        room: counts the waiting and the slots.
        limits: how long and how much.
        clock: for deadlines.

    Raises:
        OSError: the address cannot be listened at.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(  # noqa: PLR0913 - it ties the parts together, once
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        handlers: list[evt.EventHandlerType],
        *,
        judge: Judge,
        reception: Reception,
        room: Room[socket.socket],
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.judge = judge
        self.reception = reception
        self.room = room
        self.limits = limits
        self.clock = clock
        super().__init__(ae, address, ae.ae_title, contexts, evt_handlers=handlers)
        register(ae, self)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept, and nothing more: what takes time belongs to the connection's own thread (W8)."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a connection wait; the oldest of the fullest address goes when there are too many."""
        evicted = self.room.enter(request, plain_host(client_address[0]))
        if evicted is not None:
            count("evicted")
            _shut(evicted)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Hear who is there, and make an association of it or send it away."""
        host = plain_host(client_address[0])
        try:
            first = self._hear(request, host)
            self.room.leave(request)
            associate(self, request, client_address, host, first)
        except _SentAway as sent_away:
            count(sent_away.outcome)
            self._say(request, sent_away.pdu)
            self.shutdown_request(request)
        except Exception as error:  # noqa: BLE001 - the connection's thread: nobody else would close it
            count("gone")
            log.info("a connection ended before its association", extra={"error": type(error).__name__})
            self.shutdown_request(request)
        finally:
            self.room.leave(request)

    def service_actions(self) -> None:
        """Leave dead associations to the interpreter: a full collection in every round stops all threads (50 ms)."""

    def associations(self) -> list[GuardedAssociation]:
        """Return the associations that are alive."""
        return [association for association in self.active_associations if isinstance(association, GuardedAssociation)]

    def send_waiting_away(self) -> None:
        """Close the connections that have not said who they are."""
        for connection in self.room.waiting():
            _shut(connection)

    def _hear(self, connection: socket.socket, host: str) -> bytes:
        """Read the A-ASSOCIATE-RQ and take a slot for it.

        Raises:
            _SentAway: it is no request, is wrong, or may not be.
            OSError: the peer is gone, or was too slow.
        """
        deadline = self.clock.monotonic() + self.limits.request_seconds

        def left() -> float:
            return deadline - self.clock.monotonic()

        header = read_exactly(connection, HEADER.size, left)
        if len(header) < HEADER.size:
            raise ConnectionAbortedError
        kind, length = HEADER.unpack(header)
        if kind != REQUEST_TYPE:
            raise _SentAway(Abort.UNEXPECTED_PDU.pdu, "aborted")
        if length > self.limits.request_bytes:
            raise _SentAway(Abort.INVALID_PARAMETER.pdu, "aborted")
        body = read_exactly(connection, length, left)
        if len(body) < length:
            raise ConnectionAbortedError
        return self._admit(bytes(header + body), host)

    def _admit(self, pdu: bytes, host: str) -> bytes:
        try:
            asked = parse(pdu)
        except BadInput as error:
            raise _SentAway(Abort.INVALID_PARAMETER.pdu, "aborted") from error
        rejection = self.judge(asked, host)
        if rejection is None and not self.room.take_slot(host):
            rejection = Rejection.NO_SLOT
        if rejection is not None:
            log.info("association rejected", extra={"outcome": rejection.name.lower()})
            raise _SentAway(rejection.pdu, rejection.name.lower())
        count("accepted")
        return with_plain_titles(pdu, asked)

    def _say(self, connection: socket.socket, pdu: bytes) -> None:
        """Send a last PDU and wait a moment for the peer to read it: closing at once can destroy it on the way."""
        with contextlib.suppress(OSError):
            connection.settimeout(_FAREWELL_SECONDS)
            connection.sendall(pdu)
            connection.shutdown(socket.SHUT_WR)
            deadline = self.clock.monotonic() + _FAREWELL_SECONDS
            while self.clock.monotonic() < deadline and connection.recv(4096):
                pass


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
