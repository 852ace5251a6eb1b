"""What the network is fitted to: the reader's grade, softened by what else is known about the same eye."""

import numpy as np
import numpy.typing as npt

from training.sources import Photograph


def targets_of(photographs: list[Photograph], fellow: float) -> npt.NDArray[np.float32]:
    """Return what each photograph's score should be, (n,) float32.

    Retinopathy is a disease of the person: where both eyes are known, part of the fellow eye's grade tempers a single
    reader's slip.

    Args:
        photographs: to fit on.
        fellow: share of the fellow eye's mean grade, 0 to 1.
    """
    grades: dict[tuple[str, str], list[int]] = {}
    for photograph in photographs:
        if photograph.laterality:
            grades.setdefault((photograph.patient, photograph.laterality), []).append(photograph.grade)
    targets = np.array([photograph.grade for photograph in photographs], dtype=np.float32)
    for position, photograph in enumerate(photographs):
        other = {"L": "R", "R": "L"}.get(photograph.laterality, "")
        theirs = grades.get((photograph.patient, other))
        if theirs:
            targets[position] += fellow * (np.mean(theirs) - photograph.grade)
    return targets
