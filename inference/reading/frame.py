"""One picture of a photograph, as far reduced as preview and grade allow."""

from dataclasses import dataclass

import cv2
import numpy as np

from inference.reading import jpeg
from inference.reading.decoders import Picture, lossy_jpeg
from inference.reading.jpeg import Jpeg
from inference.reading.shape import Shape

PREVIEW_SIDE = 1600  # pixels of the longer side below which nothing is reduced (rule P19)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a photograph.

    Attributes:
        picture: (h, w, 3) uint8 RGB, reduced.
        width: columns of the whole picture, upright.
        height: rows of the whole picture, upright.
        reduction: how many pixels of the whole one pixel of ``picture`` covers in each direction: 1, 2, 4 or 8.
        full: (H, W, 3) uint8 RGB, where the whole picture had to be decoded anyway.
        jpeg: the codestream as sent, without metadata, where a browser can show it as it is.
    """

    picture: Picture
    width: int
    height: int
    reduction: int
    full: Picture | None
    jpeg: bytes | None

    def whole(self) -> Picture:
        """Return the whole picture as (H, W, 3) uint8 RGB, decoded now if it was not yet.

        Raises:
            Rejected: the picture is damaged.
        """
        if self.full is not None:
            return self.full
        if self.reduction == 1 or self.jpeg is None:
            return self.picture
        return lossy_jpeg(jpeg.bare(self.jpeg, jpeg.parse(self.jpeg)), Shape(self.width, self.height, 3, 8), 1)


def of_lossy_jpeg(data: bytes, parsed: Jpeg) -> Frame:
    """Return the frame of a JPEG that stands upright and that every browser shows.

    Raises:
        Rejected: the codestream is cut or damaged.
    """
    shape = parsed.shape
    reduction = reduction_for(shape.width, shape.height)
    picture = lossy_jpeg(jpeg.bare(data, parsed), shape, reduction)
    return Frame(picture, shape.width, shape.height, reduction, None, jpeg.cleaned(data, parsed))


def of_picture(picture: Picture) -> Frame:
    """Return the frame of an (H, W, 3) uint8 RGB picture that is decoded already."""
    height, width = picture.shape[:2]
    reduction = reduction_for(width, height)
    return Frame(reduced(picture, reduction), width, height, reduction, picture, None)


def reduction_for(width: int, height: int) -> int:
    """Return how far a picture of this size may be reduced: 1, 2, 4 or 8."""
    side = max(width, height)
    return next(reduction for reduction in (8, 4, 2, 1) if reduction == 1 or side >= reduction * PREVIEW_SIDE)


def reduced(picture: Picture, reduction: int) -> Picture:
    """Average blocks of ``reduction`` by ``reduction`` pixels; incomplete ones at the right and lower edge too."""
    if reduction == 1:
        return picture
    height, width = picture.shape[:2]
    new_width, new_height = -(-width // reduction), -(-height // reduction)
    padded = cv2.copyMakeBorder(
        picture, 0, new_height * reduction - height, 0, new_width * reduction - width, cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(padded, (new_width, new_height), interpolation=cv2.INTER_AREA), np.uint8)
