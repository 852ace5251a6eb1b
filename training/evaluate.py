"""Measures the very bundle that ships, through the service's own functions, on patients nothing was fitted on."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from inference.bundle import load_bundle
from inference.examine import Examiner
from inference.runners.choice import choose
from training.scores import MEASURES, measured
from training.sources import Photograph

_ALL = "all"


def evaluate(folder: Path, photographs: list[Photograph], *, split: str = "valid", threads: int = 2) -> dict[str, Any]:
    """Grade every photograph of a split as the service would, and compare with the labels.

    Args:
        folder: of the bundle.
        photographs: all there are.
        split: ``valid``; ``train`` only to see how far the network has learnt by heart.
        threads: cores to compute on.

    Returns:
        Bundle, runner, split and for each source how many photographs there were, how the gate judged them, and each
        measure with its 95 % bootstrap interval by patient, over the photographs that were graded.

    Raises:
        Misconfigured: the bundle cannot be used.
    """
    bundle = load_bundle(folder)
    examiner = Examiner(bundle, choose(bundle, device="cpu", threads=threads))
    photographs = [photograph for photograph in photographs if photograph.split == split]
    answers = [examiner.examine(photograph.path, None) for photograph in tqdm(photographs, disable=None)]
    sources: dict[str, Any] = {}
    for source in [*sorted({photograph.source for photograph in photographs}), _ALL]:
        theirs = [
            (photograph, answer)
            for photograph, answer in zip(photographs, answers, strict=True)
            if source in {photograph.source, _ALL}
        ]
        graded = [
            (photograph, answer.frames[0]) for photograph, answer in theirs if answer.frames and answer.frames[0].graded
        ]
        sources[source] = {
            "photographs": len(theirs),
            "gradability": dict(sorted(Counter(answer.gradability.value for _, answer in theirs).items())),
            **measured(
                truth=np.array([photograph.grade for photograph, _ in graded], dtype=np.int64),
                scores=np.array([frame.score for _, frame in graded], dtype=np.float64),
                shown=np.array([frame.grade for _, frame in graded], dtype=np.int64),
                patients=[photograph.patient for photograph, _ in graded],
            ),
        }
    return {
        "bundle": f"{bundle.card.name} {bundle.card.version}",
        "runner": examiner.choice.runner.name,
        "split": split,
        "interval": "95 % bootstrap by patient",
        "sources": sources,
    }


def table(scores: dict[str, Any]) -> str:
    """Write what ``evaluate`` found for a person."""
    lines = [f"{scores['bundle']}, {scores['runner']}, split {scores['split']}; {scores['interval']}"]
    lines.append("  ".join(["source".ljust(10), "graded".rjust(9), *(name.ljust(19) for name in MEASURES)]))
    for source, found in scores["sources"].items():
        graded = sum(found["gradability"].get(word, 0) for word in ("gradable", "limited"))
        cells = [source.ljust(10), f"{graded}/{found['photographs']}".rjust(9)]
        for name in MEASURES:
            value = found[name]
            shown = "-" if value["value"] is None else f"{value['value']:.3f}"
            if value["low"] is not None:
                shown += f" ({value['low']:.2f}-{value['high']:.2f})"
            cells.append(shown.ljust(19))
        lines.append("  ".join(cells))
    return "\n".join(line.rstrip() for line in lines)
