"""Finds the retina in a photograph: the disc of light on black, to a fraction of a pixel.

The search runs on a reduced copy, the answer stays in full-size coordinates (rule P15). Edges are threshold crossings
on rows and columns, interpolated between pixels; a vote over random triples of them throws out the notch, straight cuts
and flare before least squares settles the circle.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from inference.halving import halved

Picture = npt.NDArray[np.uint8]
_Points = npt.NDArray[np.float64]

_WORKING_SIDE = 256  # pixels of the longer side of the reduced copy; the edge is found to about a tenth of one
_TOLERANCE = 0.012  # how far from the fitted edge, in radii, a point may lie and still belong to it
_VOTES = 160
_VOTERS = 180  # points that take part in the vote; all take part in the fit
_LEVELS = (0.12, 0.3)  # where between dark and bright the edge is; the second is tried where flare spoils the first
_MINIMUM_ARC = 0.2  # share of the whole round that must be seen for a disc to be believed ...
_CORNER_ARC = 0.07  # ... or this much of it when spread over three corners, as in discs that overfill the frame
_GOOD_ARC = 0.5
_AGREEING = 0.25  # share of all edge points that must lie on the fitted edge: a square's sides touch circles too
_SQUEEZED = (1.04, 1.66)  # height to width of an ellipse: rounder is a circle measured badly, and no sensor is longer


@dataclass(frozen=True, slots=True)
class Circle:
    """Where the retina lies, in pixels of the picture it was found in; (0, 0) is the centre of the first pixel.

    ``aspect`` is 1 in every natural photograph. Pictures that somebody squeezed show the retina as an upright ellipse:
    then ``radius`` is its half width and ``radius * aspect`` its half height.
    """

    x: float
    y: float
    radius: float
    aspect: float = 1.0

    @property
    def half_height(self) -> float:
        """Half the height in pixels: the radius, but in a squeezed picture."""
        return self.radius * self.aspect

    def scaled(self, across: float, down: float | None = None) -> "Circle":
        """Return the circle in a copy of the picture that is ``across`` times as wide and ``down`` times as high.

        Pixel centres are kept: X = (x + 0.5) k - 0.5.
        """
        down = across if down is None else down
        return Circle(
            x=(self.x + 0.5) * across - 0.5,
            y=(self.y + 0.5) * down - 0.5,
            radius=self.radius * across,
            aspect=self.aspect * down / across,
        )


@dataclass(frozen=True, slots=True)
class _Fit:
    """A fitted disc, how many edge points agree on it, and which share of its round they cover."""

    circle: Circle
    agreeing: int
    arc: float


def find_circle(picture: Picture) -> Circle | None:
    """Find the retina's disc.

    Args:
        picture: (H, W, 3) uint8 RGB, any size.

    Returns:
        The circle in pixels of ``picture``, which may reach beyond the frame; None where no bright disc stands out
        from a dark surround.
    """
    if min(picture.shape[:2]) < 32:
        return None
    # Halving is quick, but nearer to the working size it would soften the edge, so it stops at four times that: on 18
    # hospital-size photographs the radius grows by 0.02 % at most (by 0.19 % when halved as far as it goes), and the
    # centre moves by 0.06 % of it.
    halvings = 0
    while max(picture.shape[:2]) > 4 * _WORKING_SIDE:
        picture, halvings = halved(picture), halvings + 1
    height, width = picture.shape[:2]
    shrink = min(1.0, _WORKING_SIDE / max(height, width))
    small_width, small_height = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(picture, (small_width, small_height), interpolation=cv2.INTER_AREA) if shrink < 1 else picture
    red, green, blue = cv2.split(small)
    light = np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)  # NumPy's max(axis=2) takes ten times as long
    light[_flat_rows(light)] = 0
    found = _find_in(light)
    if found is None:
        return None
    full = found.scaled(width / small_width, height / small_height).scaled(2**halvings)
    # Rounding the reduced copy's sides squeezes it by a few thousandths: a natural photograph's disc is round.
    return replace(full, radius=math.sqrt(full.radius * full.half_height), aspect=1.0) if found.aspect == 1 else full


def _flat_rows(light: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Say which rows are one grey from side to side, as a decoder fills in what a cut file lacks: no retina is."""
    return np.asarray(np.ptp(light, axis=1) <= 3)


