"""Keeps patients apart: which photographs are fitted, and which only set thresholds and calibration."""

import random
from collections import defaultdict

from training.sources import Photograph


def hold_out(photographs: list[Photograph], share: float, seed: int) -> tuple[list[Photograph], list[Photograph]]:
    """Split photographs by patient, stratified by source and the patient's worst grade.

    Args:
        photographs: in any order; only those of the split ``train`` are used.
        share: of the patients of every stratum that go to the second part.
        seed: the same seed always draws the same patients.

    Returns:
        The photographs to fit on, and those for thresholds, calibration and choice of the model.
    """
    of_patient: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        if photograph.split == "train":
            of_patient[photograph.patient].append(photograph)
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for patient, theirs in sorted(of_patient.items()):
        strata[theirs[0].source, max(photograph.grade for photograph in theirs)].append(patient)
    held: set[str] = set()
    for (source, grade), patients in sorted(strata.items()):
        random.Random(f"{seed}/{source}/{grade}").shuffle(patients)  # noqa: S311 (a draw, not a secret)
        held.update(patients[: round(share * len(patients))])
    fit = [photograph for photograph in photographs if photograph.split == "train" and photograph.patient not in held]
    calibration = [
        photograph for photograph in photographs if photograph.split == "train" and photograph.patient in held
    ]
    return fit, calibration
