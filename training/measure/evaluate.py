"""Measures the very bundle that ships, through the service's own functions, on patients nothing was fitted on."""

from collections import Counter
from pathlib import Path
from typing import Any

from casebook.errors import BadInput
from inference.examine import Examiner
from training.measure.answers import Answer, answered, examiner_of, outcomes_of
from training.measure.bootstrap import INTERVAL, RECALLS, draws, measured
from training.measure.doubt import thresholds, trade_off
from training.photographs.sources import Photograph

ALL = "all"
_COLUMNS = ("quadratic_kappa", "accuracy", "referable_auc", "sensitivity", "specificity", "calibration_error")


def evaluate(folder: Path, photographs: list[Photograph], *, split: str = "valid", threads: int = 2) -> dict[str, Any]:
    """Grade every photograph of a split as the service would, and compare with the labels.

    Args:
        folder: of the bundle.
        photographs: all there are.
        split: ``valid``; ``train`` only to see how far the network has learnt by heart.
        threads: cores to compute on.

    Returns:
        What ``summary`` says.

    Raises:
        Misconfigured: the bundle cannot be used.
        BadInput: no photograph belongs to the split.
    """
    examiner = examiner_of(folder, threads=threads)
    return summary(examiner, answered(examiner, of_split(photographs, split)), split)


def of_split(photographs: list[Photograph], split: str) -> list[Photograph]:
    """Return the photographs of a split.

    Raises:
        BadInput: there are none.
    """
    chosen = [photograph for photograph in photographs if photograph.split == split]
    if not chosen:
        raise BadInput(f"No photograph belongs to the split {split}.", "Look at the column split of labels.csv.")
    return chosen


def summary(examiner: Examiner, answers: list[Answer], split: str) -> dict[str, Any]:
    """Say how good a bundle is, briefly enough for its card.

    Returns:
        Bundle, runner, split; for each source and over all how many photographs there were, how the gate judged them,
        and each measure with its interval; under ``doubt`` what sending doubtful gradings to a person costs and saves.
    """
    found = outcomes_of(answers)
    doubt = trade_off(found, thresholds(found), draws(found.patients, rounds=0))
    return {
        "bundle": f"{examiner.bundle.card.name} {examiner.bundle.card.version}",
        "runner": examiner.choice.runner.name,
        "split": split,
        "interval": INTERVAL,
        "sources": {
            source: {
                "photographs": len(theirs),
                "gradability": dict(sorted(Counter(answer.gradability.value for answer in theirs).items())),
                **measured(outcomes_of(theirs)),
            }
            for source, theirs in by_source(answers).items()
        },
        "doubt": [
            {name: value if name == "threshold" else value["value"] for name, value in point.items()} for point in doubt
        ],
    }


def by_source(answers: list[Answer]) -> dict[str, list[Answer]]:
    """Return the answers of each source, and at last all of them."""
    sources = sorted({answer.photograph.source for answer in answers})
    return {
        source: [answer for answer in answers if source in {answer.photograph.source, ALL}] for source in sources
    } | {ALL: answers}


def table(scores: dict[str, Any]) -> str:
    """Write what ``evaluate`` found for a person."""
    lines = [f"{scores['bundle']}, {scores['runner']}, split {scores['split']}; {scores['interval']}"]
    heads = [*(name.ljust(19) for name in _COLUMNS), "recall of grades 0-4"]
    lines.append("  ".join(["source".ljust(10), "graded".rjust(9), *heads]))
    for source, found in scores["sources"].items():
        graded = sum(found["gradability"].get(word, 0) for word in ("gradable", "limited"))
        cells = [source.ljust(10), f"{graded}/{found['photographs']}".rjust(9)]
        for name in _COLUMNS:
            value = found[name]
            shown = "-" if value["value"] is None else f"{value['value']:.3f}"
            if value["low"] is not None:
                shown += f" ({value['low']:.2f}-{value['high']:.2f})"
            cells.append(shown.ljust(19))
        recalls = [found[name]["value"] for name in RECALLS]
        cells.append(" ".join("-" if value is None else f"{value:.2f}" for value in recalls))
        lines.append("  ".join(cells))
    return "\n".join(line.rstrip() for line in lines)