def _find_in(light: npt.NDArray[np.float32]) -> Circle | None:
    """Find the disc in one channel of brightness at working size."""
    height, width = light.shape
    rim = max(2, round(0.02 * min(height, width)))
    frame = np.concatenate([light[:rim].ravel(), light[-rim:].ravel(), light[:, :rim].ravel(), light[:, -rim:].ravel()])
    dark = float(np.percentile(frame, 3))
    bright = float(np.percentile(light, 85))
    if bright - dark < 6:
        return None
    best: tuple[_Fit, float] | None = None
    for share in _LEVELS:
        level = dark + max(4.0, share * (bright - dark))
        found = _fit_at(light, level)
        if found is not None and (best is None or found.arc > best[0].arc + 0.1):
            best = found, level
        if best is not None and best[0].arc > _GOOD_ARC:
            break
    return best[0].circle if best is not None and _stands_out(light, best[0].circle, best[1]) else None


def _fit_at(light: npt.NDArray[np.float32], level: float) -> _Fit | None:
    """Fit the disc whose edge lies at one level of brightness."""
    body = _largest_body(light > level)
    if body is None:
        return None
    points = _edge_points(light, body, level)
    frame = (light.shape[1], light.shape[0])
    circle = _fit(points, squeezed=False, frame=frame)
    # The squeezed form has one freedom more: it must explain clearly more of the edge to be believed.
    enough = 1.12 * circle.agreeing + 4 if circle is not None else 0
    if enough >= len(points):
        return circle
    ellipse = _fit(points, squeezed=True, frame=frame)
    if ellipse is None or not _SQUEEZED[0] < ellipse.circle.aspect < _SQUEEZED[1]:
        return circle
    return ellipse if ellipse.agreeing > enough else circle


