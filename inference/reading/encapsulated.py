"""Takes encapsulated pixel data apart into frames (PS3.5 A.4), by the fragments themselves.

Offset tables are ignored: they add nothing that the fragments do not say, and a hostile one points anywhere.
"""

import struct

from inference.reading import jpeg, jpeg2000
from inference.reading.rejection import damaged


def frames(pixels: memoryview, count: int, *, has_start: bool) -> list[bytes]:
    """Return the codestream of each frame.

    Args:
        pixels: Pixel Data's value from its first item, the (empty or filled) offset table, to its last.
        count: Number of Frames.
        has_start: whether a codestream can be told from its first bytes (JPEG and JPEG 2000; RLE cannot).

    Raises:
        Rejected: the fragments do not make that many frames.
    """
    fragments = _fragments(pixels)[1:]
    if has_start:
        starts = [
            number
            for number, fragment in enumerate(fragments)
            if bytes(fragment[:4]) == jpeg2000.SIGNATURE or _is_jpeg(fragment)
        ]
        if not starts or starts[0] != 0:
            raise damaged("The pixel data does not begin with a codestream of its transfer syntax.")
        joined = [
            b"".join(fragments[start:end]) for start, end in zip(starts, [*starts[1:], len(fragments)], strict=True)
        ]
    else:
        joined = [bytes(fragment) for fragment in fragments]
    if len(joined) != count:
        raise damaged("The number of frames is not what the file says.")
    return joined


def _is_jpeg(fragment: memoryview) -> bool:
    return bytes(fragment[:3]) == jpeg.SOI + b"\xff"


def _fragments(pixels: memoryview) -> list[memoryview]:
    found: list[memoryview] = []
    position = 0
    while position < len(pixels):
        _, length = struct.unpack_from("<II", pixels, position)
        found.append(pixels[position + 8 : position + 8 + length])
        position += 8 + length
    if not found:
        raise damaged("The pixel data is empty.")
    return found
