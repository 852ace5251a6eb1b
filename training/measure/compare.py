"""Two bundles on the same photographs: which is better, by how much, and whether that could be luck."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.examine import Examiner
from training.measure import pages, thumbnails
from training.measure.answers import Answer, answered, examiner_of, outcomes_of
from training.measure.bootstrap import (
    INTERVAL,
    MEASURES,
    MOVED,
    Found,
    Outcomes,
    Row,
    Rows,
    draws,
    interval,
    intervals,
    measures,
)
from training.measure.evaluate import ALL, by_source, of_split
from training.measure.scores import GRADES
from training.photographs.sources import Photograph

LESS_IS_BETTER = frozenset({"ungradable", "calibration_error", "referable_calibration_error"})
_PHOTOGRAPHS = 12  # side by side


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two bundles with its answers.

    Attributes:
        name: how sentences call it.
        examiner: the bundle at work.
        answers: to the photographs of both, in one order.
    """

    name: str
    examiner: Examiner
    answers: list[Answer]


def compare(
    folders: tuple[Path, Path], photographs: list[Photograph], out: Path, *, split: str, with_photographs: bool
) -> dict[str, Any]:
    """Measure two bundles side by side and write ``comparison.json`` and ``comparison.html``.

    Args:
        folders: of the bundles, A and B.
        photographs: all there are.
        out: folder of the report; what it holds is replaced.
        split: which photographs to measure on.
        with_photographs: whether the page shows photographs.

    Returns:
        What was found; ``sentences`` for a person.

    Raises:
        Misconfigured: a bundle cannot be used, or the folder not be made.
        BadInput: no photograph belongs to the split.
    """
    chosen = of_split(photographs, split)
    pages.new_folder(out)
    examiners = [examiner_of(folder, threads=2) for folder in folders]
    sides = [
        Side(name, examiner, answered(examiner, chosen, name))
        for name, examiner in zip(_names(examiners), examiners, strict=True)
    ]
    first, second = sides
    farthest = _farthest(first.answers, second.answers)
    found = {
        "split": split,
        "photographs": len(chosen),
        "interval": f"{INTERVAL}, the same patients drawn for both",
        "bundles": [
            {
                "name": side.name,
                "sha256": side.examiner.bundle.sha256,
                "runner": side.examiner.choice.runner.name,
                "licence": side.examiner.bundle.card.licence,
            }
            for side in sides
        ],
        **compared(first, second),
        "farthest": [
            {
                "photograph": one.photograph.path.name,
                "source": one.photograph.source,
                "truth": one.photograph.grade,
                "grades": [one.grade, other.grade],
                "scores": [one.score, other.score],
            }
            for one, other in farthest
        ],
    }
    pictures = [
        [
            thumbnails.photograph(one.photograph.path),
            *(thumbnails.overlay(side.examiner, one.photograph.path) for side in sides),
        ]
        if with_photographs
        else []
        for one, _ in farthest
    ]
    pages.write(out, "comparison", found, pictures=pictures, better=better)
    return found


def compared(first: Side, second: Side) -> dict[str, Any]:
    """Return for each source every measure of both and their difference, grade by grade, and sentences.

    A measure but the ungradable share is taken over the photographs that both graded.
    """
    sources: dict[str, Any] = {}
    sentences = []
    others = by_source(second.answers)
    parts = by_source(first.answers)
    if len(parts) == 2:  # one source is all there is
        del parts[ALL]
    for source, theirs in parts.items():
        pair = outcomes_of(theirs), outcomes_of(others[source])
        rows = paired(*pair)
        sources[source] = {"photographs": len(theirs), "measures": rows, **_grade_by_grade(*pair)}
        where = pages.NAMES.get(source, source) if source != ALL else "all sources together"
        sentences += [
            sentence(pages.TITLES[name], where, rows[name]["difference"], (first.name, second.name), name)
            for name in ("quadratic_kappa", "referable_auc", "sensitivity", "specificity")
            if rows[name]["difference"]["value"] is not None
        ]
    return {"sources": sources, "sentences": sentences}


