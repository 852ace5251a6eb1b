"""One photograph in two forms must be graded alike: small and hospital size, natural and squeezed to a square."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from casebook.errors import BadInput
from inference import reader
from inference.examine import Examiner
from inference.retina import Picture
from training.measure.answers import Answer, answered
from training.photographs.photograph import Photograph
from training.photographs.tables import lines_of

SQUARE = 224
_HOSPITAL = "highres"
_NATURAL = 1.02  # sides that differ by more are the camera's own proportion: nobody squeezed it to a square


@dataclass(frozen=True, slots=True)
class Pair:
    """Two forms of one photograph and what was answered to each."""

    plain: Answer
    other: Answer


def hospital_pairs(examiner: Examiner, answers: list[Answer], folders: list[Path]) -> list[Pair]:
    """Grade the originals in ``highres`` of the data folders beside the small forms that were graded already.

    An original's file is named as the small one, with or without the source before it.

    Raises:
        BadInput: their table is wrong or one of them is missing.
    """
    small = {answer.photograph.path.stem: answer for answer in answers}
    pairs = []
    for folder in folders:
        if (folder / _HOSPITAL / "labels.csv").exists():
            originals = _originals(folder, small)
            graded = answered(examiner, [original for original, _ in originals], "hospital size")
            pairs += [Pair(plain, other) for (_, plain), other in zip(originals, graded, strict=True)]
    return pairs


def squeezed_pairs(examiner: Examiner, answers: list[Answer]) -> list[Pair]:
    """Squeeze every photograph of natural proportion to a square and grade it again."""
    pairs: list[tuple[Answer, Photograph]] = []
    with tempfile.TemporaryDirectory() as folder:
        for answer, picture in _natural(answers):
            path = Path(folder) / f"{len(pairs)}.png"
            square = cv2.resize(picture, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(path), cv2.cvtColor(square, cv2.COLOR_RGB2BGR))
            pairs.append((answer, replace(answer.photograph, path=path)))
        graded = answered(examiner, [photograph for _, photograph in pairs], "squeezed")
    return [Pair(plain, other) for (plain, _), other in zip(pairs, graded, strict=True)]


def alike(pairs: list[Pair]) -> dict[str, Any]:
    """Say how far the answers to two forms differ.

    Returns:
        Of how many ``photographs`` the gate's answers differ (``gate_differs``); of how many ``graded`` in both forms
        the grades differ (``grades_differ``, ``by_two_or_more``); the ``mean``, ``largest`` and signed mean
        (``shift``, other form less plain) difference of the score, None where nothing was graded twice.
    """
    both = [
        (pair.plain.score, pair.other.score, abs(pair.plain.grade - pair.other.grade))
        for pair in pairs
        if pair.plain.score is not None
        and pair.other.score is not None
        and pair.plain.grade is not None
        and pair.other.grade is not None
    ]
    rows = np.array(both, dtype=np.float64).reshape(-1, 3)
    change = rows[:, 1] - rows[:, 0]
    return {
        "photographs": len(pairs),
        "gate_differs": sum(pair.plain.gradability is not pair.other.gradability for pair in pairs),
        "graded": len(both),
        "grades_differ": int((rows[:, 2] >= 1).sum()),
        "by_two_or_more": int((rows[:, 2] >= 2).sum()),
        "mean": round(float(np.abs(change).mean()), 4) if both else None,
        "largest": round(float(np.abs(change).max()), 4) if both else None,
        "shift": round(float(change.mean()), 4) if both else None,
    }


def _originals(folder: Path, small: dict[str, Answer]) -> list[tuple[Photograph, Answer]]:
    table = folder / _HOSPITAL / "labels.csv"
    found = []
    for line in lines_of(table):
        path = table.parent / PurePosixPath(line.text("path")).name
        if not path.is_file():
            raise BadInput(f"The photograph {path.name} of {table} is missing.", "Fetch it, or take its line out.")
        plain = next(
            (answer for stem, answer in small.items() if path.stem in (stem, f"{answer.photograph.source}_{stem}")),
            None,
        )
        if plain is not None:
            found.append((replace(plain.photograph, path=path), plain))
    return found


def _natural(answers: list[Answer]) -> Iterator[tuple[Answer, Picture]]:
    for answer in answers:
        try:
            frame = next(reader.frames(answer.photograph.path))
        except (reader.Rejected, StopIteration):
            continue
        if max(frame.width, frame.height) > _NATURAL * min(frame.width, frame.height):
            yield answer, frame.picture
