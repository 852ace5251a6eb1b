"""Varies photographs so that the network learns lesions and not cameras.

In one of the sources the frame's shape alone predicts the grade with an AUC of 0.87: scale, position, proportion and
cut edges are therefore jittered for every source, and the same disc is drawn over all. Geometry is one affine warp from
a slightly larger cached crop; every draw comes from the generator handed in.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from inference.preprocess import Preprocessing, masked
from inference.retina import Picture
from training.recipe import Augment

CACHE_MARGIN = 1.12  # radii; what a shifted or shrunken crop still needs


def augmented(cached: Picture, preprocessing: Preprocessing, how: Augment, random: np.random.Generator) -> Picture:
    """Return a varied (size, size, 3) uint8 crop out of a cached one that reaches ``CACHE_MARGIN`` radii."""
    crop = _warped(cached, preprocessing, how, random)
    crop = _recoloured(crop, how, random)
    share = random.uniform(how.small[1], 1) if random.random() < how.small[0] else 1
    quality = int(random.integers(how.jpeg[1], 96)) if random.random() < how.jpeg[0] else None
    crop = _stored(crop, share, quality)
    if random.random() < how.blur[0]:
        crop = _picture(cv2.GaussianBlur(crop, (0, 0), random.uniform(0.3, how.blur[1])))
    elif random.random() < how.sharpen[0]:
        crop = _sharpened(crop, random.uniform(0, how.sharpen[1]))
    if random.random() < how.cut[0]:
        crop = _cut(crop, how.cut[1], random)
    return crop if preprocessing.mask is None else masked(crop, preprocessing.mask / preprocessing.margin)


def _warped(cached: Picture, preprocessing: Preprocessing, how: Augment, random: np.random.Generator) -> Picture:
    """Turn, mirror, zoom, squeeze and shift by one warp."""
    size, source = preprocessing.size, cached.shape[0]
    angle = random.uniform(0, 2 * math.pi)
    zoom = math.exp(random.uniform(-how.scale, how.scale))
    squeeze = math.exp(random.uniform(-how.aspect, how.aspect) / 2)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    shift = random.uniform(-how.shift, how.shift, size=2) * source / (2 * CACHE_MARGIN)
    # Inverse map: a pixel of the crop, from its centre, to a pixel of the cached crop.
    step = preprocessing.margin / CACHE_MARGIN * source / size / zoom
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos * squeeze * mirror, -sin * squeeze], [sin / squeeze * mirror, cos / squeeze]]) * step
    middle = np.array([(size - 1) / 2] * 2)
    offset = np.array([(source - 1) / 2] * 2) + shift - turn @ middle
    back = np.concatenate([turn, offset[:, None]], axis=1)
    return _picture(cv2.warpAffine(cached, back, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))


def _recoloured(crop: Picture, how: Augment, random: np.random.Generator) -> Picture:
    """Change brightness, tint and gamma by one table per channel, and saturation."""
    gain = math.exp(random.uniform(-how.brightness, how.brightness))
    gains = gain * np.exp(random.uniform(-how.tint, how.tint, size=3))
    gamma = math.exp(random.uniform(-how.gamma, how.gamma))
    levels = (np.arange(256) / 255) ** gamma
    table = np.clip(levels[:, None] * gains[None] * 255, 0, 255).astype(np.uint8)
    coloured = _picture(cv2.LUT(crop, table[:, None, :].transpose(1, 0, 2)))
    keep = 1 + random.uniform(-how.saturation, how.saturation)
    grey = np.array([0.299, 0.587, 0.114])
    mix = keep * np.eye(3) + (1 - keep) * np.tile(grey, (3, 1))
    return _picture(cv2.transform(coloured, mix))


def _stored(crop: Picture, share: float, quality: int | None) -> Picture:
    """Show a crop as if its photograph had been stored smaller, or compressed once more, or both."""
    size = crop.shape[0]
    if share < 1:
        crop = _picture(cv2.resize(crop, (round(size * share),) * 2, interpolation=cv2.INTER_AREA))
    if quality is not None:
        _, coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
        crop = _picture(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return _picture(cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)) if share < 1 else crop


def _sharpened(crop: Picture, amount: float) -> Picture:
    """Bring out edges: a photograph of hospital size is sharper than the small ones there are to learn from."""
    return _picture(cv2.addWeighted(crop, 1 + amount, cv2.GaussianBlur(crop, (0, 0), 1.0), -amount, 0))


def _cut(crop: Picture, deepest: float, random: np.random.Generator) -> Picture:
    """Blacken what lies beyond two parallel chords, as cameras do whose sensor is lower than the disc."""
    size = crop.shape[0]
    angle = random.uniform(0, math.pi)
    steps = (np.arange(size) - (size - 1) / 2) / (size / 2)
    height: npt.NDArray[np.float64] = steps[:, None] * math.cos(angle) + steps[None, :] * math.sin(angle)
    low, high = -1 + random.uniform(0, deepest), 1 - random.uniform(0, deepest)
    return np.where(((height > low) & (height < high))[..., None], crop, 0).astype(np.uint8)


def _picture(array: object) -> Picture:
    return np.asarray(array, dtype=np.uint8)
