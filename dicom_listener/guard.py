"""Bounds what a calling association may do to us; with its parts it touches the internals of pynetdicom 3.0.4.

Left alone, that library takes any PDU length, waits without end inside a PDU, keeps every fragment in memory, chooses
the service by the command instead of the context, and dies at a write error (W2-W13, M11).
An association made here gets the parts of ``guarded_parts`` and a check of each command against its context. They are
put in by changing the class of what the library made. Tests fail when the names used here move, or when the stock
server no longer needs this.
"""

import socket
from typing import Any, cast

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_STORE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from casebook import telemetry
from dicom_listener.contexts import VERIFICATION
from dicom_listener.guarded_parts import GuardedDimse, GuardedDul, GuardedSocket, KeptAssociation
from dicom_listener.keeper import Keeper, Peer
from dicom_listener.outcomes import Outcome
from dicom_listener.statuses import Status
from dicom_listener.wake import Checkpoint, TellingQueue


def associate(
    server: ThreadedAssociationServer, connection: socket.socket, address: Any, peer: Peer, first: bytes
) -> None:
    """Start the association of a request that was judged and has a slot.

    Args:
        server: a server that is also a ``Keeper``.
        connection: its socket.
        address: the peer's address as the socket gave it.
        peer: who it is with.
        first: the A-ASSOCIATE-RQ.
    """
    try:
        _GuardedHandler(connection, address, server, peer, first)
    except BaseException as error:  # an interrupt too: a slot that nobody gives back is lost
        keeper = cast(Keeper, server)
        keeper.room.give_slot(peer.host)
        keeper.outcomes.note(Outcome.BROKEN, peer.host, peer.caller, error)
        raise


def register(ae: ApplicationEntity, server: ThreadedAssociationServer) -> None:
    """Let an application entity know its server, as its own ``start_server`` does; ``shutdown`` looks for it there."""
    ae._servers.append(server)  # noqa: SLF001


class _GuardedHandler(RequestHandler):
    """Makes an association whose first PDU is already in hand."""

    def __init__(self, request: socket.socket, address: Any, server: Any, peer: Peer, first: bytes) -> None:
        self._peer = peer
        self._first = first
        super().__init__(request, address, server)

    def handle(self) -> None:
        """Start it."""
        association: Any = self._create_association()
        association.__class__ = GuardedAssociation
        association.guard(self.server, self._peer, self._first)
        association.start()


class GuardedAssociation(KeptAssociation):
    """An association whose commands must fit their context, and which leaves nothing behind."""

    strange_requests: int

    def guard(self, keeper: Keeper, peer: Peer, first: bytes) -> None:
        """Put the guarded parts into what the library made."""
        self.keeper = keeper
        self.peer = peer
        self.strange_requests = 0
        # The library's log handlers print whole messages.
        for event in (evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_PDU_RECV, evt.EVT_PDU_SENT):
            for handler in list(cast(list[Any], self.get_handlers(event))):
                self.unbind(event, handler[0])
        checkpoint = Checkpoint(self._is_pending)
        self._reactor_checkpoint = checkpoint
        self.dimse.__class__ = GuardedDimse
        self.dimse.guard(self, TellingQueue(checkpoint.tell))
        self.dul.__class__ = GuardedDul
        self.dul.guard(checkpoint, keeper.clock)
        connection: Any = self.dul.socket
        connection.__class__ = GuardedSocket
        connection.guard(self, first)

    @property
    def is_busy(self) -> bool:
        """Whether an object is arriving, waiting for its turn or being answered."""
        return bool(self.dimse.spools)

    def run(self) -> None:
        """Serve, then leave nothing behind."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - its negotiation raises anything, and would leave the reactor running
            self.note(Outcome.BROKEN, error)
            self.abort()
        finally:
            self.dimse.abandon_all()
            self.dul.wake.close()
            self.keeper.room.give_slot(self.peer.host)

    def _is_pending(self) -> bool:
        """Whether this thread has something to do: a message, the peer's wish to leave, or the end."""
        return (
            self._kill
            or not self.dul.is_alive()
            or not self.dimse.msg_queue.empty()
            or not self.dul.to_user_queue.empty()
        )

    def send_away(self) -> None:
        """Abort without waiting; the association then ends by itself."""
        self.abort(block=False)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        """Serve a message only if its command fits the context it came in; the library looks at the command alone."""
        if isinstance(msg, C_CANCEL) or msg.MessageIDBeingRespondedTo is not None:
            return  # there is nothing to cancel, and nobody was asked
        try:
            if not msg.is_valid_request:
                self.abort()
                return
            refusal = _misfit(msg, self._accepted_cx[context_id])
            if refusal is None:
                super()._serve_request(msg, context_id)
            else:
                self._refuse(msg, context_id, refusal)
        finally:
            self.dimse.served(getattr(msg, "DataSet", None))

    def _refuse(self, msg: Any, context_id: int, status: Status) -> None:
        if status is Status.UNRECOGNISED_OPERATION:
            self.strange_requests += 1
            if self.strange_requests > 1:
                self.abort()
                return
        telemetry.STORE_REQUESTS.labels(caller=self.peer.caller, status=f"{status:04X}").inc()
        response = type(msg)()
        response.MessageID = response.MessageIDBeingRespondedTo = msg.MessageID
        response.Status = int(status)
        for theirs, ours in (
            ("AffectedSOPClassUID", "AffectedSOPClassUID"),
            ("RequestedSOPClassUID", "AffectedSOPClassUID"),
            ("AffectedSOPInstanceUID", "AffectedSOPInstanceUID"),
            ("RequestedSOPInstanceUID", "AffectedSOPInstanceUID"),
        ):
            if getattr(msg, theirs, None) is not None and hasattr(response, ours):
                setattr(response, ours, getattr(msg, theirs))
        self.dimse.send_msg(response, context_id)


def _misfit(msg: Any, context: PresentationContext) -> Status | None:
    """Say why a request does not fit the context it came in."""
    fits = msg.AffectedSOPClassUID == context.abstract_syntax if isinstance(msg, (C_ECHO, C_STORE)) else False
    is_offered = isinstance(msg, C_ECHO if context.abstract_syntax == VERIFICATION else C_STORE)
    if fits and is_offered:
        return None
    if isinstance(msg, (C_ECHO, C_STORE)) and not fits:
        return Status.SOP_CLASS_NOT_SUPPORTED
    return Status.UNRECOGNISED_OPERATION
