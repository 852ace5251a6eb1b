"""The vessel tree of a synthetic eye: two arcades around the macula, nasal vessels and their branches.

Coordinates are radii of the retina's disc around its centre, of a right eye as the viewer sees it, y downwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

FOVEA = np.array((-0.06, 0.03))
OPTIC_DISC = np.array((0.58, -0.04))
AVASCULAR_RADIUS = 0.13
_STEP = 0.02
_FINEST = 0.0028


@dataclass(frozen=True, slots=True)
class Vessel:
    """One unbranched stretch: ``points`` (n, 2) and ``widths`` (n,), both in radii."""

    points: Points
    widths: Points
    artery: bool


def grow(rng: np.random.Generator) -> list[Vessel]:
    """Grow the whole tree of one eye; the same generator state gives the same tree."""
    vessels: list[Vessel] = []
    for up in (-1, 1):
        for artery in (False, True):
            trunk = _arcade(rng, up, artery=artery)
            vessels += [trunk, *_branches(rng, trunk, depth=0)]
        nasal = _walk(rng, OPTIC_DISC, up * rng.uniform(0.75, 1.15), 0.013, artery=up > 0)
        vessels += [nasal, *_branches(rng, nasal, depth=1)]
    for _ in range(5):
        # Fine vessels leave the disc's temporal rim straight towards the macula.
        heading = np.pi + rng.uniform(-0.55, 0.55)
        vessels.append(_walk(rng, OPTIC_DISC, heading, 0.006, artery=bool(rng.integers(2))))
    return vessels


def _arcade(rng: np.random.Generator, up: int, *, artery: bool) -> Vessel:
    run = np.linspace(0, rng.uniform(1.3, 1.45), 80)
    height = rng.uniform(0.5, 0.6) - (0.05 if artery else 0.0)
    bow = height * np.sin(np.minimum(run / 1.35, 1.0) * 2.0) ** 0.62
    wiggle = sum(
        rng.uniform(0.004, 0.012) * np.sin(run * frequency + rng.uniform(0, 2 * np.pi)) for frequency in (9, 17, 29)
    )
    start = OPTIC_DISC[0] + (0.022 if artery else -0.018)  # side by side, where they leave the disc
    points = np.stack((start - run, OPTIC_DISC[1] + up * (bow + wiggle * np.minimum(run * 6, 1))), axis=1)
    widths = (0.019 if artery else 0.026) * (1 - 0.62 * run / run[-1])
    return Vessel(points, widths, artery)


def _branches(rng: np.random.Generator, parent: Vessel, depth: int) -> Iterator[Vessel]:
    if depth > 2:
        return
    side = 1
    position = int(rng.integers(6, 12))
    while position < len(parent.points) - 3:
        along = parent.points[position + 1] - parent.points[position - 1]
        heading = float(np.arctan2(along[1], along[0])) + side * rng.uniform(0.45, 0.95)
        width = float(parent.widths[position]) * rng.uniform(0.45, 0.7)
        if width > _FINEST:
            child = _walk(rng, parent.points[position], heading, width, artery=parent.artery)
            yield child
            yield from _branches(rng, child, depth + 1)
        side = -side
        position += int(rng.integers(8, 18))


def _walk(rng: np.random.Generator, start: Points, heading: float, width: float, *, artery: bool) -> Vessel:
    """Follow a heading that wanders, until the vessel is too fine, leaves the disc or reaches the avascular zone."""
    points, widths = [start], [width]
    drift = rng.normal(0, 0.03)
    for _ in range(70):
        heading += drift + rng.normal(0, 0.09)
        point = points[-1] + _STEP * np.array((np.cos(heading), np.sin(heading)))
        width *= 0.972
        if width < _FINEST or np.hypot(*point) > 1.02 or np.hypot(*(point - FOVEA)) < AVASCULAR_RADIUS:
            break
        points.append(point)
        widths.append(width)
    return Vessel(np.array(points), np.array(widths), artery)


def tangle(rng: np.random.Generator, start: Points) -> list[Vessel]:
    """Grow new vessels: fine loops that curl back on themselves (neovascularisation)."""
    loops = []
    for _ in range(14):
        turns = np.linspace(0, rng.uniform(2, 5), 40)
        curl = rng.uniform(0.008, 0.024)
        direction = rng.uniform(0, 2 * np.pi) + rng.choice((-1, 1)) * turns
        points = start + np.cumsum(np.stack((np.cos(direction), np.sin(direction)), axis=1) * curl * 0.14, axis=0)
        loops.append(Vessel(points, np.full(len(points), 0.0032), artery=False))
    return loops


def plane(vessels: list[Vessel], size: int, radius: float) -> npt.NDArray[np.float32]:
    """Draw vessels as coverage.

    Args:
        vessels: what to draw.
        size: side of the picture in pixels; the disc's centre is its middle.
        radius: radius of the disc in pixels.

    Returns:
        (size, size) float32, 0 outside vessels to 1 inside.
    """
    canvas = np.zeros((size * 2, size * 2), np.uint8)
    for vessel in vessels:
        pixels = np.round((vessel.points * radius + size / 2) * 2 * 16).astype(np.int32)
        for first, second, width in zip(pixels[:-1], pixels[1:], vessel.widths, strict=False):
            thickness = max(1, round(float(width) * radius * 2))
            cv2.line(canvas, first.tolist(), second.tolist(), (255,), thickness, cv2.LINE_AA, shift=4)
    half = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.float32) / np.float32(255)
