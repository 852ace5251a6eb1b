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
    """How many lesions of each kind an eye has; hard exudates count clusters, new vessels count tangles.

    Boats are haemorrhages before the retina, which settle with a level top; strands are fibrous tissue that grows from
    the disc along with new vessels; scars are those of laser treatment, in the periphery.
    """

    microaneurysms: int = 0
    haemorrhages: int = 0
    hard_exudates: int = 0
    soft_exudates: int = 0
    new_vessels: int = 0
    boats: int = 0
    strands: int = 0
    scars: int = 0


HEALTHY = Lesions()
FEW = Lesions(microaneurysms=14, haemorrhages=4, hard_exudates=1)
MANY = Lesions(microaneurysms=70, haemorrhages=70, hard_exudates=4, soft_exudates=4)
PROLIFERATIVE = Lesions(microaneurysms=30, haemorrhages=24, new_vessels=5, boats=2, strands=9, scars=115)


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
            if number % 3 == 2:
                self._flame(canvas, place)
            else:
                self._blot(canvas, place, 0.009 + self._rng.gamma(1.2, 0.007), roughness=0.45, stretch=1.2)
        return self._finished(canvas, blur=0.0045)

    def boats(self, count: int) -> Plane:
        """Draw haemorrhages before the retina: large, level on top, round below."""
        canvas = self._canvas()
        angles = np.linspace(0, np.pi, 40)
        for number in range(count):
            centre = np.array((0.16, 0.4) if number % 2 == 0 else (-0.02, -0.52)) + self._rng.normal(0, 0.06, 2)
            width, depth = self._rng.uniform(0.11, 0.2), self._rng.uniform(0.08, 0.15)
            wobble = 1 + 0.1 * np.sin(angles * self._rng.uniform(3, 6) + self._rng.uniform(0, 6)) * np.sin(angles)
            lean = self._rng.uniform(-0.25, 0.25) * width
            bottom = np.stack((width * np.cos(angles) + lean * np.sin(angles), depth * np.sin(angles) * wobble), axis=1)
            self._fill(canvas, centre + bottom)
        return self._finished(canvas, blur=0.012) * self._mottled(0.22)

    def strands(self, count: int) -> Plane:
        """Draw fibrous tissue: pale wisps that fan out from the disc along the arcades, and a veil between them."""
        canvas = self._canvas()
        for bundle in range(count):
            up = 1 if bundle % 3 == 2 else -1
            heading = np.pi + up * self._rng.uniform(0.35, 1.25)
            for _ in range(7):
                turns = heading + self._rng.normal(0, 0.1) + np.cumsum(self._rng.normal(0, 0.09, 24))
                steps = np.stack((np.cos(turns), np.sin(turns)), axis=1) * self._rng.uniform(0.008, 0.028)
                line = self._pixels(OPTIC_DISC + self._rng.normal(0, 0.03, 2) + np.cumsum(steps, axis=0))
                thickness = max(1, round(self._rng.uniform(0.002, 0.008) * self._radius * 2))
                cv2.polylines(canvas, [line], False, (255,), thickness, cv2.LINE_AA, shift=4)  # noqa: FBT003
        fine = self._finished(canvas, blur=0.007)
        veil = np.asarray(cv2.GaussianBlur(fine, (0, 0), 0.05 * self._radius), np.float32)
        return np.asarray(np.maximum(0.7 * fine, np.minimum(1.3 * veil, 0.7)), np.float32) * self._mottled(0.3)

    def scars(self, count: int) -> Plane:
        """Draw the pale round scars of a scatter of laser burns, outside the arcades."""
        canvas = self._canvas()
        drawn = 0
        while drawn < count:
            place = self._rng.uniform(-0.95, 0.95, 2)
            if np.hypot(*(place - FOVEA)) > 0.62 and np.hypot(*place) < 0.95 and np.hypot(*(place - OPTIC_DISC)) > 0.3:
                self._blot(canvas, place, self._rng.uniform(0.016, 0.024), roughness=0.12)
                drawn += 1
        return self._finished(canvas, blur=0.005)

    def hard_exudates(self, clusters: int) -> Plane:
        """Draw sharp yellow deposits in clusters and part rings around the macula."""
        canvas = self._canvas()
        for centre in self._places(clusters, spread=0.26):
            ring = self._rng.uniform(0.03, 0.07)
            start = self._rng.uniform(0, 2 * np.pi)
            for _ in range(int(self._rng.integers(26, 50))):
                angle = start + self._rng.uniform(0, 4.2)
                place = centre + ring * self._rng.normal(1, 0.3) * np.array((np.cos(angle), np.sin(angle)))
                self._blot(canvas, place, 0.0025 + self._rng.gamma(1.1, 0.0026), roughness=0.6, stretch=1.3)
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

    def _mottled(self, depth: float) -> Plane:
        """Draw smooth noise between 1 and 1 - ``depth``: nothing in an eye is of one density."""
        coarse = self._rng.uniform(1 - depth, 1, (14, 14)).astype(np.float32)
        return np.asarray(cv2.resize(coarse, (self._size, self._size), interpolation=cv2.INTER_CUBIC), np.float32)

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
        self._fill(canvas, place + turned)

    def _flame(self, canvas: npt.NDArray[np.uint8], place: Points) -> None:
        """Draw a haemorrhage among the nerve fibres: streaks that point towards the disc."""
        along = (OPTIC_DISC - place) / np.hypot(*(OPTIC_DISC - place))
        across = np.array((-along[1], along[0]))
        length = self._rng.uniform(0.02, 0.05)
        for _ in range(5):
            middle = place + across * self._rng.normal(0, 0.22 * length) + along * self._rng.normal(0, 0.2 * length)
            half, thick = length * self._rng.uniform(0.5, 1.0) * along, 0.1 * length * across
            self._fill(canvas, middle + np.array((-half, thick, half, -thick)))

    def _pixels(self, points: Points) -> npt.NDArray[np.int32]:
        return np.round((points * self._radius + self._size / 2) * 2 * 16).astype(np.int32)

    def _fill(self, canvas: npt.NDArray[np.uint8], outline: Points) -> None:
        cv2.fillPoly(canvas, [self._pixels(outline)], (255,), cv2.LINE_AA, shift=4)

    def _finished(self, canvas: npt.NDArray[np.uint8], *, blur: float) -> Plane:
        small = np.asarray(cv2.resize(canvas, (self._size, self._size), interpolation=cv2.INTER_AREA), np.float32) / 255
        return np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.4, blur * self._radius)), np.float32)
