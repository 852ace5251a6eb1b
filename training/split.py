"""Keeps patients apart: which photographs are fitted, and which only set thresholds and calibration."""

import random
from collections import defaultdict

from training.sources import Photograph


def deal(
    photographs: list[Photograph], *, folds: int, fold: int, seed: int
) -> tuple[list[Photograph], list[Photograph]]:
    """Split the photographs of the split ``train`` by patient, stratified by source and the patient's worst grade.

    Args:
        photographs: in any order; those of the split ``valid`` are used for nothing.
        folds: how many parts of equal size the patients are dealt into.
        fold: which of them is held out, from 0.
        seed: the same seed always deals the same patients.

    Returns:
        The photographs to fit on, and those of the held-out part.
    """
    of_patient: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        if photograph.split == "train":
            of_patient[photograph.patient].append(photograph)
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for patient, theirs in sorted(of_patient.items()):
        strata[theirs[0].source, max(photograph.grade for photograph in theirs)].append(patient)
    part: dict[str, int] = {}
    for (source, grade), patients in sorted(strata.items()):
        random.Random(f"{seed}/{source}/{grade}").shuffle(patients)  # noqa: S311 (a draw, not a secret)
        for patient in patients:
            part[patient] = len(part) % folds
    training = [photograph for photograph in photographs if photograph.split == "train"]
    return (
        [photograph for photograph in training if part[photograph.patient] != fold],
        [photograph for photograph in training if part[photograph.patient] == fold],
    )
