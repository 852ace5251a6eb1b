"""Turns a photograph into the network's input: the one place where this is done (rule P18).

Training, evaluation, golden pictures and the service call these functions with the numbers of the bundle's card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference.halving import halved
from inference.retina import Circle, Picture

_RESAMPLED_FROM = 1.25  # beyond this reduction a bilinear warp skips pixels: areas are averaged first (rule P16)


@dataclass(frozen=True, slots=True)
class BenGraham:
    """The filter of the 2015 Kaggle winner: take away the local mean, amplify what is left, mid-grey is nothing.

    ``sigma`` is given in radii of the retina, so that every input size sees the same filter (rule P17).
    """

    sigma: float = 0.07
    gain: float = 4.0


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a photograph becomes input, as the card says it.

    Attributes:
        size: side of the square input in pixels.
        margin: half the side of the square cut out, in radii of the retina.
        mask: radius of the disc drawn over every photograph, in radii of the retina; outside is black. None: no mask.
        ben_graham: the filter, or None.
        mean: red, green, blue value that becomes 0.
        scale: red, green, blue difference that becomes 1.
    """

    size: int
    margin: float = 1.0
    mask: float | None = 0.98
    ben_graham: BenGraham | None = None
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    scale: tuple[float, float, float] = (128.0, 128.0, 128.0)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "Preprocessing":
        """Read the section ``preprocessing`` of a card; a wrong or missing key raises TypeError or KeyError."""
        values = dict(card)
        if values.get("ben_graham") is not None:
            values["ben_graham"] = BenGraham(**values["ben_graham"])
        for triple in ("mean", "scale"):
            red, green, blue = (float(value) for value in values.pop(triple))
            values[triple] = (red, green, blue)
        return cls(**values)


def prepare(picture: Picture, circle: Circle, preprocessing: Preprocessing) -> Picture:
    """Cut the retina out of a photograph, upright and of one size.

    Args:
        picture: (H, W, 3) uint8 RGB, in any size in which the retina's diameter is not much below the input's side.
        circle: the retina in pixels of ``picture``.
        preprocessing: the numbers of the card.

    Returns:
        (size, size, 3) uint8 RGB; what lies beyond the photograph's frame or outside the mask is black.
    """
    crop = cut(picture, circle, preprocessing.size, preprocessing.margin)
    if preprocessing.ben_graham is not None:
        crop = _local_contrast(crop, preprocessing.ben_graham, preprocessing.size / (2 * preprocessing.margin))
    if preprocessing.mask is not None:
        crop = masked(crop, preprocessing.mask / preprocessing.margin)
    return crop


def normalise(crop: Picture, preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """Return a prepared (size, size, 3) uint8 crop as (1, 3, size, size) float32, ready for the network."""
    mean, scale = np.asarray(preprocessing.mean, np.float32), np.asarray(preprocessing.scale, np.float32)
    # A channel has 256 values: looking them up takes a fifth of the time of computing every pixel's.
    tables = (np.arange(256, dtype=np.float32)[None] - mean[:, None]) / scale[:, None]
    planes = [cv2.LUT(channel, table) for channel, table in zip(cv2.split(crop), tables, strict=True)]
    return np.asarray(np.stack(planes)[None], dtype=np.float32)


def cut(picture: Picture, circle: Circle, size: int, margin: float) -> Picture:
    """Return the square around the retina as (size, size, 3) uint8, by one affine warp (rule P15)."""
    reduction = 2 * margin * circle.radius / size, 2 * margin * circle.half_height / size
    if max(reduction) > _RESAMPLED_FROM:
        picture, circle = _reduced(picture, circle, margin, reduction)
    half = size / 2
    across, down = margin * circle.radius / half, margin * circle.half_height / half
    # Inverse map: pixel centres of the crop to pixels of the picture.
    back = np.array(
        [[across, 0, circle.x - across * (half - 0.5)], [0, down, circle.y - down * (half - 0.5)]], dtype=np.float64
    )
    warped = cv2.warpAffine(
        picture, back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(warped, dtype=np.uint8)


def masked(crop: Picture, radius: float) -> Picture:
    """Return a square crop with everything black beyond ``radius`` half sides from its centre, with a soft rim."""
    return np.asarray(cv2.multiply(crop, _disc(crop.shape[0], radius), dtype=cv2.CV_8U), dtype=np.uint8)


@lru_cache(maxsize=4)
def _disc(size: int, radius: float) -> npt.NDArray[np.float32]:
    """Return (size, size, 3) float32: 1 inside the disc, 0 outside, one pixel of transition; not to be changed."""
    steps = np.arange(size, dtype=np.float32) - (size - 1) / 2
    distance = np.hypot(steps[:, None], steps[None, :])
    disc = np.repeat(np.clip(radius * size / 2 - distance + 0.5, 0, 1).astype(np.float32)[..., None], 3, axis=2)
    disc.flags.writeable = False
    return disc


def _reduced(picture: Picture, circle: Circle, margin: float, reduction: tuple[float, float]) -> tuple[Picture, Circle]:
    """Average areas so that one pixel of the picture is about one of the input; only around the retina."""
    height, width = picture.shape[:2]
    left, right = _span(circle.x, margin * circle.radius, width)
    top, bottom = _span(circle.y, margin * circle.half_height, height)
    part = picture[top:bottom, left:right]
    moved = Circle(circle.x - left, circle.y - top, circle.radius, circle.aspect)
    across, down = reduction
    while min(across, down) >= 2:
        part, moved, across, down = halved(part), moved.scaled(0.5), across / 2, down / 2
    if max(across, down) <= _RESAMPLED_FROM:
        return part, moved
    height, width = part.shape[:2]
    new_width, new_height = max(1, round(width / max(1.0, across))), max(1, round(height / max(1.0, down)))
    small = cv2.resize(part, (new_width, new_height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), moved.scaled(new_width / width, new_height / height)


def _span(centre: float, half: float, length: int) -> tuple[int, int]:
    """Return the whole pixels of a row that the cut needs, with a little to spare."""
    spare = 0.05 * half + 2
    low = min(max(0, int(centre - half - spare)), length - 1)
    return low, max(low + 1, min(length, int(centre + half + spare) + 1))


def _local_contrast(crop: Picture, filter_: BenGraham, radius: float) -> Picture:
    """Apply the filter at input size, with the blur done at a quarter of it (rule P17: 0.8 instead of 9 ms at 512)."""
    size = crop.shape[0]
    quarter = cv2.resize(crop, (max(1, size // 4), max(1, size // 4)), interpolation=cv2.INTER_AREA)
    sigma = filter_.sigma * radius * quarter.shape[0] / size
    blurred = cv2.resize(cv2.GaussianBlur(quarter, (0, 0), sigma), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.addWeighted(crop, filter_.gain, blurred, -filter_.gain, 128), dtype=np.uint8)
