"""Pictures that are no retina: drawn eyes from outside, drawn OCT screens, patterns, and round crops of other pictures.

No photographs of the anterior eye and few OCT screens with clear terms were found; what is drawn here stands for them,
and a figure measured on it says so.
"""

import cv2
import numpy as np
import numpy.typing as npt

from inference.retina import Circle, Picture

SIDE = 256  # of every picture made here, in pixels
WHOLE = Circle(SIDE / 2 - 0.5, SIDE / 2 - 0.5, SIDE / 2)  # a picture that is all disc
Palette = list[npt.NDArray[np.float64]]  # (5, 3) shares of full scale each: a retina's colours from dark to bright
_Plane = npt.NDArray[np.float64]

_IRISES = ((60, 38, 20), (96, 62, 30), (120, 100, 60), (90, 120, 90), (110, 140, 165), (70, 100, 140))
_SKINS = ((232, 190, 165), (205, 150, 115), (150, 100, 70), (95, 62, 45))


def colours(picture: Picture, circle: Circle) -> npt.NDArray[np.float64]:
    """Return the colours of a retina, from dark to bright, as (5, 3) shares of full scale."""
    reach = 0.6 * circle.radius
    top, left = max(0, int(circle.y - reach)), max(0, int(circle.x - reach))
    pixels = picture[top : int(circle.y + reach), left : int(circle.x + reach)].reshape(-1, 3) / 255
    order = np.argsort(pixels.mean(axis=1))
    return np.array([pixels[part].mean(axis=0) for part in np.array_split(order, 5)])


def anterior_eye(random: np.random.Generator) -> Picture:
    """Draw an eye from outside: sclera with its vessels, iris, pupil (dark, or red in the flash), reflexes, lids.

    Half of them fill the frame, half are seen through a fundus camera's round mask.
    """
    x, y = _square(random.uniform(0.75, 1.25), random.uniform(-0.3, 0.3), random.uniform(-0.25, 0.25))
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    picture = np.empty((SIDE, SIDE, 3))
    picture[:] = np.array([random.uniform(200, 240), random.uniform(175, 220), random.uniform(165, 215)])
    picture *= (1 + 0.06 * _clouds(random, 5))[..., None]
    _vessels_of_the_sclera(picture, random)
    iris = np.array(_IRISES[random.integers(len(_IRISES))]) * random.uniform(0.8, 1.3)
    reach = random.uniform(0.36, 0.6)
    fibres = 1 + 0.25 * np.interp(angle, np.linspace(-np.pi, np.pi, 120), random.normal(size=120)) * (distance / reach)
    _lay(
        picture, _step(distance, reach, 0.02), iris[None, None] * (fibres * (1.15 - 0.5 * distance / reach))[..., None]
    )
    red = random.random() < 0.4
    flash = np.array((190, 70, 40)) if red else np.array((14, 10, 10))
    _lay(picture, _step(distance, reach * random.uniform(0.25, 0.75), 0.012), flash * random.uniform(0.7, 1.2))
    for _ in range(random.integers(1, 4)):
        across, down = random.uniform(-0.5, 0.5, 2) * reach
        _lay(
            picture, _step(np.hypot(x - across, y - down), random.uniform(0.02, 0.08), 0.01), np.array((252, 252, 250))
        )
    _lids(picture, x, y, random)
    picture *= random.uniform(0.5, 1.05) * (1 - random.uniform(0, 0.35) * (x**2 + y**2))[..., None].clip(0.2)
    soft = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 2.5)) + random.normal(0, 2, picture.shape)
    finished = np.clip(soft, 0, 255).astype(np.uint8)
    return round_field(finished) if random.random() < 0.5 else finished


