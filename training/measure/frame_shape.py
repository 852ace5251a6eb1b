"""What can be told from the camera alone: a grader that sees five numbers of the frame and nothing of the retina.

In a data set put together from several clinics the sick may come from one camera and the healthy from another. Then the
shape of the frame gives the grade away, and a network that looks at it looks well.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from inference import reader, retina
from training.measure.bootstrap import Row
from training.photographs.sources import Photograph

FOLDS = 5
_RIDGE = 1.0
_FILLS = 0.97  # a disc at least so wide and so high, in shares of the frame, fills it

Boxes = npt.NDArray[np.float64]


def box(path: Path) -> tuple[float, float, float, float, float]:
    """Return width by height of the frame, and left, top, width, height of the retina's box in shares of the frame.

    Where no retina is found, or nothing can be read, the box is the whole frame.
    """
    try:
        frame = next(reader.frames(path))
    except (reader.Rejected, StopIteration):
        return 1.0, 0.0, 0.0, 1.0, 1.0
    height, width = frame.picture.shape[:2]
    circle = retina.find_circle(frame.picture)
    if circle is None:
        return width / height, 0.0, 0.0, 1.0, 1.0
    left, right = max(0.0, circle.x + 0.5 - circle.radius), min(width, circle.x + 0.5 + circle.radius)
    top, bottom = max(0.0, circle.y + 0.5 - circle.half_height), min(height, circle.y + 0.5 + circle.half_height)
    return width / height, left / width, top / height, (right - left) / width, (bottom - top) / height


def boxes(photographs: Iterable[Photograph]) -> Boxes:
    """Return the five numbers of each photograph, (n, 5)."""
    measured = [box(photograph.path) for photograph in tqdm(list(photographs), desc="frames", disable=None)]
    return np.array(measured, dtype=np.float64).reshape(-1, 5)


def fills_the_frame(numbers: Boxes) -> npt.NDArray[np.bool_]:
    """Say which discs fill their frame from side to side and from top to bottom."""
    return np.asarray((numbers[:, 3] >= _FILLS) & (numbers[:, 4] >= _FILLS))


def guessed(numbers: Boxes, referable: npt.NDArray[np.bool_], patients: npt.NDArray[np.str_], *, seed: int = 0) -> Row:
    """Guess by logistic regression which eyes are referable, each from patients it was not fitted on.

    Args:
        numbers: (n, 5) of ``boxes``.
        referable: (n,) by the graders.
        patients: (n,); one patient's photographs lie in one fold.
        seed: of the folds.

    Returns:
        (n,) log odds.
    """
    terms = (numbers - numbers.mean(axis=0)) / (numbers.std(axis=0) + 1e-9)
    terms = np.concatenate([terms, np.ones((len(terms), 1))], axis=1)
    names, member = np.unique(patients, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[member]
    odds = np.zeros(len(terms))
    for number in range(FOLDS):
        held = fold == number
        if held.any() and not held.all():
            odds[held] = terms[held] @ _logistic(terms[~held], referable[~held])
    return odds


def _logistic(terms: Boxes, true: npt.NDArray[np.bool_]) -> Row:
    """Fit by Newton's method; the ridge spares the last term, the constant."""
    ridge = np.diag([_RIDGE] * (terms.shape[1] - 1) + [1e-3])
    weights = np.zeros(terms.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
        slope = terms.T @ (chance - true) + ridge @ weights
        curvature = (terms * (chance * (1 - chance))[:, None]).T @ terms + ridge
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights
