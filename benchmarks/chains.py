"""Four ways from a JPEG photograph to the network's input; where blur and circle are done decides what they cost.

``service`` is what the service does. ``careful`` takes no short cut: every pixel decoded, the retina's circle fitted to
sub-pixel edges on all of them, areas averaged, the exact Gaussian. The notebooks' chains are what Kaggle's kernels do.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inference import preprocess, reader, retina
from inference.preprocess import Preprocessing
from inference.retina import Circle, Picture
from inference.runners.runner import Tensor

_Points = npt.NDArray[np.float64]
_GREY_LEVEL = 7  # what the notebooks call black
_SIGMA = 10.0  # of the notebooks' blur, at 512 pixels


def service(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Do what ``inference.examine`` does before the network, without the gate."""
    frame = next(reader.frames(path))
    circle = retina.find_circle(frame.picture)
    assert circle is not None, "a photograph with a retina is given"
    picture = frame.picture
    if frame.reduction > 1 and 2 * preprocessing.margin * circle.radius < preprocessing.size:
        picture, circle = frame.whole(), circle.scaled(frame.reduction)
    return preprocess.normalise(preprocess.prepare(picture, circle, preprocessing), preprocessing)


def careful(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Do the same without any short cut, in NumPy as most people write it."""
    picture = _decoded(path)
    return _careful(picture, picture.max(axis=2), preprocessing)


def careful_tuned(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Do the same with the one slow line of it written better: more than half of ``careful`` is ``max(axis=2)``."""
    picture = _decoded(path)
    brightest = np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])
    return _careful(picture, brightest, preprocessing)


def _careful(picture: Picture, brightest: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    circle = careful_circle(brightest)
    size, margin = preprocessing.size, preprocessing.margin
    crop: Any = cv2.resize(_square(picture, circle, margin), (size, size), interpolation=cv2.INTER_AREA)
    filter_ = preprocessing.ben_graham
    if filter_ is not None:
        blurred = cv2.GaussianBlur(crop, (0, 0), filter_.sigma * size / (2 * margin))
        crop = cv2.addWeighted(crop, filter_.gain, blurred, -filter_.gain, 128)
    if preprocessing.mask is not None:
        crop = preprocess.masked(np.asarray(crop, np.uint8), preprocessing.mask / margin)
    return preprocess.normalise(np.asarray(crop, np.uint8), preprocessing)


def notebook_small_blur(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Do what most notebooks do: a grey mask, crop, bilinear, then the blur at the input's size."""
    size = preprocessing.size
    crop: Any = cv2.resize(_notebook_crop(path), (size, size))
    blurred = cv2.GaussianBlur(crop, (0, 0), _SIGMA)
    return preprocess.normalise(np.asarray(cv2.addWeighted(crop, 4, blurred, -4, 128), np.uint8), preprocessing)


def notebook_full_blur(path: Path, preprocessing: Preprocessing) -> Tensor:
    """Do the same with the blur on the full-size crop, as some do."""
    size, crop = preprocessing.size, _notebook_crop(path)
    blurred = cv2.GaussianBlur(crop, (0, 0), _SIGMA * min(crop.shape[:2]) / 512)
    filtered = cv2.resize(cv2.addWeighted(crop, 4, blurred, -4, 128), (size, size))
    return preprocess.normalise(np.asarray(filtered, np.uint8), preprocessing)


def careful_circle(brightest: npt.NDArray[np.uint8]) -> Circle:
    """Fit the retina's circle to where the light crosses a threshold on every row and column of every pixel.

    The threshold lies a fifth of the way from dark to bright; least squares, three rounds without what lies off.

    Args:
        brightest: (H, W) uint8, the largest channel.
    """
    light = brightest.astype(np.float32)
    dark, bright = np.percentile(light, (1, 85))
    level = dark + max(4.0, 0.2 * (bright - dark))
    points = np.concatenate([_crossings(light, level), _crossings(np.ascontiguousarray(light.T), level)[:, ::-1]])
    circle = _least_squares(points)
    for _ in range(3):
        off = np.abs(np.hypot(points[:, 0] - circle.x, points[:, 1] - circle.y) / circle.radius - 1)
        circle = _least_squares(points[off < max(0.01, float(np.median(off)))])
    return circle


def _crossings(light: npt.NDArray[np.float32], level: float) -> _Points:
    """Return (n, 2) points x, y: first and last crossing of each row, interpolated between pixels."""
    height, width = light.shape
    above = light > level
    rows = np.arange(height)
    first, last = above.argmax(axis=1), width - 1 - above[:, ::-1].argmax(axis=1)
    found = []
    for column, outward in ((first, -1), (last, 1)):
        free = (column + outward >= 0) & (column + outward < width) & above[rows, column]
        row, inside = rows[free], column[free]
        here, beyond = light[row, inside], light[row, inside + outward]
        found.append(np.stack([inside + outward * (here - level) / (here - beyond), row], axis=1))
    return np.concatenate(found).astype(np.float64)


def _least_squares(points: _Points) -> Circle:
    """Fit x^2 + y^2 = 2 a x + 2 b y + c (Kasa 1976)."""
    middle = points.mean(axis=0)
    x, y = (points - middle).T
    (a, b, c), *_ = np.linalg.lstsq(np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1), x**2 + y**2, rcond=None)
    return Circle(float(middle[0] + a), float(middle[1] + b), float(np.sqrt(c + a * a + b * b)))


def _square(picture: Picture, circle: Circle, margin: float) -> Picture:
    """Cut out the circle's square to the nearest pixel, black beyond the frame."""
    half = margin * circle.radius
    left, top = round(circle.x + 0.5 - half), round(circle.y + 0.5 - half)
    side = round(2 * half)
    inner = picture[max(0, top) : top + side, max(0, left) : left + side]
    above, before = max(0, -top), max(0, -left)
    return np.asarray(
        cv2.copyMakeBorder(
            inner, above, side - above - inner.shape[0], before, side - before - inner.shape[1], cv2.BORDER_CONSTANT
        ),
        np.uint8,
    )


def _notebook_crop(path: Path) -> Picture:
    picture = _decoded(path)
    mask = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) > _GREY_LEVEL
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _decoded(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    assert picture is not None, "a JPEG is given"
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