def oct_screen(random: np.random.Generator) -> Picture:
    """Draw the screen of an OCT device: one or two scans of bright layers with speckle, an en-face picture, writing."""
    dark = random.random() < 0.7
    screen = np.full((SIDE, SIDE, 3), 12 if dark else 235, np.float64)
    top = 20
    for _ in range(random.integers(1, 3)):
        high = int(random.integers(70, 105))
        wide = int(random.integers(120, 240))
        left = int(random.integers(4, SIDE - wide - 4))
        screen[top : top + high, left : left + wide] = _scan(high, wide, random)[: SIDE - top]
        top += high + 8
    if random.random() < 0.5:
        side = int(random.integers(50, 90))
        face = np.clip(90 + 30 * _clouds(random, 6)[:side, :side], 0, 255)
        screen[-side - 6 : -6, 6 : 6 + side] = face[..., None] * np.array(
            (1.0, 0.6, 0.35) if random.random() < 0.5 else 1.0
        )
    finished = np.clip(screen, 0, 255).astype(np.uint8)
    for line in range(random.integers(2, 7)):
        place, ink = (int(random.integers(4, 150)), 12 + 18 * line), (210,) * 3 if dark else (40,) * 3
        cv2.putText(finished, "OD 512 x 128", place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, ink, 1)
    return finished


def round_crop(picture: Picture, palette: Palette, random: np.random.Generator) -> Picture:
    """Cut a square anywhere out of a picture, often in a retina's colours, sometimes vignetted or soft."""
    height, width = picture.shape[:2]
    side = int(min(height, width) * random.uniform(0.45, 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    crop = cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    crop = np.ascontiguousarray(np.rot90(crop, int(random.integers(4))))
    if random.random() < 0.6:
        crop = recoloured(crop.mean(axis=2) / 255, palette, random)
    if random.random() < 0.4:
        x, y = _square(1.0, 0.0, 0.0)
        crop = (crop * (1 - random.uniform(0.1, 0.5) * (x**2 + y**2))[..., None]).clip(0).astype(np.uint8)
    if random.random() < 0.3:
        crop = cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 4))
    return np.asarray(crop, dtype=np.uint8)


def tinted(picture: Picture, random: np.random.Generator) -> Picture:
    """Give a picture the light of another lamp: each channel's strength and gamma a little other."""
    strength = random.uniform(0.75, 1.2, 3) * random.uniform(0.7, 1.1)
    shares = (picture / 255) ** random.uniform(0.8, 1.3)
    return np.asarray(np.clip(255 * shares * strength, 0, 255), np.uint8)


def recoloured(grey: _Plane, palette: Palette, random: np.random.Generator) -> Picture:
    """Give a brightness of 0-1, (SIDE, SIDE), the colours of one retina."""
    chosen = palette[random.integers(len(palette))]
    marks = np.linspace(0, 1, 5)
    if random.random() < 0.5:
        marks = np.quantile(grey, [0.02, 0.25, 0.5, 0.75, 0.98]) + np.arange(5) * 1e-6
    place = np.interp(grey, marks, np.arange(5))
    planes = [np.interp(place, np.arange(5), chosen[:, channel]) for channel in range(3)]
    return np.clip(np.stack(planes, axis=-1) * 255, 0, 255).astype(np.uint8)


