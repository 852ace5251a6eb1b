"""Makes bad photographs of good ones, for the gate to be fitted and measured on: every kind by a severity.

Lengths are in radii of the retina and brightness in shares of full scale, so that a severity means the same in every
size. What the camera had no light for is gone: darkness and over-exposure round and clip as a sensor does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from inference.gradability import Check
from inference.retina import Circle, Picture

_GRAIN = 0.012  # size of a grain of noise, in radii: about a pixel of the smallest photographs in use
_Plane = npt.NDArray[np.float32]
_Damage = Callable[[Picture, Circle, float, np.random.Generator], Picture]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a photograph is bad.

    Attributes:
        damage: (picture, circle, severity, random) to the bad picture, of the same size unless the frame is cut.
        unit: what the severity counts.
        severities: from hardly to hopelessly bad.
        bad: from this severity on it should be refused; the fit learns from what is this bad.
        check: which part of the gate should refuse it.
    """

    damage: _Damage
    unit: str
    severities: tuple[float, ...]
    bad: float
    check: Check

    def is_bad(self, severity: float) -> bool:
        """Say whether a severity is one to refuse; where less is worse (light), severities fall."""
        falling = self.severities[0] > self.severities[-1]
        return severity <= self.bad if falling else severity >= self.bad


def _defocused(picture: Picture, circle: Circle, severity: float, _random: np.random.Generator) -> Picture:
    across, down = severity * circle.radius, severity * circle.half_height
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigmaX=across, sigmaY=down), np.uint8)


