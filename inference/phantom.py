"""Synthetic eyes: fundus photographs drawn by a program, for demonstrations, tests and a bundle's golden pictures.

They look like a 45 degree photograph centred on the macula, show nobody's eye and may go where a patient's photograph
may not. Nothing here claims that a network sees in them what it sees in a real eye.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from casebook.words import Laterality
from inference import phantom_vessels
from inference.phantom_lesions import FEW, HEALTHY, MANY, PROLIFERATIVE, Lesions, Painter
from inference.phantom_vessels import FOVEA, OPTIC_DISC

__all__ = ["FEW", "HEALTHY", "MANY", "PROLIFERATIVE", "RETINA", "Lesions", "Picture", "blurred", "darkened", "draw"]

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

RETINA: Final = 0.47  # radius of the retina's disc, in sides of the picture
_OPTIC_DISC_RADIUS = 0.125  # in radii of the retina's disc


def draw(seed: int, *, lesions: Lesions, laterality: Laterality = Laterality.RIGHT, size: int = 1024) -> Picture:
    """Draw one eye; the same arguments give the same picture.

    Args:
        seed: which eye; vessels, colour and texture follow from it, the lesions' places too.
        lesions: how many lesions of each kind.
        laterality: in a right eye the optic disc lies on the viewer's right.
        size: side of the picture in pixels.

    Returns:
        (size, size, 3) uint8 RGB: the retina's disc of radius ``RETINA * size`` around the middle, on black.
    """
    rng = np.random.default_rng(seed)
    radius = RETINA * size
    x, y = _coordinates(size, radius)
    picture = _background(rng, x, y)
    _optic_disc(rng, picture, x, y)
    _vessels(rng, picture, np.random.default_rng((seed, 2)), lesions.new_vessels, radius)
    _lesions(np.random.default_rng((seed, 1)), picture, lesions, radius)
    _macula(rng, picture, x, y)
    distance = np.hypot(x, y)
    vignette = 1 - 0.42 * distance**3 - 0.3 * (x * rng.uniform(-0.6, 0.6) + y * rng.uniform(-0.6, 0.6))
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.0028 * radius)), np.float32)  # the eye's optics
    picture *= vignette[..., np.newaxis]
    picture += rng.normal(0, (1.5, 1.8, 3.0), picture.shape).astype(np.float32)
    picture *= _field(x, y, radius)[..., np.newaxis]
    finished = np.clip(picture, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(finished[:, ::-1]) if laterality is Laterality.LEFT else finished


def blurred(picture: Picture, *, strength: float = 0.012) -> Picture:
    """Return the picture as a camera out of focus takes it; ``strength`` is the blur's sigma in picture widths."""
    sigma = strength * picture.shape[1]
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def darkened(picture: Picture, *, light: float = 0.08) -> Picture:
    """Return the picture as taken with a flash that hardly fired; ``light`` is the share of light that is left."""
    return (picture.astype(np.float32) * light).astype(np.uint8)