def pattern(palette: Palette, random: np.random.Generator) -> Picture:
    """Draw clouds of some roughness, with or without lines and spots, in the colours of a retina."""
    steps = np.fft.fftfreq(SIDE)
    distance = np.hypot(steps[:, None], steps[None, :])
    distance[0, 0] = 1
    noise = np.fft.fft2(random.normal(size=(SIDE, SIDE))) / distance ** random.uniform(0.5, 3)
    clouds = np.fft.ifft2(noise).real
    clouds = (clouds - clouds.mean()) / clouds.std()
    grey = np.clip(0.5 + random.uniform(0, 0.35) * clouds, 0, 1)
    for _ in range(random.integers(1, 20) if random.random() < 0.3 else 0):
        begin, end = (tuple(int(v) for v in random.integers(0, SIDE, 2)) for _ in range(2))
        cv2.line(grey, begin, end, random.uniform(0, 1), int(random.integers(1, 6)), cv2.LINE_AA)
    for _ in range(random.integers(1, 8) if random.random() < 0.5 else 0):
        centre = tuple(int(v) for v in random.integers(0, SIDE, 2))
        cv2.circle(grey, centre, int(random.integers(4, 50)), random.uniform(0, 1), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(grey, (0, 0), random.uniform(0.3, 3))
    return recoloured(np.asarray(soft, dtype=np.float64), palette, random)


def round_field(picture: Picture) -> Picture:
    """Return a picture as seen through a round mask on black."""
    x, y = _square(1.0, 0.0, 0.0)
    return np.asarray(picture * _step(np.hypot(x, y), 0.94, 0.006)[..., None], np.uint8)


def _square(zoom: float, across: float, down: float) -> tuple[_Plane, _Plane]:
    line = (np.arange(SIDE) + 0.5 - SIDE / 2) / (SIDE / 2)
    x, y = np.meshgrid(line / zoom - across, line / zoom - down)
    return x, y


def _step(distance: _Plane, radius: float, softness: float) -> _Plane:
    """Return 1 inside the radius, 0 outside."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - radius) / softness, -40, 40))))


def _lay(picture: _Plane, coverage: _Plane, colour: _Plane) -> None:
    picture += coverage[..., None] * (colour - picture)


def _clouds(random: np.random.Generator, cells: int) -> _Plane:
    coarse = random.normal(size=(cells, cells))
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def _vessels_of_the_sclera(picture: _Plane, random: np.random.Generator) -> None:
    red = np.zeros((SIDE, SIDE))
    for _ in range(random.integers(4, 40)):
        turns = np.cumsum(random.normal(0, 0.25, 30)) + random.uniform(0, 2 * np.pi)
        path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * 4, axis=0) + random.uniform(0, SIDE, 2)
        strength = random.uniform(0.2, 0.7)
        cv2.polylines(red, [path.astype(np.int32)], isClosed=False, color=strength, thickness=1, lineType=cv2.LINE_AA)
    _lay(picture, red, np.array((180.0, 60.0, 60.0)))


def _lids(picture: _Plane, x: _Plane, y: _Plane, random: np.random.Generator) -> None:
    """Close the eye from above and below, as far as it may be, with lashes where the lids end."""
    skin = np.array(_SKINS[random.integers(len(_SKINS))]) * random.uniform(0.8, 1.1)
    for side in (-1, 1):
        edge = random.uniform(0.45, 1.0) - random.uniform(0.1, 0.4) * x**2
        _lay(picture, _step(edge - side * y, 0.0, 0.015), skin * (1 + 0.05 * _clouds(random, 9))[..., None])
        for _ in range(random.integers(0, 40)):
            at = float(random.uniform(-1, 1))
            row = int(np.argmin(np.abs(x[0] - at)))
            line = int(np.argmin(np.abs(side * y[:, row] - edge[0, row])))
            tip = (row + int(random.integers(-16, 16)), line - side * int(random.integers(-14, 26)))
            cv2.line(picture, (row, line), tip, (30, 22, 18), 1, cv2.LINE_AA)


def _scan(height: int, width: int, random: np.random.Generator) -> _Plane:
    """Draw one scan: bright layers that bend at the fovea, speckled, grey or in false colours."""
    across = np.linspace(-1, 1, width)
    depth = np.linspace(0, 1, height)[:, None]
    bend = 0.35 + random.uniform(-0.1, 0.1) * across**2 + random.uniform(0.05, 0.12) * np.exp(-((across / 0.2) ** 2))
    grey = np.zeros((height, width))
    for below, strength, thickness in ((0.0, 0.8, 0.02), (0.08, 0.45, 0.05), (0.2, 0.4, 0.04), (0.28, 1.0, 0.03)):
        grey += strength * np.exp(-(((depth - bend - below) / thickness) ** 2))
    grey += 0.5 * np.exp(-np.clip(depth - bend - 0.3, 0, None) / 0.1) * (depth > bend + 0.3)
    grey = np.clip(grey * random.gamma(4, 0.25, grey.shape), 0, 1)
    if random.random() < 0.3:
        return np.asarray(cv2.applyColorMap((grey * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1], np.float64)
    return np.asarray(np.repeat(255 * grey[..., None], 3, axis=2))
