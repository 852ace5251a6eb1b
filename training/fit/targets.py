"""What the network is fitted to: the reader's grade, softened by what else is known about the same eye."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from training.photographs.photograph import Photograph

Targets = npt.NDArray[np.float32]


def targets_of(photographs: list[Photograph], fellow: float) -> Targets:
    """Return what each photograph's score should be, (n,) float32.

    Retinopathy is a disease of the person: where both eyes are known, part of the fellow eye's grade tempers a single
    reader's slip.

    Args:
        photographs: with the fellow eyes among them.
        fellow: share of the fellow eye's mean grade, 0 to 1.
    """
    grades: dict[tuple[str, str, str], list[int]] = {}
    for photograph in photographs:
        eye = photograph.source, photograph.patient, photograph.laterality
        grades.setdefault(eye, []).append(photograph.grade)
    targets = np.array([photograph.grade for photograph in photographs], dtype=np.float32)
    for position, photograph in enumerate(photographs):
        other = {"L": "R", "R": "L"}.get(photograph.laterality)
        theirs = grades.get((photograph.source, photograph.patient, other)) if other else None
        if theirs:
            targets[position] += fellow * (np.mean(theirs) - photograph.grade)
    return targets


def taught(targets: Targets, photographs: list[Photograph], scores: Mapping[str, float], share: float) -> Targets:
    """Return targets of which a share is a teacher's score (Hinton et al., arXiv 1503.02531).

    Args:
        targets: (n,) of the photographs.
        photographs: in the same order.
        scores: of the teacher, by ``key_of``; a photograph without one keeps its target.
        share: of the teacher's score, 0 to 1.
    """
    theirs = [
        scores.get(key_of(photograph), target) for photograph, target in zip(photographs, targets.tolist(), strict=True)
    ]
    return (1 - share) * targets + share * np.array(theirs, dtype=np.float32)


def key_of(photograph: Photograph) -> str:
    """Return what names a photograph wherever its folder lies: source and file name."""
    return f"{photograph.source}/{photograph.path.name}"
