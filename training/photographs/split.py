"""Keeps patients apart: what is only measured on, what is fitted, and what sets thresholds and calibration."""

import random
from collections import defaultdict
from dataclasses import replace

from training.photographs.photograph import Photograph

VALID_PERCENT = 15


def with_valid(photographs: list[Photograph], seed: int = 0) -> list[Photograph]:
    """Draw the split ``valid`` by patient where none is given, stratified by source and the patient's worst grade.

    The draw in one source depends on nothing in another, so that a further folder moves nobody. A patient who has a
    given split on one photograph has it on all.

    Args:
        photographs: in any order; a given split is kept.
        seed: the same seed always draws the same patients.

    Returns:
        The same photographs in the same order, each with a split.
    """
    split = {photograph.patient: photograph.split for photograph in photographs if photograph.split}
    undecided = [photograph for photograph in photographs if photograph.patient not in split]
    strata = _strata(undecided, seed)
    for source in sorted({source for source, _ in strata}):
        patients = [patient for stratum, theirs in strata.items() if stratum[0] == source for patient in theirs]
        for place, patient in enumerate(patients):
            # Every seventh or so of the row, so that each stratum in it gives its share.
            before, after = ((VALID_PERCENT * count + 50) // 100 for count in (place, place + 1))
            split[patient] = "valid" if after > before else "train"
    return [
        photograph if photograph.split else replace(photograph, split=split[photograph.patient])
        for photograph in photographs
    ]


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
    training = [photograph for photograph in photographs if photograph.split == "train"]
    part: dict[str, int] = {}
    for patients in _strata(training, seed).values():
        for patient in patients:
            part[patient] = len(part) % folds
    return (
        [photograph for photograph in training if part[photograph.patient] != fold],
        [photograph for photograph in training if part[photograph.patient] == fold],
    )


def _strata(photographs: list[Photograph], seed: int) -> dict[tuple[str, int], list[str]]:
    """Return the patients of every source and worst grade, shuffled; the strata are in order."""
    of_patient: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        of_patient[photograph.patient].append(photograph)
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for patient, theirs in sorted(of_patient.items()):
        strata[theirs[0].source, max(photograph.grade for photograph in theirs)].append(patient)
    for (source, grade), patients in strata.items():
        random.Random(f"{seed}/{source}/{grade}").shuffle(patients)  # noqa: S311 (a draw, not a secret)
    return dict(sorted(strata.items()))
