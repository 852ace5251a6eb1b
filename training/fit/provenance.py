"""What a run's folder says about where the run came from: recipe, environment, and who was on which side."""

import csv
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from training.fit.ranks import Ranks
from training.fit.targets import key_of
from training.photographs.photograph import Photograph
from training.recipe import Recipe

RECIPE, ENVIRONMENT, SPLIT = "recipe.toml", "environment.json", "split.csv"


def write_provenance(folder: Path, recipe: Recipe, split: str, ranks: Ranks, epochs: int) -> None:
    """Write recipe and split, and add this call to the environments of the run.

    Args:
        folder: of the run.
        recipe: what is fitted.
        split: of ``split_of``.
        ranks: the processes that fit.
        epochs: that were finished when this call began.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_text(recipe.text, encoding="utf-8")
    (folder / SPLIT).write_text(split, encoding="utf-8")
    path = folder / ENVIRONMENT
    before = json.loads(path.read_text(encoding="utf-8")) if epochs and path.exists() else []
    calls = [*before, {"began_after_epoch": epochs, "seed": recipe.seed, **_environment(ranks)}]
    path.write_text(json.dumps(calls, indent=1) + "\n", encoding="utf-8")


def split_of(fitted: list[Photograph], held: list[Photograph]) -> str:
    """Return, as CSV, on which side each photograph is."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("photograph", "patient", "grade", "side"))
    for side, photographs in (("fitted", fitted), ("held out", held)):
        writer.writerows((key_of(one), one.patient, one.grade, side) for one in photographs)
    return text.getvalue()


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _environment(ranks: Ranks) -> dict[str, Any]:
    device = torch.cuda.get_device_name(ranks.device) if ranks.device.type == "cuda" else platform.machine()
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "device": f"{ranks.device.type}: {device}",
        "processes": ranks.count,
    }


def _commit() -> str | None:
    """Return the commit this program stands at, with ``+`` where files differ from it; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    here = Path(__file__).parents[1]
    answers = [
        subprocess.run([git, *question], cwd=here, capture_output=True, text=True, check=False)
        for question in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "."])
    ]
    if any(answer.returncode for answer in answers):
        return None
    return answers[0].stdout.strip() + ("+" if answers[1].stdout.strip() else "")