def paired(first: Outcomes, second: Outcomes, *, seed: int = 0) -> dict[str, dict[str, Found]]:
    """Return for each measure ``first``, ``second`` and ``difference`` (second less first) with intervals.

    Both see the same draws of patients, so that what is hard for both does not blur the difference.
    """
    weights = draws(first.patients, seed=seed)
    both = first.graded & second.graded
    one, other = (
        {**measures(side.part(both), weights[:, both]), **_refused(side, weights)} for side in (first, second)
    )
    # Whether a share is none or all is asked of the photographs it is taken over, which for this one are all.
    told = [
        intervals(side.part(both), values) | {"ungradable": intervals(side, values)["ungradable"]}
        for side, values in ((first, one), (second, other))
    ]
    return {
        name: {
            "first": told[0][name],
            "second": told[1][name],
            "difference": interval(other[name] - one[name], moved=name in MOVED),
        }
        for name in MEASURES
    }


def _refused(side: Outcomes, weights: Rows) -> dict[str, Row]:
    return {"ungradable": measures(side, weights)["ungradable"]}


def better(difference: Found, name: str) -> int | None:
    """Return 0 where the first bundle is better by more than the interval, 1 where the second is, else None."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high:
        return None
    return int((low > 0) != (name in LESS_IS_BETTER))


def sentence(measure: str, where: str, difference: Found, names: tuple[str, str], name: str) -> str:
    """Say in one sentence which bundle is better in one measure, or that it cannot be told."""
    value, low, high = (difference[part] for part in ("value", "low", "high"))
    winner = better(difference, name)
    if value is None:
        return f"{measure} is not defined on {where}."
    if low is None or high is None or winner is None:
        reach = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        return f"They cannot be told apart in {_inside(measure)} on {where}: {names[1]} differs by {value:+.3f}{reach}."
    smallest, largest = sorted((abs(low), abs(high)))
    reach = f"{abs(value):.3f} ({smallest:.3f} to {largest:.3f})"
    return f"{names[winner]} is better by {reach} in {_inside(measure)} on {where}."


def _inside(measure: str) -> str:
    """Write a title as it stands inside a sentence."""
    return measure if measure.startswith("AUC") else measure[0].lower() + measure[1:]


def _names(examiners: list[Examiner]) -> list[str]:
    """Return names and versions, told apart by the beginning of the hash where they are the same."""
    cards = [examiner.bundle.card for examiner in examiners]
    names = [f"{card.name} {card.version}" for card in cards]
    if names[0] != names[1]:
        return names
    marks = [f"{name} ({examiner.bundle.sha256[:8]})" for name, examiner in zip(names, examiners, strict=True)]
    return marks if marks[0] != marks[1] else [f"{mark}, {letter}" for mark, letter in zip(marks, "AB", strict=True)]


def _grade_by_grade(first: Outcomes, second: Outcomes) -> dict[str, Any]:
    """Say of each true grade how often both, one or none gave it, and count the grades of one by those of the other."""
    both = first.graded & second.graded
    truth, one, other = first.truth[both], first.shown[both], second.shown[both]
    table = np.bincount(one * GRADES + other, minlength=GRADES**2).reshape(GRADES, GRADES)
    rows = []
    for grade in range(GRADES):
        theirs = truth == grade
        hit, struck = one[theirs] == grade, other[theirs] == grade
        rows.append(
            {
                "photographs": int(theirs.sum()),
                "both": int((hit & struck).sum()),
                "first": int((hit & ~struck).sum()),
                "second": int((~hit & struck).sum()),
                "none": int((~hit & ~struck).sum()),
            }
        )
    return {
        "graded_by_both": int(both.sum()),
        "graded_by_first_only": int((first.graded & ~second.graded).sum()),
        "graded_by_second_only": int((~first.graded & second.graded).sum()),
        "by_grade": rows,
        "table": table.tolist(),
    }


def _farthest(first: list[Answer], second: list[Answer]) -> list[tuple[Answer, Answer]]:
    """Return the photographs whose scores differ most, without those that both score the same."""
    pairs = [
        (one, other)
        for one, other in zip(first, second, strict=True)
        if one.score is not None and other.score is not None and one.score != other.score
    ]
    return sorted(pairs, key=lambda pair: -abs((pair[0].score or 0.0) - (pair[1].score or 0.0)))[:_PHOTOGRAPHS]
