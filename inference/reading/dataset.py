"""Finds the few attributes of a DICOM file that its pixels depend on, without trusting any of it (PS3.5 7, PS3.10 7.1).

A general parser reads what a hostile file tells it to read: nested sequences without end, lengths of 4 GiB, values of
any type. This one steps over everything but a dozen tags, counts what it steps over, and
believes no length that does not fit into the file.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.reading.rejection import damaged, over_limit

MAX_DEPTH = 16
MAX_ELEMENTS = 10_000
MAX_VALUE = 1 << 20
MAX_FRAGMENTS = 100_000
MAX_INFLATED = 64 << 20
_MAX_META = 100

DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT = "1.2.840.10008.1.2"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"

_META_SYNTAX = 0x00020010
_PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_VRS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
}  # fmt: skip
# PS3.6; where the syntax does not write the type of a value down, it is this one
_WANTED = {
    0x00080016: b"UI", 0x00080070: b"LO", 0x00280002: b"US", 0x00280004: b"CS", 0x00280006: b"US", 0x00280008: b"IS",
    0x00280010: b"US", 0x00280011: b"US", 0x00280100: b"US", 0x00280101: b"US", 0x00280102: b"US", 0x00280103: b"US",
    0x00281101: b"US", 0x00281102: b"US", 0x00281103: b"US", 0x00281201: b"OW", 0x00281202: b"OW", 0x00281203: b"OW",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """The raw value of an element, and how to read a number in it."""

    raw: bytes
    vr: bytes
    little: bool

    def number(self) -> int:
        """Return the one whole number in it, whether written as US, UL or IS.

        Raises:
            Rejected: it is none, or there are several.
        """
        order = "<" if self.little else ">"
        try:
            if self.vr in {b"IS", b"DS"}:
                return int(self.raw.strip(b" \0"))
            if len(self.raw) in {2, 4}:
                return int(struct.unpack(order + ("H" if len(self.raw) == 2 else "I"), self.raw)[0])
        except ValueError:
            pass
        raise damaged("An attribute that should be a number is none.")

    def numbers(self) -> tuple[int, ...]:
        """Return its 16-bit numbers.

        Raises:
            Rejected: it has an odd length.
        """
        if len(self.raw) % 2:
            raise damaged("An attribute that should hold 16-bit numbers has an odd length.")
        return struct.unpack(f"{'<' if self.little else '>'}{len(self.raw) // 2}H", self.raw)

    def text(self) -> str:
        """Return it as a short text in ASCII, padding stripped."""
        return self.raw[:256].decode("ascii", "replace").strip(" \0")


@dataclass(frozen=True, slots=True)
class File:
    """The attributes of a DICOM file that matter for its pixels.

    Attributes:
        transfer_syntax: UID out of the file meta information.
        values: the wanted attributes that are present, by tag.
        pixels: bytes of Pixel Data's value; for encapsulated data from the first item on. None where there is none.
        encapsulated: whether Pixel Data has undefined length.
        pixel_vr: ``OB`` or ``OW``; empty where the syntax does not say it.
    """

    transfer_syntax: str
    values: dict[int, Value]
    pixels: memoryview | None
    encapsulated: bool
    pixel_vr: str


def read(data: memoryview, also: Mapping[int, bytes] | None = None) -> File:
    """Read a DICOM file's attributes.

    Args:
        data: the whole file, preamble included.
        also: further attributes to keep, with their value representations (PS3.6).

    Raises:
        Rejected: it cannot be understood, or goes beyond our limits.
    """
    syntax, position = _file_meta(data)
    if syntax == DEFLATED:
        data, position = _inflated(data[position:]), 0
    wanted = {**_WANTED, **(also or {})}
    values: dict[int, Value] = {}
    little = syntax != _BIG_ENDIAN
    for element in _walk(data, position, explicit=syntax != _IMPLICIT, little=little):
        if element.tag == _PIXEL_DATA:
            return File(
                syntax, values, data[element.start : element.end], element.undefined, element.vr.decode("ascii")
            )
        if element.tag in wanted:
            if element.tag in values:
                raise damaged("An attribute of the picture stands there twice.")
            if element.undefined or element.end - element.start > MAX_VALUE:
                raise over_limit("An attribute of the picture is too long.")
            vr = wanted[element.tag] if element.vr in {b"", b"UN"} else element.vr
            values[element.tag] = Value(bytes(data[element.start : element.end]), vr, little)
    return File(syntax, values, None, encapsulated=False, pixel_vr="")


def _file_meta(data: memoryview) -> tuple[str, int]:
    """Return the transfer syntax and where the data set begins (PS3.10 7.1: always explicit little endian)."""
    position, syntax = 132, ""
    for _ in range(_MAX_META):
        if bytes(data[position : position + 2]) != b"\x02\0":
            break  # the data set begins, perhaps in another encoding
        tag, _, length, start = _header(data, position, explicit=True, little=True)
        position = start + length
        if tag == _META_SYNTAX:
            syntax = bytes(data[start:position]).decode("ascii", "replace").strip(" \0")
    if not syntax:
        raise damaged("The file does not say its transfer syntax.")
    return syntax, position


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    vr: bytes
    start: int  # of the value
    end: int
    undefined: bool


def _inflated(data: memoryview) -> memoryview:
    inflater = zlib.decompressobj(-15)
    try:
        inflated = inflater.decompress(data, MAX_INFLATED)
    except zlib.error:
        raise damaged("The deflated data set is damaged.") from None
    if inflater.unconsumed_tail:
        raise over_limit("The deflated data set is too large.")
    if not inflater.eof:
        raise damaged("The deflated data set is cut.")
    return memoryview(inflated)


def _walk(data: memoryview, position: int, *, explicit: bool, little: bool) -> Iterator[_Element]:
    """Give the top-level elements; sequences are stepped over, whatever is in them.

    Raises:
        Rejected: an element does not fit into the file, or there are too many of them.
    """
    steps = _Steps()
    while position < len(data):
        tag, vr, length, start = _header(data, position, explicit=explicit, little=little)
        steps.count()
        if length == _UNDEFINED:
            inner_explicit = explicit and vr != b"UN"  # PS3.5 6.2.2: unknown means implicit little endian inside
            end, value_end = _skip(
                data, start, steps, explicit=inner_explicit, little=little, encapsulated=tag == _PIXEL_DATA
            )
        else:
            end = value_end = start + length
        if end > len(data):
            raise damaged("The data set is cut.")
        yield _Element(tag, vr, start, value_end, length == _UNDEFINED)
        position = end


class _Steps:
    """Counts elements over the whole file."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise over_limit("The data set has more than 10,000 elements.")


