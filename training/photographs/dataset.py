"""Photographs in memory: decoded and cut once, drawn in an order that seed and epoch decide."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from casebook.errors import BadInput
from inference.preprocess import Preprocessing, cut, normalise, prepare
from inference.reader import frames
from inference.retina import Picture, find_circle
from training.photographs.augment import CACHE_MARGIN, augmented
from training.photographs.left_out import LeftOut, tell
from training.photographs.photograph import Photograph
from training.recipe import Augment

_MOST_UNREADABLE = 0.02  # share of the photographs; more of them are no accident


def decode(path: Path) -> Picture:
    """Decode a DICOM object, JPEG or PNG to (H, W, 3) uint8 RGB, as the service does (rule P18).

    The first frame counts. As in the service, a picture of hospital size comes reduced.

    Raises:
        BadInput: it is damaged, or no picture that could be graded.
    """
    try:
        return _first_frame(path)
    except BadInput as bad:
        raise BadInput(f"{path.name} cannot be used: {bad.message}") from bad


class Crops:
    """The retinas of many photographs, held in memory as uint8; what shows none or cannot be read is left out.

    Args:
        photographs: to hold, in this order.
        preprocessing: of the recipe.
        fitting: with room around the retina for the augmentation; else exactly what the service would see.

    Attributes:
        photographs: whose retinas are held.
        left_out: the others, each with its reason.

    Raises:
        BadInput: several photographs, and more than 2 %, cannot be read, or none shows a retina.
    """

    def __init__(self, photographs: list[Photograph], preprocessing: Preprocessing, *, fitting: bool) -> None:
        self.preprocessing = preprocessing
        self.photographs: list[Photograph] = []
        self.left_out: list[LeftOut] = []
        self._crops: list[Picture] = []
        unreadable = []
        room = round(preprocessing.size * CACHE_MARGIN / preprocessing.margin)
        for photograph in photographs:
            try:
                picture = _first_frame(photograph.path)
            except BadInput as bad:
                unreadable.append(LeftOut(photograph, bad.message))
                continue
            circle = find_circle(picture)
            if circle is None:
                self.left_out.append(LeftOut(photograph, "It shows no retina."))
                continue
            self._crops.append(
                cut(picture, circle, room, CACHE_MARGIN) if fitting else prepare(picture, circle, preprocessing)
            )
            self.photographs.append(photograph)
        self.left_out += unreadable
        if len(unreadable) > max(1, _MOST_UNREADABLE * len(photographs)):
            raise BadInput(
                f"{len(unreadable)} of {len(photographs)} photographs cannot be read, {_named(unreadable[0])}",
                "Mend them, or take their lines out.",
            )
        tell(self.left_out)
        if photographs and not self.photographs:
            raise BadInput(f"No photograph can be used, {_named(self.left_out[0])}", "Check that they show retinas.")

    def __len__(self) -> int:
        return len(self._crops)

    @property
    def grades(self) -> npt.NDArray[np.float32]:
        """The grades in order, (n,) float32."""
        return np.array([photograph.grade for photograph in self.photographs], dtype=np.float32)

    def plain(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return crops as the service sees them, (n, 3, size, size) float32."""
        return np.concatenate([normalise(self._crops[position], self.preprocessing) for position in positions])

    def varied(
        self,
        positions: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
        how: Augment | None,
        key: tuple[int, int],
    ) -> npt.NDArray[np.float32]:
        """Return augmented crops, (n, 3, size, size) float32; without a recipe for it the crops as they are.

        Args:
            positions: which photographs.
            numbers: which draws of the epoch they are.
            how: the recipe's augmentation, or None.
            key: seed and epoch: the same key and number give the same pixels, so that a resumed run is the run it
                resumes, on however many processes.
        """
        if how is None:
            return self.plain(positions)
        varied = [
            augmented(self._crops[position], self.preprocessing, how, np.random.default_rng((*key, number)))
            for position, number in zip(positions.tolist(), numbers.tolist(), strict=True)
        ]
        return np.concatenate([normalise(crop, self.preprocessing) for crop in varied])


def draw(
    photographs: list[Photograph], sources: dict[str, float], balance: float, draws: int, key: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Draw the photographs of one epoch.

    Systematic: a photograph whose weight says 1.4 draws comes once or twice, never five times.

    Args:
        photographs: to draw from.
        sources: weight of each source, relative to its number of photographs; an unnamed source has 1.
        balance: 0 draws grades as they are, 1 draws all grades of a source alike often.
        draws: how many.
        key: seed and epoch.

    Returns:
        (draws,) positions in random order.
    """
    counts = Counter((photograph.source, photograph.grade) for photograph in photographs)
    raw = np.array([counts[photograph.source, photograph.grade] ** -balance for photograph in photographs])
    source = np.array([photograph.source for photograph in photographs])
    weights = np.zeros(len(photographs))
    for name in sorted(set(source)):
        theirs = source == name
        weights[theirs] = raw[theirs] / raw[theirs].sum() * theirs.sum() * sources.get(name, 1.0)
    random = np.random.default_rng(key)
    shuffled = random.permutation(len(photographs))
    ends = np.cumsum(weights[shuffled])
    marks = (np.arange(draws) + random.random()) * ends[-1] / draws
    chosen = shuffled[np.minimum(np.searchsorted(ends, marks, side="right"), len(photographs) - 1)]
    return np.asarray(random.permutation(chosen), dtype=np.int64)


def _first_frame(path: Path) -> Picture:
    try:
        return next(frames(path)).picture
    except OSError as error:
        raise BadInput("It cannot be opened.") from error


def _named(out: LeftOut) -> str:
    return f"{out.photograph.path.name} for one: {out.reason}"
