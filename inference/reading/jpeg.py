"""The segments of a JPEG (ISO 10918-1 B.1, JPEG-LS: ISO 14495-1 C): its shape, whether it is whole, its rendition.

Nothing is decoded here. A codestream counts as whole when it runs from SOI to EOI, every component has been coded down
to its last bit, and nothing of it reaches beyond the data; the strict decoder checks the rest.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inference.reading.rejection import damaged, unknown_syntax
from inference.reading.shape import Shape

SOI = b"\xff\xd8"
_SOF_BASELINE, _SOF_EXTENDED, _SOF_PROGRESSIVE, _SOF_LOSSLESS, _SOF_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
_FRAMES = {*range(0xC0, 0xD0), _SOF_LS} - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC are no frame headers
_EOI, _SOS = 0xD9, 0xDA
_APP0, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
# A marker inside coded data: not a stuffed zero, not a fill byte, not a restart. JPEG-LS stuffs a bit instead of a
# byte, so there everything below 0x80 is data.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_MARKER_LS = re.compile(rb"\xff[\x80-\xfe]")
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"
_MAX_SEGMENTS = 20_000
_MAX_ICC = 4 << 20


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker with its parameters and, after a scan header, the coded data behind it."""

    marker: int
    start: int
    body: bytes  # parameters without marker and length
    end: int


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A whole JPEG: its process, its shape and its segments from SOI to EOI."""

    process: int  # second byte of the frame header's marker
    shape: Shape
    components: bytes
    segments: tuple[Segment, ...]

    @property
    def says_no_colour_space(self) -> bool:
        """Whether neither JFIF nor Adobe marker nor the components' names tell the colour space (ISO 10918-6 6)."""
        if any(segment.marker in {_APP0, _APP14} for segment in self.segments):
            return False
        return self.components not in {b"\1\2\3", b"RGB", b"rgb"}

    @property
    def lossless(self) -> bool:
        """Whether this is process 14 (SOF3)."""
        return self.process == _SOF_LOSSLESS

    @property
    def lossless_ls(self) -> bool:
        """Whether this is JPEG-LS (SOF55)."""
        return self.process == _SOF_LS

    @property
    def lossy(self) -> bool:
        """Whether this is Huffman coded, lossy and of 8 bits: what every browser shows."""
        return self.process in {_SOF_BASELINE, _SOF_EXTENDED, _SOF_PROGRESSIVE} and self.shape.bits == 8


def parse(data: bytes) -> Jpeg:
    """Walk a JPEG from SOI to EOI.

    Raises:
        Rejected: it is cut, contradicts itself or has no end; or its process is none we know.
    """
    segments = tuple(_segments(data))
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if len(frames) != 1 or len(frames[0].body) < 6:
        raise damaged("The JPEG does not have one frame header.")
    process, body = frames[0].marker, frames[0].body
    bits, height, width, samples = struct.unpack(">BHHB", body[:6])
    if len(body) != 6 + 3 * samples:
        raise damaged("The JPEG's frame header has the wrong length.")
    if process not in {_SOF_BASELINE, _SOF_EXTENDED, _SOF_PROGRESSIVE, _SOF_LOSSLESS, _SOF_LS}:
        raise unknown_syntax("The JPEG uses a process that is not read here.")
    if process == _SOF_LS:
        _check_scans_ls(segments, samples)
    else:
        _check_scans(segments, body[6::3], lossless=process == _SOF_LOSSLESS)
    return Jpeg(process, Shape(width, height, samples, bits), body[6::3], segments)


def cleaned(data: bytes, jpeg: Jpeg) -> bytes:
    """Return the JPEG as a browser may see it: same pixels, without comments and metadata.

    COM, APP1, APP3 to APP13 and APP15 go, with them Exif orientation and every text of a peer; APP0, APP2 and APP14
    stay because colours depend on them. A colour profile over 4 MB goes too. What follows EOI is cut off.
    """
    profile = sum(len(segment.body) for segment in jpeg.segments if segment.marker == _APP2)
    return _with_only(data, jpeg, {_APP0, _APP14} if profile > _MAX_ICC else {_APP0, _APP2, _APP14})


def bare(data: bytes, jpeg: Jpeg) -> bytes:
    """Return the JPEG as a decoder needs it: even a damaged colour profile must not spoil a good picture."""
    return _with_only(data, jpeg, {_APP0, _APP14})


def marked_as_rgb(data: bytes) -> bytes:
    """Return the JPEG with an Adobe marker that says its components are red, green and blue."""
    return SOI + _ADOBE_RGB + data[2:]


def _with_only(data: bytes, jpeg: Jpeg, kept: set[int]) -> bytes:
    view = memoryview(data)
    parts = [
        view[segment.start : segment.end]
        for segment in jpeg.segments
        if segment.marker != _COM and (not _APP0 <= segment.marker <= _APP15 or segment.marker in kept)
    ]
    if 4 + sum(map(len, parts)) == len(data):  # SOI, EOI and everything between: nothing to leave out, nothing to copy
        return bytes(data)
    return b"".join([SOI, *parts, bytes((0xFF, _EOI))])


def _segments(data: bytes) -> Iterator[Segment]:
    """Give the segments between SOI and EOI.

    Raises:
        Rejected: there is no SOI or no EOI, or a segment reaches beyond the data.
    """
    if data[:2] != SOI:
        raise damaged("This is no JPEG.")
    position, inside_marker = 2, _MARKER
    for _ in range(_MAX_SEGMENTS):
        # Fill bytes may stand before any marker (B.1.1.2).
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        if len(data) < position + 2 or data[position] != 0xFF:
            raise damaged("The JPEG is cut or damaged between its segments.")
        marker = data[position + 1]
        if marker == _EOI:
            return
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 2 + length
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8 or length < 2 or end + 2 > len(data):
            raise damaged("The JPEG is cut or has a damaged segment.")
        body = data[position + 4 : end]
        if marker == _SOF_LS:
            inside_marker = _MARKER_LS
        if marker == _SOS:
            following = inside_marker.search(data, end)
            if following is None:
                raise damaged("The JPEG ends before its end marker.")
            end = following.start()
        yield Segment(marker, position, body, end)
        position = end
    raise damaged("The JPEG has too many segments.")


def _check_scans(segments: tuple[Segment, ...], components: bytes, *, lossless: bool) -> None:
    """Demand that every coefficient of every component is coded down to its last bit.

    A progressive JPEG cut between two scans and closed with EOI decodes without complaint, but blurred.
    """
    missing = {(component, place) for component in components for place in range(1 if lossless else 64)}
    for segment in segments:
        if segment.marker != _SOS:
            continue
        body = segment.body
        count = body[0] if body else 0
        if len(body) != 4 + 2 * count:
            raise damaged("The JPEG has a damaged scan header.")
        first, last, low = body[-3], body[-2], body[-1] & 0x0F
        if lossless:  # first is the predictor, low the point transform
            missing -= {(body[1 + 2 * number], 0) for number in range(count)}
        elif low == 0:
            missing -= {(body[1 + 2 * number], place) for number in range(count) for place in range(first, last + 1)}
    if missing:
        raise damaged("The JPEG ends before all of its scans.")


def _check_scans_ls(segments: tuple[Segment, ...], samples: int) -> None:
    scanned = sum(segment.body[0] for segment in segments if segment.marker == _SOS and segment.body)
    if scanned != samples:
        raise damaged("The JPEG-LS codestream ends before all of its scans.")