def _moved(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    """Draw every point out to a straight line, as while the eye moves."""
    angle = random.uniform(0, np.pi)
    reach = severity / 2 * np.array([np.cos(angle) * circle.radius, np.sin(angle) * circle.half_height])
    side = 2 * int(np.ceil(np.abs(reach).max())) + 3
    line = np.zeros((side, side), np.float32)
    for step in np.linspace(-1, 1, 8 * side):
        x, y = side // 2 + step * reach
        left, top = int(x), int(y)
        for row, share_down in ((top, 1 - y + top), (top + 1, y - top)):
            for column, share_across in ((left, 1 - x + left), (left + 1, x - left)):
                line[row, column] += share_down * share_across
    return np.asarray(cv2.filter2D(picture, -1, line / line.sum()), np.uint8)


def _darkened(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    """Leave a share of the light, and as much noise as a sensor has then."""
    light = picture.astype(np.float32) * severity
    noise = _grain(picture, circle, random) * np.sqrt(2 + light / 30)
    return np.asarray(np.clip(light + noise, 0, 255), np.uint8)


def _over_exposed(picture: Picture, _circle: Circle, severity: float, _random: np.random.Generator) -> Picture:
    return np.asarray(np.clip(picture.astype(np.float32) * severity, 0, 255), np.uint8)


def _hazy(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    """Lay a veil over the disc, uneven, white to orange: a cloudy lens or the flash's own reflex."""
    x, y = _places(picture, circle)
    angle = random.uniform(0, 2 * np.pi)
    veil = np.clip(severity * (1 + 0.4 * (x * np.cos(angle) + y * np.sin(angle))), 0, 1) * _soft_disc(x, y)
    tint = np.array([random.uniform(215, 250), random.uniform(170, 235), random.uniform(120, 220)], np.float32)
    return np.asarray(picture * (1 - veil[..., None]) + veil[..., None] * tint, np.uint8)


def _greyed(picture: Picture, _circle: Circle, severity: float, _random: np.random.Generator) -> Picture:
    """Take the colour away."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    return np.asarray(picture * (1 - severity) + grey * severity + 0.5, np.uint8)


def _noisy(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    return np.asarray(np.clip(picture + 255 * severity * _grain(picture, circle, random), 0, 255), np.uint8)


def _shadowed(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    """Let the pupil's edge shade a crescent: severity is how far it reaches across, 2 being the whole disc."""
    x, y = _places(picture, circle)
    angle = random.uniform(0, 2 * np.pi)
    off = np.hypot(x - severity * np.cos(angle), y - severity * np.sin(angle))
    lit = 0.04 + 0.96 / (1 + np.exp(np.clip((off - 1.0) / 0.06, -40, 40)))
    return np.asarray(picture * lit[..., None], np.uint8)


def _behind_lashes(picture: Picture, circle: Circle, severity: float, random: np.random.Generator) -> Picture:
    """Hang ``severity`` dark, soft lashes in from above."""
    height, width = picture.shape[:2]
    shade = np.zeros((height, width), np.float32)
    thick = max(1, round(0.03 * circle.radius))
    for _ in range(round(severity)):
        begin, bend = random.uniform(-0.9, 0.9), random.uniform(-0.4, 0.4)
        steps = np.linspace(0, random.uniform(0.5, 1.3), 24)
        path = np.stack(
            [circle.x + circle.radius * (begin + bend * steps**2), circle.y + circle.half_height * (steps - 1.05)], 1
        )
        cv2.polylines(shade, [path.astype(np.int32)], isClosed=False, color=0.85, thickness=thick)
    soft = cv2.GaussianBlur(shade, (0, 0), 0.012 * circle.radius)
    return np.asarray(picture * (1 - soft[..., None]), np.uint8)


def _missing(filling: int | None, side: int) -> _Damage:
    """Return what loses a share of the disc from below (0), left (1), above (2) or right (3).

    Args:
        filling: grey level that stands there instead; None: the frame ends there; -1: the mean of the last row, as a
            decoder goes on past a cut.
        side: from where.
    """

    def damage(picture: Picture, circle: Circle, severity: float, _random: np.random.Generator) -> Picture:
        vertical = side in (0, 2)
        middle, half = (circle.y, circle.half_height) if vertical else (circle.x, circle.radius)
        length = picture.shape[0 if vertical else 1]
        low, high = max(0.0, middle - half), min(float(length), middle + half)
        if side in (0, 3):
            lost = slice(max(1, round(high - severity * (high - low))), length)
            kept = slice(0, lost.start)
        else:
            lost = slice(0, min(length - 1, round(low + severity * (high - low))))
            kept = slice(lost.stop, length)
        if filling is None:
            return np.ascontiguousarray(picture[kept] if vertical else picture[:, kept])
        spoilt = picture.copy()
        whole = (lost, slice(None)) if vertical else (slice(None), lost)
        last = kept.stop - 1 if side in (0, 3) else kept.start
        edge = picture[last] if vertical else picture[:, last]
        spoilt[whole] = edge.mean(axis=0) if filling < 0 else filling
        return spoilt

    return damage


def _grain(picture: Picture, circle: Circle, random: np.random.Generator) -> _Plane:
    """Return (H, W, 3) noise of deviation 1 whose grains have one size, in radii, in every picture."""
    height, width = picture.shape[:2]
    rows = max(8, round(height / max(1.0, _GRAIN * circle.half_height)))
    columns = max(8, round(width / max(1.0, _GRAIN * circle.radius)))
    noise = random.normal(size=(rows, columns, 3)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _places(picture: Picture, circle: Circle) -> tuple[_Plane, _Plane]:
    """Return every pixel's place from the disc's centre, in radii."""
    height, width = picture.shape[:2]
    x = ((np.arange(width) - circle.x) / circle.radius).astype(np.float32)
    y = ((np.arange(height) - circle.y) / circle.half_height).astype(np.float32)
    across, down = np.meshgrid(x, y)
    return across, down


def _soft_disc(x: _Plane, y: _Plane) -> _Plane:
    return np.asarray(np.clip((1 - np.hypot(x, y)) / 0.02, 0, 1), np.float32)


_LOST = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7)
_BLURS = (0.004, 0.006, 0.008, 0.01, 0.012, 0.016, 0.02, 0.025, 0.03, 0.04, 0.06)

KINDS: Final[dict[str, Kind]] = {
    "defocus": Kind(_defocused, "sigma in radii", _BLURS, 0.02, Check.SHARP),
    "motion": Kind(_moved, "length in radii", (0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.14, 0.2), 0.1, Check.SHARP),
    "noise": Kind(
        _noisy, "deviation in full scale", (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3), 0.15, Check.SHARP
    ),
    "darkness": Kind(
        _darkened, "share of the light", (0.6, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.06, 0.03), 0.15, Check.LIGHT
    ),
    "shadow": Kind(_shadowed, "reach in radii", (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8), 1.4, Check.SHADE),
    "over-exposure": Kind(_over_exposed, "times the light", (1.3, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0), 4.0, Check.BURNT),
    "haze": Kind(_hazy, "share of veil", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), 0.7, Check.HAZE),
    "half black": Kind(_missing(0, 0), "share missing", _LOST, 0.5, Check.SEEN),
    "half grey": Kind(_missing(128, 0), "share missing", _LOST, 0.5, Check.SEEN),
    "half as a decoder fills": Kind(_missing(-1, 0), "share missing", _LOST, 0.5, Check.SEEN),
    "frame ends": Kind(_missing(None, 0), "share missing", _LOST, 0.5, Check.SEEN),
    "left half black": Kind(_missing(0, 1), "share missing", _LOST, 0.5, Check.SEEN),
    "upper half black": Kind(_missing(0, 2), "share missing", _LOST, 0.5, Check.SEEN),
    "monochrome": Kind(_greyed, "share of the colour lost", (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0), 1.0, Check.COLOUR),
    "lashes": Kind(_behind_lashes, "lashes", (2, 5, 10, 20, 30, 45), 30, Check.SHADE),
}
