"""Writes what a bundle says about itself: the card, and the notice that its start weights ask for."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from casebook.words import RESEARCH_USE
from inference.bundle import CARD
from inference.preprocess import Preprocessing
from training.bundle.quantise import Attempt
from training.fit.checkpoint import Progress
from training.photographs.sources import TERMS, Photograph
from training.recipe import Recipe

INTENDED_USE = (
    f"{RESEARCH_USE} Grades colour fundus photographs of adults for diabetic retinopathy on the ICDR scale. "
    "Not validated on any population, camera or clinic outside its training sources; sees no other disease."
)
NOTICE = "NOTICE"
# Whose start weights they are, by the beginning of the architecture's name.
_STARTS = {
    "efficientnet_lite": "EfficientNet-Lite (Google, tensorflow/tpu, Apache License 2.0)",
    "efficientnet_": "EfficientNet as torchvision publishes it (BSD 3-Clause)",
    "resnext": "ResNeXt as torchvision publishes it (BSD 3-Clause)",
}


def preprocessing_in_card(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the section ``preprocessing``."""
    return asdict(preprocessing) | {"mean": list(preprocessing.mean), "scale": list(preprocessing.scale)}


def training_in_card(
    recipe: Recipe, progress: Progress, fitted: list[Photograph], calibrated: list[Photograph]
) -> dict[str, Any]:
    """Say what the bundle was made of.

    Args:
        recipe: it was fitted by.
        progress: how far the fit came.
        fitted: the photographs the network was fitted on.
        calibrated: those that set thresholds, calibration and doubt, none by a network fitted on it.
    """
    counts = Counter(photograph.source for photograph in fitted)
    held = Counter(photograph.source for photograph in calibrated)
    return {
        "recipe": recipe.text,
        "epochs": progress.epochs,
        "steps": progress.steps,
        "weights": progress.weights,
        "data": [
            {
                "source": TERMS.get(source, (source, ""))[0],
                "fitted": counts[source],
                "calibrated": held[source],
                "terms": TERMS.get(source, ("", "not known to this program"))[1],
            }
            for source in sorted(counts | held)
        ],
    }


def quantisation_in_card(tried: tuple[Attempt, ...], samples: int) -> dict[str, Any]:
    """Say what was tried to compute in whole numbers, and whether it was accepted."""
    return {
        "samples": samples,
        "accepted": bool(tried) and tried[-1].accepted,
        "tried": [
            {name: round(value, 4) for name, value in asdict(attempt).items()} | {"accepted": attempt.accepted}
            for attempt in tried
        ],
    }


def licence(architecture: str, weights: str) -> str:
    """Say under which terms the weights stand."""
    data = "The weights were trained on photographs under research-only terms (see training.data): research use only."
    return f"{data} The start weights are {start}." if (start := _start(architecture, weights)) else data


def write_notice(folder: Path, architecture: str, weights: str) -> None:
    """Name whose start weights the network began with, where it began with any."""
    start = _start(architecture, weights)
    if start:
        text = f"The network in this folder was initialised with ImageNet weights ({weights}) of\n{start}.\n"
        (folder / NOTICE).write_text(text, encoding="utf-8")


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write the card with the list of the folder's files."""
    files = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CARD
    }
    text = json.dumps({**card, "files": files}, indent=1, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def _start(architecture: str, weights: str) -> str:
    if not weights:
        return ""
    return next((whose for name, whose in _STARTS.items() if architecture.startswith(name)), "")
