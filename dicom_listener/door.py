"""Where connections come in: each says who it is, under one deadline, before anything is built for it (security S2).

The stock server gives a silent connection a slot, two polling threads and all the time it wants (W1, W2), and a silent
TLS client the whole accept loop (W8). Here a connection costs one thread until its whole A-ASSOCIATE-RQ is here and was
judged.
"""

import contextlib
import socket
import ssl
import sys
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
from dicom_listener.guard import GuardedAssociation, associate, register
from dicom_listener.keeper import Peer, Reception
from dicom_listener.limits import Limits
from dicom_listener.outcomes import Outcome, Outcomes
from dicom_listener.room import Room
from dicom_listener.wire import read_exactly

_FAREWELL_SECONDS = 1.0

Judge = Callable[[AssociationRequest, str], Rejection | None]
Name = Callable[[str | None, str], str]
Left = Callable[[], float]


class _SentAway(Exception):
    """The connection gets this last PDU and no association; its outcome is noted."""

    def __init__(self, pdu: bytes) -> None:
        super().__init__()
        self.pdu = pdu


class _NoHandshake(Exception):
    """The peer speaks no TLS that we take, or none in time."""


class Door(ThreadedAssociationServer):
    """Accepts connections and makes associations of those that may.

    Args:
        ae: the application entity, with its timeouts.
        address: where to listen.
        contexts: what is supported.
        handlers: pynetdicom's event handlers.
        judge: says why a request is refused, or None.
        name: says what a calling title from a host is called in metrics and logs.
        reception: takes the objects.
        room: counts the waiting and the slots.
        outcomes: takes note of what becomes of each connection.
        limits: how long and how much.
        clock: for deadlines.
        tls: where every connection must be ciphered.

    Raises:
        OSError: the address cannot be listened at.
    """

    request_queue_size = 512  # a connection that finds it full comes back after a second (128 let that happen)
    daemon_threads = True

    def __init__(  # noqa: PLR0913 - it ties the parts together, once
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        contexts: list[PresentationContext],
        handlers: list[evt.EventHandlerType],
        *,
        judge: Judge,
        name: Name,
        reception: Reception,
        room: Room[socket.socket],
        outcomes: Outcomes,
        limits: Limits,
        clock: Clock,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.judge = judge
        self.name = name
        self.reception = reception
        self.room = room
        self.outcomes = outcomes
        self.limits = limits
        self.clock = clock
        super().__init__(ae, address, ae.ae_title, contexts, ssl_context=tls, evt_handlers=handlers)
        register(ae, self)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept, and nothing more: what takes time belongs to the connection's own thread (W8)."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ssl_context is not None:  # put on here, for it takes the place of the socket that waits in the room
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a connection wait; the oldest of the fullest address goes when there are too many."""
        evicted = self.room.enter(request, plain_host(client_address[0]))
        if evicted is not None:
            oldest, its_host = evicted
            self.outcomes.note(Outcome.EVICTED, its_host)
            _shut(oldest)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Hear who is there, and make an association of it or send it away."""
        host = plain_host(client_address[0])
        deadline = self.clock.monotonic() + self.limits.request_seconds

        def left() -> float:
            return deadline - self.clock.monotonic()

        try:
            self._shake_hands(request, left)
            first = self._hear(request, host, left)
            self._admit(request, client_address, host, first)
        except _SentAway as sent_away:
            self._say(request, sent_away.pdu)
            self.shutdown_request(request)
        except Exception as error:  # noqa: BLE001 - the connection's thread: nobody else would close it
            if self.room.leave(request):  # else it was evicted, and that was noted
                is_handshake = isinstance(error, _NoHandshake)
                outcome = Outcome.HANDSHAKE_FAILED if is_handshake else Outcome.GONE
                self.outcomes.note(outcome, host, error=error.__cause__ or error)
            self.shutdown_request(request)
        finally:
            self.room.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that no thread could be started for a connection; the server then closes it."""
        self.room.leave(request)
        self.outcomes.note(Outcome.BROKEN, plain_host(client_address[0]), error=sys.exception())

    def service_actions(self) -> None:
        """Leave dead associations to the interpreter: a full collection in every round stops all threads (50 ms)."""

    def associations(self) -> list[GuardedAssociation]:
        """Return the associations that are alive."""
        return [association for association in self.active_associations if isinstance(association, GuardedAssociation)]

    def send_waiting_away(self) -> None:
        """Close the connections that have not said who they are."""
        for connection in self.room.waiting():
            _shut(connection)

    def _shake_hands(self, connection: socket.socket, left: Left) -> None:
        """Agree on TLS, where it is asked for.

        Raises:
            _NoHandshake: it came to nothing, or not in time.
        """
        if not isinstance(connection, ssl.SSLSocket):
            return
        connection.settimeout(max(0.001, left()))
        try:
            connection.do_handshake()
        except OSError as error:
            if isinstance(error, ssl.SSLError):  # OpenSSL has sent an alert
                self._let_read(connection)
            raise _NoHandshake from error

    def _hear(self, connection: socket.socket, host: str, left: Left) -> bytes:
        """Read the A-ASSOCIATE-RQ.

        Raises:
            _SentAway: it is no request, or promises too much.
            OSError: the peer is gone, or was too slow.
        """
        header = read_exactly(connection, HEADER.size, left)
        if len(header) < HEADER.size:
            raise ConnectionAbortedError
        kind, length = HEADER.unpack(header)
        if kind != REQUEST_TYPE:
            raise self._abort(Abort.UNEXPECTED_PDU, host)
        if length > self.limits.request_bytes:
            raise self._abort(Abort.INVALID_PARAMETER, host)
        body = read_exactly(connection, length, left)
        if len(body) < length:
            raise ConnectionAbortedError
        return bytes(header + body)

    def _admit(self, connection: socket.socket, address: Any, host: str, pdu: bytes) -> None:
        """Judge a request, and start the association of one that may be.

        Raises:
            _SentAway: it is wrong, or may not be.
            ConnectionAbortedError: it was evicted in the last moment.
        """
        try:
            asked = parse(pdu)
        except BadInput as error:
            raise self._abort(Abort.INVALID_PARAMETER, host) from error
        caller = self.name(asked.calling, host)
        rejection = self.judge(asked, host)
        if rejection is None and not self.room.take_slot(host):
            rejection = Rejection.NO_SLOT
        if rejection is not None:
            self.outcomes.refused(rejection, host, asked.calling, caller)
            raise _SentAway(rejection.pdu)
        if not self.room.leave(connection):
            self.room.give_slot(host)
            raise ConnectionAbortedError
        self.outcomes.note(Outcome.ACCEPTED, host, caller)
        associate(self, connection, address, Peer(host, caller), with_plain_titles(pdu, asked))

    def _abort(self, reason: Abort, host: str) -> _SentAway:
        self.outcomes.note(Outcome.ABORTED, host)
        return _SentAway(reason.pdu)

    def _say(self, connection: socket.socket, pdu: bytes) -> None:
        """Send a last PDU."""
        with contextlib.suppress(OSError):
            connection.settimeout(_FAREWELL_SECONDS)
            connection.sendall(pdu)
            self._let_read(connection)

    def _let_read(self, connection: socket.socket) -> None:
        """Wait a moment for the peer to read the last that was sent: closing at once can destroy it on the way."""
        with contextlib.suppress(OSError):
            connection.settimeout(_FAREWELL_SECONDS)
            connection.shutdown(socket.SHUT_WR)
            deadline = self.clock.monotonic() + _FAREWELL_SECONDS
            while self.clock.monotonic() < deadline and connection.recv(4096):
                pass


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # The plain method: a TLS socket's own would first drop the cipher under the thread that is reading.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
