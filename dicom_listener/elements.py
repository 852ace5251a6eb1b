"""Reads chosen elements of an encoded data set without trusting it (PS3.5 chapter 7).

pydicom reads what is well meant; here stands what a hostile sender meets first. Nothing is decoded or expanded, what is
not wanted is stepped over, nesting and the bytes looked at are bounded, and a length beyond the end is an error instead
of a short value. Pixels are never touched: the walk ends before them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.datadict import dictionary_VR

from casebook.errors import BadInput
from dicom_listener.contexts import EXPLICIT_BIG, IMPLICIT_LITTLE

MOST_BYTES = 1 << 20  # of headers and wanted values together
MOST_VALUE_BYTES = 64 << 10  # of one wanted value
MOST_DEPTH = 16

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
)  # PS3.5 7.1.2: these have a length of two bytes, all others of four

Items = tuple[dict[int, "Element"], ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One element as sent: its value representation, its undecoded value, and the items if it is a sequence."""

    vr: str
    value: bytes = b""
    items: Items = ()


class _Spent(Exception):
    """As much has been looked at as anybody may ask for."""


def read_elements(
    stream: BinaryIO, size: int, transfer_syntax: str, wanted: frozenset[int], last: int | None = None
) -> dict[int, Element]:
    """Read the wanted elements of a data set.

    Args:
        stream: the encoded data set, its first element at the current position.
        size: bytes from there to the end.
        transfer_syntax: how it is encoded; compressed syntaxes are Explicit VR Little Endian. Deflated comes inflated.
        wanted: tags to keep, each ``group << 16 | element``. Of a sequence everything inside is kept.
        last: where the walk may end early: behind this tag.

    Returns:
        The elements found, by tag. Of a tag sent twice the last one counts.

    Raises:
        BadInput: it is not encoded like that, is cut, or is nested too deeply.
    """
    walk = _Walk(stream, stream.tell() + size, little=transfer_syntax != EXPLICIT_BIG)
    implicit = transfer_syntax == IMPLICIT_LITTLE
    found: dict[int, Element] = {}
    try:
        for tag, vr, length in walk.top(implicit=implicit):
            if tag in _PIXELS or (last is not None and tag > last):
                break
            if tag >> 16 in (0x0000, 0x0002, 0xFFFE):
                raise BadInput("The data set has elements that do not belong there.")
            if tag in wanted:
                found[tag] = walk.keep(tag, vr, length, implicit=implicit)
            else:
                walk.skip(vr, length, implicit=implicit)
    except _Spent:
        pass
    return found


class _Walk:
    """A position in a data set that only moves forward and never beyond the end."""

    def __init__(self, stream: BinaryIO, end: int, *, little: bool) -> None:
        self._stream = stream
        self._end = end
        self._position = stream.tell()
        order = "<" if little else ">"
        self._tag = struct.Struct(f"{order}HH")
        self._short = struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}L")
        self._left = MOST_BYTES

    def elements(self, end: int | None, *, implicit: bool) -> Iterator[tuple[int, str, int]]:
        """Give tag, value representation and length of every element up to an end or an item's delimiter."""
        while end is None or self._position < end:
            tag, vr, length = self._header(implicit=implicit)
            if tag == _ITEM_END and end is None:
                return
            yield tag, vr, length
        if self._position != end:
            raise BadInput("An element is longer than its item.")

    def top(self, *, implicit: bool) -> Iterator[tuple[int, str, int]]:
        """Give the elements of the data set itself."""
        return self.elements(self._end, implicit=implicit)

    def keep(self, tag: int, vr: str, length: int, *, implicit: bool, depth: int = 1) -> Element:
        """Read a value; one that is too long, or made of fragments, is left empty."""
        if vr == "SQ" or (vr == "UN" and _dictionary_vr(tag, length) == "SQ"):
            return Element(
                "SQ",
                items=tuple(
                    {
                        inner: self.keep(inner, inner_vr, inner_length, implicit=inner_implicit, depth=depth + 1)
                        for inner, inner_vr, inner_length in self.elements(end, implicit=inner_implicit)
                    }
                    for end, inner_implicit in self._items(vr, length, implicit=implicit, depth=depth)
                ),
            )
        if length > MOST_VALUE_BYTES:
            self.skip(vr, length, implicit=implicit, depth=depth)
            return Element(vr)
        return Element(vr, self._read(length))

    def skip(self, vr: str, length: int, *, implicit: bool, depth: int = 1) -> None:
        """Step over a value; one of undefined length has to be walked through to find its end."""
        if length != _UNDEFINED:
            self._step(length)
            return
        for end, inner_implicit in self._items(vr, length, implicit=implicit, depth=depth):
            if end is not None:
                self._step(end - self._position)
                continue
            for _, inner_vr, inner_length in self.elements(None, implicit=inner_implicit):
                self.skip(inner_vr, inner_length, implicit=inner_implicit, depth=depth + 1)

    def _items(self, vr: str, length: int, *, implicit: bool, depth: int) -> Iterator[tuple[int | None, bool]]:
        """Stop at every item of a sequence: where it ends, if it says so, and whether it is implicit inside."""
        if depth > MOST_DEPTH:
            raise BadInput("The data set is nested too deeply.")
        undefined = length == _UNDEFINED
        end = self._end if undefined else self._within(length)
        implicit = implicit or vr == "UN"  # PS3.5 6.2.2 note 5: an unknown sequence is implicit inside
        while undefined or self._position < end:
            tag, item_length = self._delimiter()
            if tag == _SEQUENCE_END and undefined:
                return
            if tag != _ITEM:
                raise BadInput("A sequence has something else than items.")
            yield (None if item_length == _UNDEFINED else self._within(item_length)), implicit

    def _header(self, *, implicit: bool) -> tuple[int, str, int]:
        head = self._read(8)
        group, element = self._tag.unpack_from(head)
        tag = group << 16 | element
        if implicit or group == 0xFFFE:
            length = self._long.unpack_from(head, 4)[0]
            return tag, _dictionary_vr(tag, length), length
        vr = head[4:6]
        if not (vr.isalpha() and vr.isupper()):
            raise BadInput("The data set is not encoded as the presentation context says.")
        if vr not in _SHORT:
            return tag, vr.decode("ascii"), self._long.unpack(self._read(4))[0]
        return tag, vr.decode("ascii"), self._short.unpack_from(head, 6)[0]

    def _delimiter(self) -> tuple[int, int]:
        head = self._read(8)
        group, element = self._tag.unpack_from(head)
        return group << 16 | element, self._long.unpack_from(head, 4)[0]

    def _within(self, length: int) -> int:
        if self._position + length > self._end:
            raise BadInput("The data set is cut: an element reaches beyond the end.")
        return self._position + length

    def _read(self, length: int) -> bytes:
        end = self._within(length)
        self._left -= length
        if self._left < 0:
            raise _Spent
        value = self._stream.read(length)
        self._position = end
        if len(value) != length:
            raise BadInput("The data set is cut.")
        return value

    def _step(self, length: int) -> None:
        self._position = self._within(length)
        self._stream.seek(self._position)


def _dictionary_vr(tag: int, length: int) -> str:
    """Return the value representation of an element that does not state it."""
    if length == _UNDEFINED:
        return "OB" if tag in _PIXELS else "SQ"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"
