"""Reads an A-ASSOCIATE-RQ as far as the guard judges it, and writes the two PDUs that end a connection (PS3.8 9.3).

It works on bytes alone: nothing of the peer is handed to the library before it is judged.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

from casebook.errors import BadInput

HEADER = struct.Struct(">BxL")
REQUEST_TYPE = 0x01
DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_FIXED = 74  # header, version, titles and reserved bytes, before the variable items
_CALLED, _CALLING = slice(10, 26), slice(26, 42)


class Rejection(Enum):
    """Why an association is refused: result, source and reason of the A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    MAXIMUM_LENGTH = (1, 1, 1)  # there is no reason of its own for it
    APPLICATION_CONTEXT = (1, 1, 2)
    CALLER_UNKNOWN = (1, 1, 3)
    CALLED_WRONG = (1, 1, 7)
    PROTOCOL_VERSION = (1, 2, 2)
    BUSY = (2, 3, 1)
    NO_SLOT = (2, 3, 2)

    @property
    def pdu(self) -> bytes:
        """The A-ASSOCIATE-RJ PDU."""
        return struct.pack(">BxLxBBB", 0x03, 4, *self.value)


class Abort(IntEnum):
    """Why we, the service provider, abort: reason of the A-ABORT (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PARAMETER = 6

    @property
    def pdu(self) -> bytes:
        """The A-ABORT PDU with source 2, service provider."""
        return struct.pack(">BxLxxBB", 0x07, 4, 2, self.value)


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """Who asks for what. A title that no AE may have (PS3.5 6.2, VR AE) is None; a maximum length of 0 is no limit."""

    version: int
    called: str | None
    calling: str | None
    application_context: str
    abstract_syntaxes: tuple[str, ...]
    maximum_length: int


def parse(pdu: bytes) -> AssociationRequest:
    """Read a complete A-ASSOCIATE-RQ PDU, its header included.

    Raises:
        BadInput: lengths do not add up, the presentation contexts are none, even, doubled or without a syntax, or the
            maximum length is not said once.
    """
    if len(pdu) < _FIXED:
        raise BadInput("The association request is too short.")
    application_context = ""
    contexts: dict[int, str] = {}
    lengths: list[int] = []
    for kind, value in _items(memoryview(pdu)[_FIXED:]):
        if kind == 0x10:
            application_context = _uid(value)
        elif kind == 0x20:
            identifier, abstract_syntax = _context(value)
            if identifier % 2 == 0 or identifier in contexts:  # so there are at most 128
                raise BadInput("The presentation contexts are numbered wrongly.")
            contexts[identifier] = abstract_syntax
        elif kind == 0x50:
            lengths += _maximum_lengths(value)
    if not contexts:
        raise BadInput("The association request has no presentation context.")
    if len(lengths) != 1:  # mandatory (PS3.8 D.1.1); of two the library would take one
        raise BadInput("The association request does not say its maximum length once.")
    return AssociationRequest(
        version=struct.unpack_from(">H", pdu, 6)[0],
        called=ae_title(pdu[_CALLED]),
        calling=ae_title(pdu[_CALLING]),
        application_context=application_context,
        abstract_syntaxes=tuple(contexts.values()),
        maximum_length=lengths[0],
    )


def ae_title(field: bytes) -> str | None:
    """Return the title in a 16-byte field without its padding, or None when no AE may be called that.

    Spaces and NULs around it are padding; cameras send both.
    """
    title = field.strip(b" \0")
    if not title or not all(0x20 <= character <= 0x7E and character != 0x5C for character in title):
        return None
    return title.decode("ascii")


def with_plain_titles(pdu: bytes, asked: AssociationRequest) -> bytes:
    """Return the PDU with both titles padded by spaces: pynetdicom aborts at NULs."""
    fixed = bytearray(pdu)
    fixed[_CALLED] = (asked.called or "").encode("ascii").ljust(16)
    fixed[_CALLING] = (asked.calling or "").encode("ascii").ljust(16)
    return bytes(fixed)


def _items(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    position = 0
    while position < len(view):
        if position + 4 > len(view):
            raise BadInput("The association request is cut.")
        kind, length = struct.unpack_from(">BxH", view, position)
        position += 4 + length
        if position > len(view):
            raise BadInput("The association request is cut.")
        yield kind, view[position - length : position]


def _context(value: memoryview) -> tuple[int, str]:
    if len(value) < 4:
        raise BadInput("A presentation context is cut.")
    items = list(_items(value[4:]))
    abstract = [_uid(inner) for kind, inner in items if kind == 0x30]
    if len(abstract) != 1:
        raise BadInput("A presentation context has no abstract syntax.")
    if not any(kind == 0x40 for kind, _ in items):
        raise BadInput("A presentation context has no transfer syntax.")
    return value[0], abstract[0]


def _maximum_lengths(user_information: memoryview) -> list[int]:
    found = [inner for kind, inner in _items(user_information) if kind == 0x51]
    if any(len(inner) != 4 for inner in found):
        raise BadInput("The maximum length is cut.")
    return [int.from_bytes(inner, "big") for inner in found]


def _uid(value: memoryview) -> str:
    return bytes(value).rstrip(b"\0 ").decode("ascii", "replace")
