"""Reads DICOM, JPEG and PNG files to RGB pictures, frame by frame; runs only where it may die without harm (R14).

The order is always the same: what kind of object it is, what its header promises, whether header and codestream agree,
whether the codestream is whole; only then one decoder, chosen by the transfer syntax alone, sees the bytes.
"""

from collections.abc import Iterator
from pathlib import Path

from casebook.words import Reason
from inference.reading import decoders, dicom, jpeg, png
from inference.reading.frame import Frame, of_lossy_jpeg, of_picture
from inference.reading.orientation import orientation_of, upright
from inference.reading.rejection import Rejected, damaged, not_applicable, over_limit, unknown_syntax

__all__ = ["Frame", "Rejected", "frames"]

_MAX_FILE = 512 << 20


def frames(path: Path) -> Iterator[Frame]:
    """Read a file's frames, one at a time and in order.

    Args:
        path: a DICOM file (with preamble), a JPEG or a PNG.

    Raises:
        Rejected: it holds no photograph that could be graded, and why; frames given before are void then.
        OSError: the file itself cannot be read.
    """
    if path.stat().st_size > _MAX_FILE:
        raise over_limit("The file is larger than 512 MiB.")
    data = path.read_bytes()
    if data[128:132] == b"DICM":
        yield from dicom.frames(data)
    elif data[:2] == jpeg.SOI:
        yield _bare_jpeg(data)
    elif data[:8] == png.SIGNATURE:
        yield _bare_png(data)
    elif not data:
        raise damaged("The file is empty.")
    else:
        raise unknown_syntax("The file is neither DICOM nor JPEG nor PNG.")


def _bare_jpeg(data: bytes) -> Frame:
    parsed = jpeg.parse(data)
    parsed.shape.check_size()
    if parsed.shape.samples == 1:
        raise not_applicable(Reason.ONE_CHANNEL, "The picture has one channel.")
    if parsed.shape.samples != 3 or not parsed.lossy:
        raise unknown_syntax("The JPEG is of a kind that is not read here.")
    orientation = orientation_of(data, "JPEG")
    if orientation == 1:
        return of_lossy_jpeg(data, parsed)
    return of_picture(upright(decoders.lossy_jpeg(jpeg.bare(data, parsed), parsed.shape, 1), orientation))


def _bare_png(data: bytes) -> Frame:
    shape = png.parse(data)
    if shape.samples == 1:
        raise not_applicable(Reason.ONE_CHANNEL, "The picture has one channel.")
    return of_picture(upright(decoders.png(data, shape), orientation_of(data, "PNG")))