def _coordinates(size: int, radius: float) -> tuple[Plane, Plane]:
    line = ((np.arange(size) + 0.5 - size / 2) / radius).astype(np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def _clouds(rng: np.random.Generator, size: int, cells: int) -> Plane:
    """Draw smooth noise of about unit deviation with ``cells`` cells along a side."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _background(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    size = len(x)
    base = np.array((rng.uniform(192, 214), rng.uniform(98, 116), rng.uniform(48, 62)), np.float32)
    picture = base * (1 + 0.05 * _clouds(rng, size, 4) + 0.012 * _clouds(rng, size, 18))[..., np.newaxis]
    # Pigment, choroid and the lens tint each channel in its own way.
    for channel, (broad, fine) in enumerate(((0.03, 0.010), (0.05, 0.012), (0.15, 0.07))):
        picture[..., channel] *= 1 + broad * _clouds(rng, size, 5) + fine * _clouds(rng, size, 110)
    # The choroid shows through as pale stripes, more towards the edge.
    stripes = np.sin(18 * (x * 0.6 + y) + 3 * _clouds(rng, size, 6)) * np.clip(np.hypot(x, y) - 0.35, 0, 1)
    picture += (stripes * 5)[..., np.newaxis] * np.array((1, 0.7, 0.4), np.float32)
    glow = np.exp(-(((x - OPTIC_DISC[0]) ** 2 + (y - OPTIC_DISC[1]) ** 2) / 0.16))
    picture += glow[..., np.newaxis] * np.array((14, 16, 9), np.float32)
    return np.asarray(picture, np.float32)


def _edge(distance: Plane, radius: float, softness: float) -> Plane:
    """Return 1 inside ``radius`` falling to 0 outside over a border of ``softness``."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - radius) / softness, -40, 40))), np.float32)


def _paint(picture: Plane, coverage: Plane, colour: tuple[float, float, float]) -> None:
    picture += coverage[..., np.newaxis] * (np.array(colour, np.float32) - picture)


def _optic_disc(rng: np.random.Generator, picture: Plane, x: Plane, y: Plane) -> None:
    distance = np.hypot((x - OPTIC_DISC[0]) * 1.08, y - OPTIC_DISC[1]).astype(np.float32)
    _paint(picture, 0.88 * _edge(distance, _OPTIC_DISC_RADIUS, 0.010), (250, 196, 122))
    cup = np.hypot(x - OPTIC_DISC[0] - 0.008, y - OPTIC_DISC[1]).astype(np.float32)
    _paint(picture, 0.75 * _edge(cup, _OPTIC_DISC_RADIUS * rng.uniform(0.35, 0.5), 0.012), (255, 232, 178))


def _vessels(
    rng: np.random.Generator, picture: Plane, tangled: np.random.Generator, tangles: int, radius: float
) -> None:
    tree = phantom_vessels.grow(rng)
    places = (OPTIC_DISC + 0.06, np.array((0.28, -0.46)), np.array((-0.4, 0.5)))
    for number in range(tangles):
        tree += phantom_vessels.tangle(tangled, places[number % len(places)])
    size = len(picture)
    veins = phantom_vessels.plane([vessel for vessel in tree if not vessel.artery], size, radius)
    arteries = phantom_vessels.plane([vessel for vessel in tree if vessel.artery], size, radius)
    thick = [replace(vessel, widths=0.3 * vessel.widths) for vessel in tree if vessel.widths[0] > 0.012]
    shine = phantom_vessels.plane(thick, size, radius)  # the light reflex along the middle of a large vessel
    picture *= 1 - veins[..., np.newaxis] * np.array((0.12, 0.34, 0.14), np.float32)
    picture *= 1 - arteries[..., np.newaxis] * np.array((0.05, 0.22, 0.08), np.float32)
    picture *= 1 + shine[..., np.newaxis] * np.array((0.06, 0.16, 0.08), np.float32)


def _lesions(rng: np.random.Generator, picture: Plane, lesions: Lesions, radius: float) -> None:
    painter = Painter(rng, len(picture), radius)
    _paint(picture, 0.4 * painter.scars(lesions.scars), (226, 196, 140))
    _paint(picture, 0.8 * painter.soft_exudates(lesions.soft_exudates), (238, 212, 168))
    _paint(picture, 0.45 * painter.haemorrhages(lesions.haemorrhages), (118, 22, 14))
    _paint(picture, 0.5 * painter.microaneurysms(lesions.microaneurysms), (130, 26, 18))
    _paint(picture, 0.85 * painter.hard_exudates(lesions.hard_exudates), (255, 232, 120))
    _paint(picture, 0.6 * painter.strands(lesions.strands), (222, 204, 172))
    _paint(picture, 0.7 * painter.boats(lesions.boats), (122, 18, 10))


def _macula(rng: np.random.Generator, picture: Plane, x: Plane, y: Plane) -> None:
    distance = np.hypot(x - FOVEA[0], y - FOVEA[1])
    shade = 0.26 * np.exp(-((distance / 0.17) ** 2)) + 0.2 * np.exp(-((distance / 0.055) ** 2))
    picture *= 1 - shade[..., np.newaxis] * np.array((0.75, 1, 0.9), np.float32)
    reflex = np.exp(-(((x - FOVEA[0] - 0.008) ** 2 + (y - FOVEA[1]) ** 2) / 0.008**2)) * rng.uniform(10, 28)
    picture += reflex[..., np.newaxis]


def _field(x: Plane, y: Plane, radius: float) -> Plane:
    """Return the camera's field: the disc and the small notch that tells which way up the picture is."""
    softness = 0.7 / radius
    disc = _edge(np.hypot(x, y).astype(np.float32), 1.0, softness)
    turned_x, turned_y = (x + y) / np.sqrt(2), (y - x) / np.sqrt(2)
    across = np.maximum(np.abs(turned_y + 1.0) - 0.045, np.abs(turned_x) - 0.03)
    return np.maximum(disc, _edge(np.asarray(across, np.float32), 0.0, softness))