def _largest_body(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """Return the largest connected bright region, or None where there is none to speak of."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < 0.04 * mask.size:
        return None
    return np.asarray(labels == largest)


def _edge_points(light: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], level: float) -> _Points:
    """Return (n, 2) points x, y where the light crosses the level, outermost on each row and column.

    Where the body touches the frame there is no edge of the retina, only of the picture: no point.
    """
    across = _crossings(light, body, level)
    down = _crossings(np.ascontiguousarray(light.T), np.ascontiguousarray(body.T), level)[:, ::-1]
    return np.concatenate([across, down])


def _crossings(light: npt.NDArray[np.float32], body: npt.NDArray[np.bool_], level: float) -> _Points:
    """Return the first and last crossing of every row as (n, 2) points x, y."""
    width = light.shape[1]
    rows = np.flatnonzero(body.any(axis=1))
    found = []
    for inside, outward in (
        (body[rows].argmax(axis=1), -1),
        (width - 1 - body[rows, ::-1].argmax(axis=1), 1),
    ):
        free = (inside + 2 * outward >= 0) & (inside + 2 * outward < width)
        row, column = rows[free], inside[free]
        here, beyond = light[row, column], light[row, column + outward]
        # The body was opened, so its outermost pixel may still have a bright neighbour: such a row says nothing.
        sharp = (here > level) & (beyond <= level)
        row, column, here, beyond = row[sharp], column[sharp], here[sharp], beyond[sharp]
        step = (here - level) / np.maximum(here - beyond, 1e-6)
        found.append(np.stack([column + outward * step, row], axis=1))
    return np.concatenate(found).astype(np.float64)


def _fit(points: _Points, *, squeezed: bool, frame: tuple[int, int]) -> _Fit | None:
    """Fit a circle, or an upright ellipse, to as many points as agree on one."""
    unknowns = 4 if squeezed else 3
    if len(points) < 24:
        return None
    # Scaling to about one keeps the equations well-conditioned.
    middle, unit = points.mean(axis=0), float(np.ptp(points, axis=0).max()) / 2
    x, y = ((points - middle) / max(unit, 1e-6)).T
    columns = [x**2, y**2, x, y] if squeezed else [x**2 + y**2, x, y]
    terms = np.stack(columns, axis=1)
    random = np.random.default_rng(20030901)
    picks = random.integers(0, len(points), size=(_VOTES, unknowns))
    voters = slice(None, None, max(1, len(points) // _VOTERS))
    systems = terms[picks]
    solvable = np.abs(np.linalg.det(systems)) > 1e-6
    solutions = np.linalg.solve(systems[solvable], np.ones((int(solvable.sum()), unknowns, 1)))[..., 0]
    shapes = _shapes(solutions, squeezed=squeezed)
    shapes = shapes[_plausible(shapes, (middle, unit), frame)]
    if not len(shapes):
        return None
    votes = (_distances(shapes, x[voters], y[voters]) < _TOLERANCE).sum(axis=1)
    shape = shapes[int(np.argmax(votes))]
    best = _distances(shape[None], x, y)[0] < _TOLERANCE
    for _ in range(4):
        solution = np.linalg.lstsq(terms[best], np.ones(int(best.sum())), rcond=None)[0]
        candidate = _shapes(solution[None], squeezed=squeezed)
        if best.sum() < 16 or not len(candidate) or not _plausible(candidate, (middle, unit), frame)[0]:
            return None
        shape = candidate[0]
        best = _distances(candidate, x, y)[0] < _TOLERANCE
    arc, quadrants = _arc(shape, x[best], y[best])
    if best.sum() < max(16, _AGREEING * len(points)) or arc < (_CORNER_ARC if quadrants >= 3 else _MINIMUM_ARC):
        return None
    circle = Circle(
        x=float(middle[0] + unit * shape[0]),
        y=float(middle[1] + unit * shape[1]),
        radius=float(unit * shape[2]),
        aspect=float(shape[3] / shape[2]) if squeezed else 1.0,
    )
    return _Fit(circle, int(best.sum()), arc)


def _shapes(solutions: npt.NDArray[np.float64], *, squeezed: bool) -> npt.NDArray[np.float64]:
    """Turn coefficients of A x^2 + B y^2 + C x + D y = 1 into rows of centre x, y and half width, half height."""
    if squeezed:
        a, b, c, d = solutions.T
    else:
        a, c, d = solutions.T
        b = a
    with np.errstate(all="ignore"):
        across, down = -c / (2 * a), -d / (2 * b)
        power = 1 + a * across**2 + b * down**2
        rows = np.stack([across, down, np.sqrt(power / a), np.sqrt(power / b)], axis=1)
    return np.asarray(rows[np.isfinite(rows).all(axis=1)])


def _plausible(
    shapes: npt.NDArray[np.float64], scaling: tuple[npt.NDArray[np.float64], float], frame: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Say which shapes could be a retina in this frame: centre inside, size sensible, squeezed at most 1:2."""
    middle, unit = scaling
    width, height = frame
    x, y = middle[0] + unit * shapes[:, 0], middle[1] + unit * shapes[:, 1]
    half_width, half_height = unit * shapes[:, 2], unit * shapes[:, 3]
    within = (x > -0.1 * width) & (x < 1.1 * width) & (y > -0.1 * height) & (y < 1.1 * height)
    smaller, larger = np.minimum(half_width, half_height), np.maximum(half_width, half_height)
    sized = (smaller > 0.18 * min(width, height)) & (larger < 1.2 * max(width, height))
    return np.asarray(within & sized & (larger < 2 * smaller))


def _distances(shapes: npt.NDArray[np.float64], x: _Points, y: _Points) -> npt.NDArray[np.float64]:
    """Return (shapes, points) distances from the edge in radii."""
    across = (x[None] - shapes[:, :1]) / shapes[:, 2:3]
    down = (y[None] - shapes[:, 1:2]) / shapes[:, 3:4]
    return np.asarray(np.abs(np.hypot(across, down) - 1))


def _arc(shape: npt.NDArray[np.float64], x: _Points, y: _Points) -> tuple[float, int]:
    """Return which share of the round, in 72 sectors, has a point, and how many quadrants have some."""
    angle = np.arctan2((y - shape[1]) / shape[3], (x - shape[0]) / shape[2])
    sectors = np.unique(np.floor((angle + math.pi) / (2 * math.pi) * 72).astype(int) % 72)
    _quadrants, counts = np.unique(sectors // 18, return_counts=True)
    return len(sectors) / 72, int((counts >= 2).sum())


def _stands_out(light: npt.NDArray[np.float32], circle: Circle, level: float) -> bool:
    """Say whether it is bright inside the circle, at least in part, and dark outside."""
    y, x = np.ogrid[: light.shape[0], : light.shape[1]]
    distance = np.hypot((x - circle.x) / circle.radius, (y - circle.y) / circle.half_height)
    inside, outside = distance < 0.97, distance > 1.04
    if not inside.any() or float((light[inside] > level).mean()) < 0.2:
        return False
    return not outside.any() or float((light[outside] > level).mean()) < 0.35
