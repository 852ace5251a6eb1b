"""What a photograph looks like, in some eighty numbers that do not depend on its size: the gate's eyes.

Everything is measured on one small crop around the disc, so that the small and the hospital-size form of one photograph
give the same numbers. Lengths are in pixels of that crop, brightness in shares of full scale.
"""

import itertools
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from inference.preprocess import cut
from inference.retina import Circle, Picture

SIDE = 128  # of the crop: what a retina 110 pixels wide still shows is in it, what only a larger one shows is not
INNER = 0.9  # radius that counts as inner disc: the rim's light says nothing

_Plane = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

_BANDS = (0.7, 1.1, 1.7, 2.7, 4.2, 6.7)  # sigma of the blurs between which structure is measured
_COARSE = 4.0  # from this sigma on a blur is done at a quarter of the size
_STEPS = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)
_DISTANCE = np.hypot(_STEPS[:, None], _STEPS[None, :])


def look(picture: Picture, circle: Circle) -> dict[str, float]:
    """Measure a photograph.

    Args:
        picture: (H, W, 3) uint8 RGB.
        circle: its retina, in pixels of ``picture``.

    Returns:
        Name to number, for the gate's rules and its classifier.
    """
    crop = cut(picture, circle, SIDE, 1.0)
    height, width = picture.shape[:2]
    across, down = circle.x + _STEPS * circle.radius, circle.y + _STEPS * circle.half_height
    within = ((down > 0.5) & (down < height - 1.5))[:, None] & ((across > 0.5) & (across < width - 1.5))[None, :]
    visible = np.asarray(within & (_DISTANCE < INNER))
    if not visible.any():
        visible = np.asarray(_DISTANCE < INNER)
    light = (crop / np.float32(255)).astype(np.float32)
    field = _field(np.packbits(visible).tobytes())
    structure = field.flattened(light, 9.3)
    numbers = _colours(light, visible) | _profile(field, light) | _bands(field, structure)
    numbers |= _ridges(field, structure[..., 1]) | _bright_spot(field, light)
    numbers["seen"] = min(_seen(crop, within), 0.5 if cut_straight(picture) else 1.0)
    return numbers


def _seen(crop: Picture, within: _Mask) -> float:
    """Return the share of the disc that shows something: inside the frame and not filled with one colour.

    A row or column counts as filled when it is the same from rim to rim, as where a decoder went on past a cut.
    """
    disc = _DISTANCE < 0.97
    shown = disc & within
    columns, rows = _range(crop, shown, 0) <= 4, _range(crop, shown, 1) <= 4
    shown = shown & ~columns[None, :] & ~rows[:, None]
    return float(shown.sum() / disc.sum())


def _range(crop: Picture, shown: _Mask, axis: int) -> npt.NDArray[np.int64]:
    """Return for each column (axis 0) or row (axis 1) the largest range of a channel within the mask."""
    inside = cv2.merge([shown.view(np.uint8) * np.uint8(255)] * 3)
    low = cv2.reduce(cv2.bitwise_or(crop, cv2.bitwise_not(inside)), axis, cv2.REDUCE_MIN).reshape(SIDE, 3).astype(int)
    high = cv2.reduce(cv2.bitwise_and(crop, inside), axis, cv2.REDUCE_MAX).reshape(SIDE, 3).astype(int)
    return np.asarray(np.maximum(high - low, 0).max(axis=-1))


def cut_straight(picture: Picture) -> bool:
    """Say whether a quarter of the frame or more is filled with one colour up to where the retina is broad.

    A disc on black begins with a narrow tip; where it begins broad, something was cut away. This does not depend on
    where the circle was found: half a disc is easily taken for a whole one of another shape.
    """
    scale = 128 / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).max(axis=2).astype(int)
    return any(_begins_broad(np.rot90(small, turns)) for turns in range(4))


def _begins_broad(light: npt.NDArray[np.int64]) -> bool:
    """Say whether a picture's upper part is filled and the retina below begins with nearly its full breadth."""
    flat = np.ptp(light, axis=1) <= 6
    begin = int(np.argmin(flat)) if not flat.all() else 0
    if begin < 0.25 * len(light) or begin + 3 >= len(light):
        return False
    filling = np.median(light[: begin - 1]) if begin > 1 else 0
    breadth = (np.abs(light[begin:] - filling) > 10).sum(axis=1)
    return bool(breadth[:3].max() > 0.75 * np.percentile(breadth, 95))


