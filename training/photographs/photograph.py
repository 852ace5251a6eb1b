"""What training knows of one labelled photograph."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photograph:
    """One labelled photograph.

    Attributes:
        path: of the file.
        source: data set it comes from.
        patient: what must never be on both sides of a split; nothing only while that is being found out.
        laterality: R, L, or nothing where it is not known.
        grade: 0-4, ICDR scale.
        split: ``train`` or ``valid``; nothing only until ``valid`` is drawn. Nothing is ever fitted on ``valid``.
    """

    path: Path
    source: str
    patient: str
    laterality: str
    grade: int
    split: str
