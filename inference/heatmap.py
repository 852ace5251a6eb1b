"""Draws where the network looked: a layer for the page and the finished overlay for the archive.

One hue, cyan; strength is opacity (ux U10, F9: of all scales measured it stays furthest from what lesions look like).
Both have the size of the preview: layer and photograph lie upon each other pixel by pixel, and the overlay stays a few
hundred kilobytes, for the photograph in full size is in the same study.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from inference.preprocess import Preprocessing
from inference.retina import Circle, Picture

CYAN: Final = (0x00, 0xC8, 0xFF)
OVERLAY_OPACITY: Final = 0.5  # of the strongest place in the finished overlay
JPEG_QUALITY: Final = 90
# A place that by itself stands for the worst grade is opaque. A weaker map is never stretched to that: in a healthy eye
# there is nothing to see.
_FULL_STRENGTH = 4.0
_FINE = 8  # OpenCV's warp interpolates in 1/32 of a cell; a finer grid hides the steps

Plane = npt.NDArray[np.float32]


def strength(activation: Plane, circle: Circle, size: tuple[int, int], preprocessing: Preprocessing) -> Plane:
    """Lay the activation grid over the photograph, the exact way back of ``preprocess.prepare``.

    Args:
        activation: (h, w) float32, the score's share of each place.
        circle: the retina, in pixels of the picture to draw.
        size: (height, width) of that picture.
        preprocessing: the numbers the crop was made with.

    Returns:
        (height, width) float32, 0 to 1, and 0 outside the retina's disc.
    """
    rows, columns = activation.shape
    heat = np.maximum(activation, 0) / max(_FULL_STRENGTH, float(activation.max()))
    fine = cv2.resize(heat, (columns * _FINE, rows * _FINE), interpolation=cv2.INTER_CUBIC)
    across = fine.shape[1] / (2 * preprocessing.margin * circle.radius)
    down = fine.shape[0] / (2 * preprocessing.margin * circle.half_height)
    # From pixel centres of the picture to pixel centres of the fine grid, whose middle is the circle's centre.
    to_grid = np.array(
        [
            [across, 0, (fine.shape[1] - 1) / 2 - across * circle.x],
            [0, down, (fine.shape[0] - 1) / 2 - down * circle.y],
        ]
    )
    height, width = size
    laid = cv2.warpAffine(
        fine,
        to_grid,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.clip(laid, 0, 1) * _disc(circle, size), np.float32)


def layer(heat: Plane) -> bytes:
    """Return strength (h, w) as a PNG of RGBA: one colour, alpha says how strong."""
    height, width = heat.shape
    picture = np.empty((height, width, 4), np.uint8)
    picture[..., :3] = CYAN[::-1]  # OpenCV writes blue first
    picture[..., 3] = np.round(heat * 255)
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    assert done
    return data.tobytes()


def overlay(photograph: Picture, heat: Plane) -> bytes:
    """Return the photograph (h, w, 3) uint8 RGB with the heat over it, as a baseline JPEG (YCbCr 4:2:0)."""
    import simplejpeg

    opacity = heat * np.float32(OVERLAY_OPACITY)
    cyan = np.empty_like(photograph)
    cyan[:] = CYAN
    picture = np.asarray(cv2.blendLinear(photograph, cyan, 1 - opacity, opacity), np.uint8)
    return bytes(simplejpeg.encode_jpeg(picture, JPEG_QUALITY, "RGB", "420"))


def _disc(circle: Circle, size: tuple[int, int]) -> Plane:
    """Return 1 inside the retina's disc, 0 outside."""
    rows = (np.arange(size[0], dtype=np.float32) - circle.y) / circle.half_height
    columns = (np.arange(size[1], dtype=np.float32) - circle.x) / circle.radius
    return np.asarray(rows[:, np.newaxis] ** 2 + columns[np.newaxis] ** 2 <= 1, np.float32)
