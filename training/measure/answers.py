"""What the service answers to each labelled photograph, computed once and measured in many ways."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from casebook.words import REFERABLE_FROM, Gradability, Reason
from inference.bundle import load_bundle
from inference.examine import Examiner
from inference.grading import at_least
from inference.runners.choice import choose
from training.measure.bootstrap import Outcomes
from training.photographs.sources import Photograph

COLUMNS = ("path", "source", "patient", "truth", "gradability", "reason", "grade", "score", "confidence", "referable")


@dataclass(frozen=True, slots=True)
class Answer:
    """One photograph's answer; the last four are None where it was not graded.

    Attributes:
        photograph: with the graders' grade.
        gradability: the gate's word.
        reason: why not simply gradable.
        grade: 0-4.
        score: 0-4.
        confidence: probability that this grade is the true one.
        chance: probability that the true grade is referable, by the card's calibration.
    """

    photograph: Photograph
    gradability: Gradability
    reason: Reason | None = None
    grade: int | None = None
    score: float | None = None
    confidence: float | None = None
    chance: float | None = None


def examiner_of(folder: Path, *, threads: int) -> Examiner:
    """Load a bundle as the service does.

    Raises:
        Misconfigured: it cannot be used.
    """
    bundle = load_bundle(folder)
    return Examiner(bundle, choose(bundle, device="cpu", threads=threads))


def answered(examiner: Examiner, photographs: Iterable[Photograph], what: str = "graded") -> list[Answer]:
    """Give every photograph to the service's own functions.

    Args:
        examiner: the bundle at work.
        photographs: any file the service reads.
        what: stands before the progress bar.
    """
    return [_answer(examiner, photograph) for photograph in tqdm(list(photographs), desc=what, disable=None)]


def outcomes_of(answers: list[Answer]) -> Outcomes:
    """Return the answers as arrays, in the same order."""
    return Outcomes(
        patients=np.array([answer.photograph.patient for answer in answers], dtype=np.str_),
        truth=np.array([answer.photograph.grade for answer in answers], dtype=np.int64),
        graded=np.array([answer.grade is not None for answer in answers], dtype=np.bool_),
        shown=np.array([answer.grade or 0 for answer in answers], dtype=np.int64),
        scores=np.array([answer.score or 0.0 for answer in answers], dtype=np.float64),
        confidence=np.array([answer.confidence or 0.0 for answer in answers], dtype=np.float64),
        chance=np.array([answer.chance or 0.0 for answer in answers], dtype=np.float64),
    )


def write_answers(answers: list[Answer], file: Path) -> None:
    """Write one line a photograph, so that other programs can look further."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for answer in answers:
            photograph = answer.photograph
            writer.writerow(
                [
                    photograph.path,
                    photograph.source,
                    photograph.patient,
                    photograph.grade,
                    answer.gradability,
                    answer.reason or "",
                    "" if answer.grade is None else answer.grade,
                    *(
                        "" if value is None else f"{value:.4f}"
                        for value in (answer.score, answer.confidence, answer.chance)
                    ),
                ]
            )


def _answer(examiner: Examiner, photograph: Photograph) -> Answer:
    examination = examiner.examine(photograph.path, None)
    worst = examination.worst
    if worst is None or worst.score is None:
        return Answer(photograph, examination.gradability, examination.reason)
    return Answer(
        photograph,
        examination.gradability,
        examination.reason,
        worst.grade,
        worst.score,
        worst.confidence,
        at_least(REFERABLE_FROM, worst.score, examiner.choice.card.calibration),
    )
