"""The fragments of one DIMSE message: their order, their sizes and their time (PS3.7 6.3.1, PS3.8 annex E).

Bytes are counted here, before the library sees them: it would keep fragments without end (200 MB held, measured).
"""

import struct

from dicom_listener.limits import Limits

_COMMAND, _LAST = 1, 2  # bits of the message control header
C_STORE_RQ = 0x0001
_N_EVENT_REPORT_RQ = 0x0100


class Violation(Exception):
    """The peer breaks the protocol or a limit; its association is aborted."""


class Fragments:
    """What has come of a message.

    Args:
        limits: how much and how long.
        began: monotonic time of its first fragment.
    """

    def __init__(self, limits: Limits, began: float) -> None:
        self._limits = limits
        self._began = began
        self._command = bytearray()
        self._object_bytes = 0
        self._context_id: int | None = None
        self._field: int | None = None

    @property
    def is_command_complete(self) -> bool:
        """Whether all of the command has come, so that its data set may follow."""
        return self._context_id is not None

    @property
    def is_c_store(self) -> bool:
        """Whether the complete command asks to store."""
        return self._field == C_STORE_RQ

    @property
    def due(self) -> float:
        """When the whole message must be here: a base and the slowest rate we bear, for as much as has come."""
        return self._began + self._limits.object_seconds + self._object_bytes / self._limits.object_rate

    def take(self, context_id: int, data: bytes) -> None:
        """Check the next fragment.

        Args:
            context_id: its presentation context.
            data: message control header and fragment.

        Raises:
            Violation: it is empty, out of order, too much, or of a message that nobody may send us.
        """
        if not data:
            raise Violation
        if data[0] & _COMMAND:
            self._take_command(context_id, data)
        else:
            self._take_object(context_id, len(data) - 1)

    def _take_command(self, context_id: int, data: bytes) -> None:
        if self.is_command_complete or len(self._command) + len(data) > self._limits.command_bytes:
            raise Violation
        self._command += data[1:]
        if data[0] & _LAST:
            self._context_id = context_id
            self._field = _command_field(self._command)
            # The library starts a thread for each of these; nobody was asked for one.
            if self._field == _N_EVENT_REPORT_RQ:
                raise Violation

    def _take_object(self, context_id: int, size: int) -> None:
        self._object_bytes += size
        most = self._limits.object_bytes if self.is_c_store else self._limits.command_bytes
        if context_id != self._context_id or self._object_bytes > most:
            raise Violation


def _command_field(command: bytearray) -> int | None:
    """Return Command Field (0000,0100); a command set is Implicit VR Little Endian (PS3.7 6.3.1)."""
    position = 0
    while position + 10 <= len(command):
        group, element, length = struct.unpack_from("<HHL", command, position)
        if (group, element, length) == (0x0000, 0x0100, 2):
            return int.from_bytes(command[position + 8 : position + 10], "little")
        position += 8 + length
    return None
