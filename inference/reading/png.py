"""The chunks of a PNG (W3C PNG, second edition, 5.3): its shape, and whether every one is there and undamaged."""

import struct
import zlib

from inference.reading.rejection import damaged
from inference.reading.shape import Shape

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 100_000
_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}  # by colour type; a palette holds colours, alpha does not count


def parse(data: bytes) -> Shape:
    """Walk a PNG from its signature to IEND, checking each chunk's length and checksum.

    Raises:
        Rejected: it is cut or damaged.
    """
    if data[:8] != SIGNATURE or data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\r":
        raise damaged("This is no PNG.")
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    if colour not in _SAMPLES:
        raise damaged("The PNG's header is damaged.")
    shape = Shape(width, height, _SAMPLES[colour], bits)
    shape.check_size()
    position = 8
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            break
        body = data[position + 4 : end - 4]
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            break
        if body[:4] == b"IEND":
            return shape
        position = end
    raise damaged("The PNG is cut or damaged.")
