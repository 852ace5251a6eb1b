"""Exif orientation of bare files, applied once; a DICOM object says itself how it lies, and Exif in it is ignored."""

import io

import numpy as np

from inference.reading.decoders import Picture, strict
from inference.reading.rejection import Rejected

_ORIENTATION = 0x0112  # CIPA DC-008 4.6.4


def orientation_of(data: bytes, kind: str) -> int:
    """Return the orientation a JPEG or PNG asks for, 1 to 8; 1 where it asks for none or asks nonsense.

    Args:
        data: the file.
        kind: ``JPEG`` or ``PNG``.
    """
    from PIL import Image

    try:
        with strict():
            value = Image.open(io.BytesIO(data), formats=(kind,)).getexif().get(_ORIENTATION, 1)
    except Rejected:
        return 1  # metadata may be as broken as it likes: the picture itself decides
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(picture: Picture, orientation: int) -> Picture:
    """Turn and mirror an (H, W, 3) picture as an orientation of 1 to 8 asks."""
    match orientation:
        case 2:
            turned = picture[:, ::-1]
        case 3:
            turned = picture[::-1, ::-1]
        case 4:
            turned = picture[::-1]
        case 5:
            turned = picture.transpose(1, 0, 2)
        case 6:
            turned = np.rot90(picture, -1)
        case 7:
            turned = picture[::-1, ::-1].transpose(1, 0, 2)
        case 8:
            turned = np.rot90(picture)
        case _:
            turned = picture
    return np.ascontiguousarray(turned)