class _Field:
    """The visible part of the disc, and blurs that stay inside it."""

    def __init__(self, visible: _Mask) -> None:
        self.visible = visible
        self.weight = visible.astype(np.float32)
        eroded = cv2.erode(visible.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        self.inner = eroded if eroded.any() else visible
        self.inner_places = np.flatnonzero(self.inner)
        self._weights = cv2.merge([self.weight] * 3)
        self._shares: dict[tuple[float, int], _Plane] = {}

    def blurred(self, planes: _Plane, sigma: float) -> _Plane:
        """Blur (SIDE, SIDE) or (SIDE, SIDE, n) so that the black surround does not bleed in."""
        share = self._shares.get((sigma, planes.ndim))
        if share is None:
            one = np.maximum(_blur(self.weight, sigma), np.float32(1e-3))
            share = one if planes.ndim == 2 else np.asarray(cv2.merge([one] * 3), np.float32)
            self._shares[sigma, planes.ndim] = share
        return np.asarray(cv2.divide(_blur(self._within(planes), sigma), share), np.float32)

    def flattened(self, planes: _Plane, sigma: float) -> _Plane:
        """Divide by the local brightness: structure as contrast, about zero on average, zero outside."""
        contrast = cv2.divide(planes, self.blurred(planes, sigma) + np.float32(0.04)) - np.float32(1)
        return self._within(contrast)

    def _within(self, planes: _Plane) -> _Plane:
        # OpenCV on whole arrays: numpy's broadcasting over a last axis of three is ten times slower.
        return np.asarray(cv2.multiply(planes, self.weight if planes.ndim == 2 else self._weights))


@lru_cache(maxsize=8)
def _field(packed: bytes) -> _Field:
    """Return the field of a packed mask: one camera's photographs share it, and a third of the blurs with it."""
    visible = np.unpackbits(np.frombuffer(packed, np.uint8))[: SIDE * SIDE].reshape(SIDE, SIDE).astype(bool)
    return _Field(visible)


def _blur(planes: _Plane, sigma: float) -> _Plane:
    if sigma < _COARSE:
        return np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma), np.float32)
    small = cv2.resize(planes, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / 4)
    return np.asarray(cv2.resize(soft, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


def _colours(light: _Plane, visible: _Mask) -> dict[str, float]:
    """Brightness, tint and how much of the disc is black, white or many-coloured."""
    pixels = np.ascontiguousarray(light.reshape(-1, 3)[np.flatnonzero(visible)].T)
    total = pixels[0] + pixels[1] + pixels[2] + np.float32(0.05)
    red, green = pixels[0] / total, pixels[1] / total
    top = np.maximum(np.maximum(pixels[0], pixels[1]), pixels[2])
    bottom = np.minimum(np.minimum(pixels[0], pixels[1]), pixels[2])
    numbers = {
        "light": float(top.mean()),
        "light_low": float(np.percentile(top, 10)),
        "light_high": float(np.percentile(top, 98)),
        "contrast": float(top.std()),
        "red": float(pixels[0].mean()),
        "green": float(pixels[1].mean()),
        "blue": float(pixels[2].mean()),
        "tint_red": float(red.mean()),
        "tint_green": float(green.mean()),
        "tint_red_spread": float(red.std()),
        "tint_green_spread": float(green.std()),
        "colour": float((top - bottom).mean()),
        "colour_high": float(np.percentile(top - bottom, 95)),
        "black": float((top < 0.06).mean()),
        "white": float((bottom > 0.94).mean()),
        "glint": float((bottom > 0.8).mean()),
        "clipped": float((top > 0.985).mean()),
        "burnt": float((pixels[1] > 0.94).mean()),
        "bluish": float((pixels[2] > pixels[0] + 0.03).mean()),
        "greenish": float((pixels[1] > pixels[0] + 0.03).mean()),
    }
    kept = (red >= 0.2) & (green <= 0.6)
    cells = ((red[kept] - np.float32(0.2)) * np.float32(20)).astype(np.int64).clip(0, 15) * 16
    cells += (green[kept] * np.float32(16 / 0.6)).astype(np.int64).clip(0, 15)
    bins = np.bincount(cells, minlength=256) / len(red)
    numbers["tints"] = float(-(bins[bins > 0] * np.log(bins[bins > 0])).sum())
    return numbers


def _profile(field: _Field, light: _Plane) -> dict[str, float]:
    """How the light falls off from the centre, and how much of it a smooth surface explains."""
    green = np.ascontiguousarray(light[..., 1])
    top = np.maximum(np.maximum(light[..., 0], green), light[..., 2])
    mean = float(top[field.visible].mean()) + 0.02
    numbers = {}
    for number, (inner, outer) in enumerate(itertools.pairwise((0.0, 0.3, 0.6, 0.8, INNER))):
        ring = field.visible & (inner <= _DISTANCE) & (outer > _DISTANCE)
        numbers[f"ring_{number}"] = float(top[ring].mean()) / mean if ring.any() else 1.0
    smooth = field.blurred(green, 8.0)[field.visible]
    numbers["smooth_share"] = float(smooth.var() / (green[field.visible].var() + 1e-5))
    return numbers


def _bands(field: _Field, structure: _Plane) -> dict[str, float]:
    """Strength of structure by its size, its skew, and how far the colours agree on it.

    Vessels are dark and hardly seen in red; shadows, folds and tinted pictures are the same in every channel.
    """
    levels = [structure, *(field.blurred(structure, sigma) for sigma in _BANDS)]
    strengths: list[float] = []
    numbers: dict[str, float] = {}
    for number, (finer, coarser) in enumerate(itertools.pairwise(levels)):
        # Planes first and products instead of powers: three times as fast.
        band = np.ascontiguousarray(np.take(cv2.subtract(finer, coarser).reshape(-1, 3), field.inner_places, axis=0).T)
        band = band - band.mean(axis=1, keepdims=True)
        together = band @ band.T / band.shape[1]
        red, green, blue = np.sqrt(np.diag(together)) + 1e-5
        strengths.append(float(green))
        square = band[1] * band[1]
        numbers |= {
            f"band_{number}": float(np.log(green)),
            f"skew_{number}": float(square @ band[1] / len(square) / green**3),
            f"peak_{number}": float(np.log(square @ square / len(square) / green**4 + 0.1)),
            f"red_band_{number}": float(np.log(red / green)),
            f"blue_band_{number}": float(np.log(blue / green)),
            f"red_agrees_{number}": float(together[0, 1] / (red * green)),
            f"blue_agrees_{number}": float(together[2, 1] / (blue * green)),
        }
    for number, (finer_one, coarser_one) in enumerate(itertools.pairwise(strengths)):
        numbers[f"slope_{number}"] = float(np.log(finer_one / coarser_one))
    return numbers


def _ridges(field: _Field, green: _Plane) -> dict[str, float]:
    """Dark lines (vessels), bright lines, blobs: from the eigenvalues of the second derivatives at two widths."""
    numbers: dict[str, float] = {}
    for number, sigma in enumerate((0.93, 1.6)):
        smooth = field.blurred(green, sigma)
        xx, yy, xy = (
            cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=3)[field.inner] * sigma**2
            for dx, dy in ((2, 0), (0, 2), (1, 1))
        )
        middle, radius = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        high, low = middle + radius, middle - radius
        scale = float((np.abs(high).mean() + np.abs(low).mean()) / 2) + 1e-4
        dark_line = (high > 2.0 * scale) & (np.abs(low) < 0.35 * high)
        bright_line = (low < -2.0 * scale) & (np.abs(high) < -0.35 * low)
        dark_blob = (high > 1.5 * scale) & (low > 0.5 * high)
        bright_blob = (low < -1.5 * scale) & (high < 0.5 * low)
        dark_peak, bright_peak = np.percentile(high, 98) + 1e-4, np.percentile(-low, 98) + 1e-4
        numbers |= {
            f"ridge_{number}": float(np.log(scale)),
            f"dark_lines_{number}": float(dark_line.mean()),
            f"bright_lines_{number}": float(bright_line.mean()),
            f"dark_blobs_{number}": float(dark_blob.mean()),
            f"bright_blobs_{number}": float(bright_blob.mean()),
            f"line_strength_{number}": float(np.log(max(dark_peak, 1e-4))),
            f"line_excess_{number}": float(np.log(max(dark_peak, 1e-4) / max(bright_peak, 1e-4))),
        }
        lines = np.zeros((SIDE, SIDE), np.uint8)
        lines[field.inner] = high > 1.5 * scale
        numbers |= {f"{name}_{number}": value for name, value in _connected(lines).items()}
    return numbers


def _connected(lines: npt.NDArray[np.uint8]) -> dict[str, float]:
    """How far the dark lines hang together: a vessel tree reaches across the disc, specks and folds do not."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    if count < 2:
        return {"longest": 0.0, "reach": 0.0, "pieces": 0.0, "thickness": 0.0}
    extent = np.hypot(stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT]) / SIDE
    area = stats[1:, cv2.CC_STAT_AREA].astype(float)
    return {
        "longest": float(extent.max()),
        "reach": float((extent * area).sum() / area.sum()),
        "pieces": float(np.log1p((area >= 4).sum())),
        "thickness": float(np.log((area / (extent * SIDE)).max())),
    }


def _bright_spot(field: _Field, light: _Plane) -> dict[str, float]:
    """The optic disc: one bright round spot about an eighth of the retina wide, and nothing else like it."""
    plane = field.flattened((light[..., 0] + light[..., 1]) * np.float32(0.5), 27.0)
    spot = np.where(field.visible, field.blurred(plane, 4.7) - field.blurred(plane, 10.7), -1)
    deviation = float(spot[field.visible].std()) + 1e-4
    y, x = divmod(int(np.argmax(spot)), SIDE)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    elsewhere = field.visible & (np.hypot(rows - y, columns - x) > 20)
    second = float(spot[elsewhere].max()) if elsewhere.any() else 0.0
    peak = float(spot[y, x])
    return {
        "spot": peak,
        "spot_excess": peak / deviation,
        "spot_alone": (peak - second) / deviation,
        "spot_place": float(_DISTANCE[y, x]),
    }
