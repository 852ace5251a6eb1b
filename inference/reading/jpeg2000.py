"""The headers of a JPEG 2000 codestream (ISO 15444-1 A.4 to A.6): its shape, and whether every tile-part is there."""

import struct
from dataclasses import dataclass

from inference.reading.rejection import damaged, over_limit, unknown_syntax
from inference.reading.shape import Shape

SIGNATURE = b"\xff\x4f\xff\x51"  # SOC, SIZ
_SOT, _COD, _EOC = 0xFF90, 0xFF52, b"\xff\xd9"
_MAX_TILES = 65535
_MAX_MARKERS = 10_000


@dataclass(frozen=True, slots=True)
class Jpeg2000:
    """A whole codestream: its shape, and whether the decoder undoes a colour transform by itself."""

    shape: Shape
    colour_transform: bool


def parse(data: bytes) -> Jpeg2000:
    """Read the main header and follow the tile-parts to the end of the codestream.

    Raises:
        Rejected: it is cut or contradicts itself, has too many tiles, or components of different sizes.
    """
    if data[:4] != SIGNATURE or len(data) < 42:
        raise damaged("This is no JPEG 2000 codestream.")
    shape = _size(data)
    position, colour_transform = 2, False
    for _ in range(_MAX_MARKERS):
        marker = int.from_bytes(data[position : position + 2], "big")
        if marker == _SOT:
            _follow_tile_parts(data, position)
            return Jpeg2000(shape, colour_transform)
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker < 0xFF30 or length < 2 or position + 2 + length > len(data):
            break
        if marker == _COD:
            colour_transform = data[position + 8 : position + 9] == b"\x01"
        position += 2 + length
    raise damaged("The JPEG 2000 main header is cut or damaged.")


def _size(data: bytes) -> Shape:
    length, _, width, height, left, top, tile_width, tile_height, tile_left, tile_top, samples = struct.unpack(
        ">HHIIIIIIIIH", data[4:42]
    )
    if length != 38 + 3 * samples or len(data) < 4 + length or not (tile_width and tile_height):
        raise damaged("The JPEG 2000 size marker is damaged.")
    if left >= width or top >= height or tile_left > left or tile_top > top:
        raise damaged("The JPEG 2000 size marker contradicts itself.")
    tiles = -(-(width - tile_left) // tile_width) * -(-(height - tile_top) // tile_height)
    if tiles > _MAX_TILES:
        raise over_limit("The JPEG 2000 codestream has too many tiles.")
    components = {tuple(data[42 + 3 * number : 45 + 3 * number]) for number in range(samples)}
    if len(components) != 1:
        raise unknown_syntax("The JPEG 2000 components differ in size or depth.")
    depth, across, down = next(iter(components))
    if (across, down) != (1, 1) or depth & 0x80:
        raise unknown_syntax("The JPEG 2000 components are subsampled or signed.")
    return Shape(width - left, height - top, samples, (depth & 0x7F) + 1)


def _follow_tile_parts(data: bytes, position: int) -> None:
    """Jump from tile-part to tile-part; their lengths must add up to EOC."""
    while data[position : position + 2] == b"\xff\x90":
        length = int.from_bytes(data[position + 6 : position + 10], "big")
        if length == 0:  # only the last one may say "up to the end" (A.4.2)
            position = data.rfind(_EOC)
            break
        if length < 14:
            raise damaged("A tile-part of the JPEG 2000 codestream is damaged.")
        position += length
    if position < 0 or data[position : position + 2] != _EOC:
        raise damaged("The JPEG 2000 codestream ends before its last tile-part.")
