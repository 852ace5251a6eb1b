"""The parts of a guarded association: reactor, timers, messages and socket, each with its bounds (W2-W9, W18).

A socket that bounds every PDU in size and time, a DIMSE provider that checks every fragment and writes data sets to a
spool, and a reactor that sleeps while nothing happens.
"""

import contextlib
import socket
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.timer import Timer

from casebook.association import ClosedSocket
from casebook.clock import Clock
from casebook.errors import BadInput
from dicom_listener.association_request import HEADER, REQUEST_TYPE, Abort
from dicom_listener.contexts import VERIFICATION
from dicom_listener.fragments import Fragments, Violation
from dicom_listener.keeper import Announced, Keeper, Peer
from dicom_listener.outcomes import Outcome
from dicom_listener.spool import Spool
from dicom_listener.wake import Checkpoint, TellingQueue, Wake
from dicom_listener.wire import read_exactly, readable

_P_DATA = 0x04
_PDU_TYPES = range(0x01, 0x08)
_CLOSED, _INVALID_PDU = "Evt17", "Evt19"  # PS3.8 table 9-10; to the second it answers A-ABORT in every state
_ABORT_SECONDS = 1.0


class KeptAssociation(Association):
    """An association as its parts see it."""

    keeper: Keeper
    peer: Peer
    dimse: "GuardedDimse"
    dul: "GuardedDul"

    def note(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """Take note of what becomes of it."""
        self.keeper.outcomes.note(outcome, self.peer.host, self.peer.caller, error)


class GuardedDul(DULServiceProvider):
    """A reactor that sleeps while nothing happens, and whose failure ends its own association and nothing else."""

    wake: Wake
    checkpoint: Checkpoint

    def guard(self, checkpoint: Checkpoint, clock: Clock) -> None:
        """Begin asleep; a stuck reactor does not keep the process from ending."""
        for timer in (self.artim_timer, self._idle_timer):
            timer.__class__ = _SteadyTimer
            cast(_SteadyTimer, timer).clock = clock
        self.wake = Wake()
        self.checkpoint = checkpoint
        self.to_user_queue = TellingQueue(checkpoint.tell)
        self.daemon = True

    def run(self) -> None:
        """Run, and close the connection when the library breaks over what a peer sent."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - its parsers raise anything, with a peer's data in the text
            cast(KeptAssociation, self.assoc).note(Outcome.BROKEN, error)
            with contextlib.suppress(OSError, AttributeError):
                cast(Any, self.socket).socket.shutdown(socket.SHUT_RDWR)
        finally:
            # Of a request it cannot decode the library tells the association nothing, which would wait its ten seconds.
            cast(TellingQueue, self.to_user_queue).put(None)

    def send_pdu(self, primitive: Any) -> None:
        """Hand over what is to be sent, and wake the reactor."""
        super().send_pdu(primitive)
        self.wake.set()

    def stop_dul(self) -> bool:
        """Stop the reactor if it is idle, waking it."""
        if self.state_machine.current_state == "Sta1":
            self._kill_thread = True
            self.wake.set()
        return super().stop_dul()

    def rest(self, seconds: float) -> None:
        """Sleep until there is something to read or to send."""
        is_closing = self.state_machine.current_state == "Sta13"
        if not is_closing and not self._kill_thread and self.event_queue.empty() and self.to_provider_queue.empty():
            self.wake.wait(cast(Any, self.socket).socket, seconds)


class _SteadyTimer(Timer):
    """Measures with the monotonic clock: when somebody sets the wall clock, no association ends and none lives on."""

    clock: Clock

    @property
    def remaining(self) -> float:
        """Seconds until it expires."""
        if self.timeout is None:
            return 1.0
        if self._start_time is None:
            return self.timeout
        now = self.clock.monotonic() if self._end_time is None else self._end_time
        return self.timeout - (now - self._start_time)

    def start(self) -> None:
        """Run from now on."""
        self._start_time = self.clock.monotonic()
        self._end_time = None

    def stop(self) -> None:
        """Stand still."""
        self._end_time = self.clock.monotonic()


class GuardedDimse(DIMSEServiceProvider):
    """Checks every fragment of a message and hands its data set to a spool."""

    association: KeptAssociation
    fragments: Fragments | None
    spools: set[Spool]

    def guard(self, association: KeptAssociation, messages: TellingQueue) -> None:
        """Begin, with no message under way."""
        self.association = association
        self.msg_queue = messages
        self.fragments = None
        self.spools = set()

    @property
    def due(self) -> float:
        """When the message under way must be complete."""
        fragments = self.fragments
        return float("inf") if fragments is None else fragments.due

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of a P-DATA one by one, and abort at the first that is wrong."""
        try:
            for context_id, data in primitive.presentation_data_value_list:
                self._take(context_id, data)
        except Exception as error:  # noqa: BLE001 - the library's parsers raise anything that bytes can cause
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Abort the association for an error and drop the message under way."""
        self.association.note(Outcome.ABORTED, error)
        self.fragments = None
        self.message = None
        self.dul.event_queue.put(_INVALID_PDU)

    def served(self, data_set: object) -> None:
        """Forget the spool of a message that was served."""
        if isinstance(data_set, Spool):
            self.spools.discard(data_set)
            self.association.keeper.reception.abandon(data_set)

    def abandon_all(self) -> None:
        """Remove what is left when the association has ended."""
        while self.spools:
            self.association.keeper.reception.abandon(self.spools.pop())

    def _take(self, context_id: int, data: bytes) -> None:
        keeper = self.association.keeper
        if context_id not in self.association._accepted_cx:  # noqa: SLF001
            raise Violation
        fragments = self.fragments
        if fragments is None:
            fragments = self.fragments = Fragments(keeper.limits, keeper.clock.monotonic())
        was_complete = fragments.is_command_complete
        fragments.take(context_id, data)
        single = P_DATA()
        single.presentation_data_value_list = [[context_id, data]]  # type: ignore[list-item]
        super().receive_primitive(single)
        if self.message is None:
            self.fragments = None
        elif fragments.is_c_store and not was_complete:
            self.message.data_set = cast(BytesIO, self._spool(context_id))

    def _spool(self, context_id: int) -> Spool:
        """Give what stands in where the library would collect the data set that follows the command."""
        context = self.association._accepted_cx[context_id]  # noqa: SLF001
        command = cast(Any, self.message).command_set
        announced = Announced(
            sop_class_uid=str(command.get("AffectedSOPClassUID", "")),
            sop_instance_uid=str(command.get("AffectedSOPInstanceUID", "")),
            transfer_syntax_uid=str(context.transfer_syntax[0]),
        )
        if announced.sop_class_uid == context.abstract_syntax != VERIFICATION:
            spool = self.association.keeper.reception.open(announced)
        else:  # it will be refused; its bytes are swallowed
            spool = Spool(Path(), b"", refusal=BadInput("The command does not fit its context."))
        self.spools.add(spool)
        return spool


class GuardedSocket(ClosedSocket):
    """Reads PDUs within bounds of size and time, and not at all while a message waits to be served."""

    association: KeptAssociation
    first: bytes
    body_due: float | None

    def guard(self, association: KeptAssociation, first: bytes) -> None:
        """Begin with the PDU that was read before there was an association."""
        self.association = association
        self.first = first
        self.body_due = None  # between a PDU's header and its body: when the last byte must be here

    @property
    def ready(self) -> bool:
        """Whether a PDU may be read now."""
        if self.first:
            return True
        if self.socket is None or not self._is_connected:
            return False
        dimse = self.association.dimse
        if not dimse.msg_queue.empty():
            return False  # TCP then holds the sender back, and what waits here stays one message
        left = dimse.due - self.association.keeper.clock.monotonic()
        if left < 0:
            dimse.give_up(TimeoutError())
            return False
        self.association.dul.rest(left)
        try:
            return bool(readable([self.socket], 0))
        except (OSError, ValueError):
            self.event_queue.put(_CLOSED)
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read a PDU's header, or its body: the library asks for each in turn. Fewer bytes: the peer is gone."""
        if self.first:
            data, self.first = bytearray(self.first[:nr_bytes]), self.first[nr_bytes:]
            return data
        keeper = self.association.keeper
        now = keeper.clock.monotonic
        is_header = self.body_due is None
        due = min(self.body_due or now() + keeper.limits.pdu_seconds, self.association.dimse.due)
        # Whatever ends this read, the next is of a header: taken for a body, its announced length would go unchecked.
        self.body_due = None
        try:
            data = read_exactly(cast(socket.socket, self.socket), nr_bytes, lambda: due - now())
        except TimeoutError as error:
            self._abort(Abort.NOT_SPECIFIED, error)
            raise
        if is_header and len(data) == HEADER.size:
            self._check(data)
            self.body_due = due
        return data

    def send(self, bytestream: bytes) -> None:
        """Send, but not for ever to a peer that does not read."""
        if self.socket is not None:
            self.socket.settimeout(self.association.keeper.limits.send_seconds)
            super().send(bytestream)

    def _check(self, header: bytearray) -> None:
        limits = self.association.keeper.limits
        kind, length = HEADER.unpack(header)
        if kind not in _PDU_TYPES:
            self._abort(Abort.UNRECOGNIZED_PDU, Violation())
            raise ConnectionAbortedError
        most = {_P_DATA: limits.pdu_bytes, REQUEST_TYPE: limits.request_bytes}.get(kind, limits.other_pdu_bytes)
        if length > most:
            self._abort(Abort.INVALID_PARAMETER, Violation())
            raise ConnectionAbortedError

    def _abort(self, reason: Abort, error: Exception) -> None:
        """Send an A-ABORT past the state machine, which is then told that the connection is closed."""
        self.association.note(Outcome.ABORTED, error)
        with contextlib.suppress(OSError):
            connection = cast(socket.socket, self.socket)
            connection.settimeout(_ABORT_SECONDS)
            connection.sendall(reason.pdu)
