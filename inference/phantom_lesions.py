"""The lesions of diabetic retinopathy in a synthetic eye, as coverage planes to be painted over the background.

Coordinates are those of ``phantom_vessels``. Appearance after the Early Treatment Diabetic Retinopathy Study's
extension of the modified Airlie House classification (Ophthalmology 1991;98:786).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.phantom_vessels import FOVEA, OPTIC_DISC

Plane = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lesions:
    """How many lesions of each kind an eye has; hard exudates count clusters, new vessels count tangles."""

    microaneurysms: int = 0
    haemorrhages: int = 0
    hard_exudates: int = 0
    soft_exudates: int = 0
    new_vessels: int = 0


HEALTHY = Lesions()
FEW = Lesions(microaneurysms=14, haemorrhages=4, hard_exudates=1)
MANY = Lesions(microaneurysms=50, haemorrhages=36, hard_exudates=7, soft_exudates=6)
PROLIFERATIVE = Lesions(microaneurysms=50, haemorrhages=40, hard_exudates=4, soft_exudates=5, new_vessels=3)


class Painter:
    """Draws the spots of one eye on planes of (size, size) float32, 0 to 1.

    Args:
        rng: where the lesions come to lie.
        size: side of the picture in pixels.
        radius: radius of the retina's disc in pixels.
    """

    def __init__(self, rng: np.random.Generator, size: int, radius: float) -> None:
        self._rng = rng
        self._size = size
        self._radius = radius

    def microaneurysms(self, count: int) -> Plane:
        """Draw round red dots smaller than a vein's width at the disc (125 micrometres)."""
        canvas = self._canvas()
        for place in self._places(count, spread=0.36):
            self._blot(canvas, place, self._rng.uniform(0.0055, 0.0085), roughness=0.08)
        return self._finished(canvas, blur=0.0012)

    def haemorrhages(self, count: int) -> Plane:
        """Draw dot, blot and a few flame-shaped haemorrhages."""
        canvas = self._canvas()
        for number, place in enumerate(self._places(count, spread=0.45)):
            stretch = 2.4 if number % 4 == 3 else 1.15
            self._blot(canvas, place, self._rng.uniform(0.01, 0.026), roughness=0.3, stretch=stretch)
        return self._finished(canvas, blur=0.003)

    def hard_exudates(self, clusters: int) -> Plane:
        """Draw sharp yellow deposits in clusters and part rings around the macula."""
        canvas = self._canvas()
        for centre in self._places(clusters, spread=0.26):
            ring = self._rng.uniform(0.03, 0.07)
            start = self._rng.uniform(0, 2 * np.pi)
            for _ in range(int(self._rng.integers(12, 24))):
                angle = start + self._rng.uniform(0, 4.2)
                place = centre + ring * self._rng.normal(1, 0.22) * np.array((np.cos(angle), np.sin(angle)))
                self._blot(canvas, place, self._rng.uniform(0.004, 0.011), roughness=0.35)
        return self._finished(canvas, blur=0.001)

    def soft_exudates(self, count: int) -> Plane:
        """Draw pale patches without a sharp border (cotton-wool spots), along the arcades."""
        canvas = self._canvas()
        for _ in range(count):
            angle = self._rng.uniform(0, 2 * np.pi)
            place = FOVEA + self._rng.uniform(0.45, 0.62) * np.array((np.cos(angle), np.sin(angle)))
            self._blot(canvas, place, self._rng.uniform(0.024, 0.04), roughness=0.25, stretch=1.5)
        return self._finished(canvas, blur=0.011)

    def _places(self, count: int, *, spread: float) -> list[Points]:
        """Choose places inside the disc, away from fovea and optic disc."""
        places: list[Points] = []
        while len(places) < count:
            place = FOVEA + self._rng.normal(0, spread, 2)
            inside = np.hypot(*place) < 0.93 and np.hypot(*(place - OPTIC_DISC)) > 0.2
            if inside and np.hypot(*(place - FOVEA)) > 0.08:
                places.append(place)
        return places

    def _canvas(self) -> npt.NDArray[np.uint8]:
        return np.zeros((self._size * 2, self._size * 2), np.uint8)

    def _blot(
        self, canvas: npt.NDArray[np.uint8], place: Points, radius: float, *, roughness: float, stretch: float = 1.0
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        rough = 1 + roughness * sum(
            self._rng.normal(0, 0.6 / wave) * np.cos(wave * angles + self._rng.uniform(0, 2 * np.pi))
            for wave in (2, 3, 5)
        )
        outline = radius * np.maximum(rough, 0.3)
        x, y = outline * np.cos(angles) * np.sqrt(stretch), outline * np.sin(angles) / np.sqrt(stretch)
        turn = self._rng.uniform(0, np.pi)
        turned = np.stack((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)), axis=1)
        pixels = np.round(((place + turned) * self._radius + self._size / 2) * 2 * 16).astype(np.int32)
        cv2.fillPoly(canvas, [pixels], (255,), cv2.LINE_AA, shift=4)

    def _finished(self, canvas: npt.NDArray[np.uint8], *, blur: float) -> Plane:
        small = np.asarray(cv2.resize(canvas, (self._size, self._size), interpolation=cv2.INTER_AREA), np.float32) / 255
        return np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.4, blur * self._radius)), np.float32)
