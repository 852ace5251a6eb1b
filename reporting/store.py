"""Sends stored objects over one association and reads every status (C-STORE as SCU, PS3.4 B).

The bytes that go out are the file's own: nothing is decoded, nothing is encoded again. Only a destination that takes
Implicit VR alone gets an uncompressed object in that form.
"""

import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import _config, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.presentation import build_context

from casebook.association import Caller
from casebook.deliveries import Attempt
from casebook.settings import Destination
from casebook.words import Unreachable
from reporting import failures
from reporting.failures import Fault, Rejection
from reporting.layout import EXPLICIT_LITTLE_ENDIAN

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_LARGEST_PDU = 131072  # DCMTK's ceiling; 1.2 to 1.5 times as fast as the default (performance P28)
_SLOWEST_BYTES_PER_SECOND = 50_000  # the library counts from the first byte, not from the last
_MOST_CONTEXTS = 128  # context ids are odd and at most 255 (PS3.8 9.3.2.2)

Encoding = tuple[str, str]  # SOP class and transfer syntax


@dataclass(frozen=True, slots=True)
class Cargo:
    """An object to send: its class, how it is encoded, and what a sentence calls it."""

    sop_class_uid: str
    transfer_syntax_uid: str
    name: str


ECHO = Cargo("1.2.840.10008.1.1", IMPLICIT_LITTLE_ENDIAN, "echo")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may take, in seconds."""

    connect: float = 10.0
    associate: float = 30.0
    answer: float = 60.0


class Unsendable(Exception):
    """No association came about; ``fault`` says why, ``attempt`` what that means for a delivery."""

    def __init__(self, destination: Destination, fault: Fault) -> None:
        self.fault = fault
        self.attempt = failures.judge(destination, fault, breaks_lane=True)
        super().__init__(self.attempt.sentence)


class Lane:
    """One association with a destination, for everything that is due; a context manager that releases it.

    Args:
        destination: whom to call.
        our_title: our AE title.
        cargoes: what it will carry.
        limits: how long the peer may take.

    Raises:
        Unsendable: no association came about.
    """

    def __init__(self, destination: Destination, our_title: str, cargoes: Iterable[Cargo], limits: Limits) -> None:
        self._destination = destination
        self._limits = limits
        self._messages = 0
        self._answered = False
        self._connected = False
        # Without it the library decodes a file and encodes it again. These switches hold for the whole process.
        _config.STORE_SEND_CHUNKED_DATASET = True
        _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
        self._proposed = _proposals(cargoes)
        self._association = self._associate(our_title)
        self._accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in self._association.accepted_contexts
        }
        self._refused = {
            str(context.abstract_syntax): context.result or 0 for context in self._association.rejected_contexts
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._association.is_established:
            self._association.release()

    def refusal(self, cargo: Cargo) -> Fault | None:
        """Say why the peer takes no such object, or None when it does."""
        encoding = (cargo.sop_class_uid, cargo.transfer_syntax_uid)
        implicit = (cargo.sop_class_uid, IMPLICIT_LITTLE_ENDIAN)
        if encoding in self._accepted or (encoding[1] == EXPLICIT_LITTLE_ENDIAN and implicit in self._accepted):
            return None
        result = self._refused.get(cargo.sop_class_uid, 0)
        return failures.not_taken(cargo.name, UID(encoding[0]).name, UID(encoding[1]).name, result)

    def echo(self) -> Fault | None:
        """Send a C-ECHO, and say what is wrong with the answer; the lane must carry ``ECHO``."""
        self._association.dimse_timeout = self._limits.answer
        try:
            status = self._association.send_c_echo().get("Status")
        except RuntimeError:  # the peer ended the association meanwhile
            return failures.unreachable(Unreachable.BROKEN_OFF)
        return None if status == failures.SUCCESS else failures.echo_refused(status)

    def send(self, cargo: Cargo, path: Path) -> Attempt:
        """Send one object and judge what came back.

        Args:
            cargo: what it is.
            path: its file.
        """
        if (fault := self.refusal(cargo)) is not None:
            return failures.judge(self._destination, fault, breaks_lane=False)
        as_it_is = (cargo.sop_class_uid, cargo.transfer_syntax_uid) in self._accepted
        try:
            size = path.stat().st_size
            return self._store(path if as_it_is else dcmread(path), size)
        except OSError:
            return failures.judge_missing_file()

    def _store(self, thing: Any, size: int) -> Attempt:
        begun = time.monotonic()
        self._answered = False
        self._messages = self._messages % 0xFFFF + 1
        limit = self._limits.answer + size / _SLOWEST_BYTES_PER_SECOND
        self._association.dimse_timeout = limit
        try:
            answer = self._association.send_c_store(thing, msg_id=self._messages)
        except RuntimeError:  # the peer ended the association between two objects
            return failures.judge_break(self._destination)
        if "Status" in answer:
            return failures.judge_status(int(answer.Status), str(answer.get("ErrorComment", "")))
        if self._answered:
            return failures.judge_empty_status()
        if time.monotonic() - begun >= limit:
            return failures.judge_silence(self._destination, limit)
        return failures.judge_break(self._destination)

    def _associate(self, our_title: str) -> Any:
        ae = Caller(our_title)
        ae.connection_timeout = self._limits.connect
        ae.acse_timeout = self._limits.associate
        begun = time.monotonic()
        try:
            association = ae.associate(
                self._destination.host,
                self._destination.port,
                contexts=[build_context(sop_class, syntax) for sop_class, syntax in self._proposed],
                ae_title=self._destination.ae_title,
                max_pdu=_LARGEST_PDU,
                evt_handlers=[(evt.EVT_CONN_OPEN, self._on_open), (evt.EVT_PDU_RECV, self._on_pdu)],
            )
        except OSError:
            raise self._unreachable(Unreachable.UNKNOWN_HOST) from None
        said = association.acceptor.primitive
        if association.is_established or (said is not None and said.result == 0):
            return association  # in the second case not one context was accepted
        if association.is_rejected and said is not None:
            rejection = Rejection(said.result or 0, said.result_source or 0, said.diagnostic or 0)
            raise Unsendable(self._destination, failures.rejected(self._destination, rejection, our_title))
        if not self._connected:
            raise self._unreachable(Unreachable.AWAY)
        waited = time.monotonic() - begun >= self._limits.associate
        raise self._unreachable(Unreachable.SILENT if waited else Unreachable.BROKEN_OFF)

    def _unreachable(self, why: Unreachable) -> Unsendable:
        return Unsendable(self._destination, failures.unreachable(why))

    def _on_open(self, event: evt.Event) -> None:
        self._connected = True
        connection: Any = event.assoc.dul.socket.socket  # type: ignore[union-attr]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the library never sets it (P27)
        # A peer that stops reading would hold a sending thread for ever.
        seconds = int(self._limits.answer) or 1
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", seconds, 0))

    def _on_pdu(self, event: evt.Event) -> None:
        # Whether anything was answered: the library returns the same empty status for silence and for nonsense.
        self._answered = self._answered or isinstance(event.pdu, P_DATA_TF)


def _proposals(cargoes: Iterable[Cargo]) -> list[Encoding]:
    """Return what to propose: each class in its own syntax, uncompressed ones as Implicit VR beside it.

    Each is a context of its own, so that a peer that takes both cannot choose the one that costs us our bytes.
    """
    wanted: dict[Encoding, None] = {}
    for cargo in cargoes:
        wanted[(cargo.sop_class_uid, cargo.transfer_syntax_uid)] = None
        if cargo.transfer_syntax_uid == EXPLICIT_LITTLE_ENDIAN:
            wanted[(cargo.sop_class_uid, IMPLICIT_LITTLE_ENDIAN)] = None
    return list(wanted)[:_MOST_CONTEXTS]