def _header(data: memoryview, position: int, *, explicit: bool, little: bool) -> tuple[int, bytes, int, int]:
    """Return tag, VR (empty when implicit), length and where the value starts."""
    order = "<" if little else ">"
    try:
        group, element = struct.unpack_from(order + "HH", data, position)
        tag = group << 16 | element
        if not explicit or group == 0xFFFE:
            return tag, b"", int(struct.unpack_from(order + "I", data, position + 4)[0]), position + 8
        vr = bytes(data[position + 4 : position + 6])
        if vr in _SHORT_VRS:
            return tag, vr, int(struct.unpack_from(order + "H", data, position + 6)[0]), position + 8
        if vr in _LONG_VRS:
            return tag, vr, int(struct.unpack_from(order + "I", data, position + 8)[0]), position + 12
    except struct.error:
        raise damaged("The data set is cut.") from None
    raise damaged("The data set has an element of an unknown kind.")


def _skip(
    data: memoryview, position: int, steps: _Steps, *, explicit: bool, little: bool, encapsulated: bool
) -> tuple[int, int]:
    """Step over a value of undefined length; return where the next element starts and where the value ends.

    Works with a stack of its own: how deep a file nests must not decide how deep Python does.
    """
    if encapsulated:
        return _skip_fragments(data, position, little=little)
    stack = [False]  # for each open level, whether it is an item (elements inside) or a sequence (items inside)
    while True:
        tag, _, length, start = _header(data, position, explicit=explicit, little=little)
        steps.count()
        position = start
        if tag == (_ITEM_END if stack[-1] else _SEQUENCE_END):
            stack.pop()
            if not stack:
                return position, position - 8
        elif not stack[-1] and tag != _ITEM:
            raise damaged("A sequence holds something that is no item.")
        elif length == _UNDEFINED:
            stack.append(not stack[-1])
            # An item and its sequence are one level of nesting.
            if len(stack) > 2 * MAX_DEPTH:
                raise over_limit("The data set is nested more than 16 deep.")
        else:
            position += length


def _skip_fragments(data: memoryview, position: int, *, little: bool) -> tuple[int, int]:
    """Step over the fragments of encapsulated pixel data (PS3.5 A.4)."""
    order = "<" if little else ">"
    for _ in range(MAX_FRAGMENTS):
        try:
            group, element, length = struct.unpack_from(order + "HHI", data, position)
        except struct.error:
            raise damaged("The pixel data is cut.") from None
        tag = group << 16 | element
        if tag == _SEQUENCE_END:
            return position + 8, position
        if tag != _ITEM or length == _UNDEFINED:
            raise damaged("The pixel data is cut or damaged.")
        position += 8 + length
    raise over_limit("The pixel data has too many fragments.")
