"""The labelled photographs of all folders, no patient of whom is on two sides, and under which terms they may be used.

What lies in a folder is told by ``training.photographs.layouts``; here stands what is true of all folders together.
"""

from collections import Counter, defaultdict
from pathlib import Path

from casebook.errors import BadInput
from training.photographs.duplicates import apart
from training.photographs.layouts import read
from training.photographs.left_out import LeftOut, tell
from training.photographs.photograph import Photograph
from training.photographs.split import with_valid

__all__ = ["TERMS", "Photograph", "read_labels", "read_sources"]

TERMS = {
    "aptos2019": (
        "APTOS 2019 Blindness Detection (Aravind Eye Hospital, Kaggle)",
        "Kaggle competition rules: competition use, non-commercial and academic research",
    ),
    "idrid": (
        "IDRiD (Porwal et al., Data 2018, 3(3), 25)",
        "CC BY 4.0",
    ),
    "eyepacs": (
        "EyePACS, Kaggle Diabetic Retinopathy Detection 2015",
        "Kaggle competition terms: treated as research only",
    ),
}


def read_labels(*folders: Path) -> list[Photograph]:
    """Read the labelled photographs of data folders; what is left out is logged.

    Raises:
        BadInput: as ``read_sources``.
    """
    photographs, left_out = read_sources(*folders)
    tell(left_out)
    return photographs


def read_sources(*folders: Path) -> tuple[list[Photograph], list[LeftOut]]:
    """Read the labelled photographs of data folders, in the order of their tables.

    Returns:
        Photographs with a patient and a split each, and the copies that are left out.

    Raises:
        BadInput: a folder cannot be read, a photograph is listed twice, or a patient stands on both sides.
    """
    photographs = [photograph for folder in folders for photograph in read(folder)]
    _check_once(photographs)
    _check_sides(photographs)
    kept, left_out = apart(photographs)
    return with_valid(kept), left_out


def _check_once(photographs: list[Photograph]) -> None:
    counts = Counter(photograph.path.resolve() for photograph in photographs)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise BadInput(f"The labels list {twice[0]} twice.", "Take one of the lines out, and give a folder once.")


def _check_sides(photographs: list[Photograph]) -> None:
    sides: dict[str, set[str]] = defaultdict(set)
    for photograph in photographs:
        if photograph.patient and photograph.split:
            sides[photograph.patient].add(photograph.split)
    both = [patient for patient, splits in sides.items() if len(splits) > 1]
    if both:
        raise BadInput(f"The labels put the patient {both[0]} into both splits.", "Keep a patient in one.")
