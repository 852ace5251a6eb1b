"""The labelled photographs: reads ``labels.csv`` and knows under which terms each source may be used."""

import csv
from dataclasses import dataclass
from pathlib import Path

from casebook.errors import BadInput

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


@dataclass(frozen=True, slots=True)
class Photograph:
    """One labelled photograph.

    Attributes:
        path: of the file.
        source: data set it comes from.
        patient: what must never be on both sides of a split.
        laterality: R, L, or nothing where it is not known.
        grade: 0-4, ICDR scale.
        split: ``train`` or ``valid``; nothing is ever fitted on ``valid``.
    """

    path: Path
    source: str
    patient: str
    laterality: str
    grade: int
    split: str


def read_labels(*folders: Path) -> list[Photograph]:
    """Read the labels of data folders, in the order of their files.

    Raises:
        BadInput: there is no ``labels.csv``, or a line of it is wrong.
    """
    return [photograph for folder in folders for photograph in _labelled(folder)]


def _labelled(folder: Path) -> list[Photograph]:
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            photographs = [
                Photograph(
                    path=folder / line["path"],
                    source=line["source"],
                    patient=line["patient"],
                    laterality=line.get("laterality", ""),
                    grade=int(line["grade"]),
                    split=line["split"],
                )
                for line in csv.DictReader(file)
            ]
    except OSError as error:
        raise BadInput(f"There is no labels.csv in {folder}.", "Give the folder that holds it.") from error
    except (KeyError, ValueError) as error:
        raise BadInput(f"labels.csv is wrong: {error}.", "It needs path, source, patient, grade and split.") from error
    for photograph in photographs:
        if photograph.grade not in range(5) or photograph.split not in {"train", "valid"}:
            raise BadInput(f"labels.csv is wrong at {photograph.path}.", "Grades are 0-4, splits train or valid.")
    return photographs
