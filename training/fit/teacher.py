"""The teacher of a distillation: scores that every photograph got from networks which had not seen it."""

import csv
from collections import Counter, defaultdict
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from casebook.errors import BadInput, Misconfigured
from inference.network.catalogue import build
from training.fit import checkpoint
from training.fit.predict import scores_of
from training.fit.provenance import digest, split_of
from training.fit.targets import key_of
from training.photographs.dataset import Crops
from training.photographs.photograph import Photograph
from training.photographs.split import deal

_COLUMNS = ("path", "source", "score")


def teach(runs: list[Path], photographs: list[Photograph], *, say: bool = True) -> dict[str, float]:
    """Score every photograph of the split ``train`` with the runs that held it out.

    Several runs that held out the same photograph (other seeds, other recipes) count alike, and so do a photograph and
    its mirror image.

    Args:
        runs: folders of finished runs; together they hold out every fold of each recipe.
        photographs: all there are.
        say: tell which run is being asked.

    Returns:
        Mean score by ``key_of``; photographs that show no retina or cannot be read have none.

    Raises:
        BadInput: a run cannot be read, or was fitted to other photographs.
        Misconfigured: a run is not finished, or some photographs were held out by none.
    """
    names = Counter(key_of(photograph) for photograph in photographs)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise BadInput(
            f"Two photographs are called {twice[0]}.", "Scores are kept by source and file name: rename one."
        )
    found: dict[str, list[float]] = defaultdict(list)
    blank: set[str] = set()
    for run in runs:
        path = run / checkpoint.NAME if run.is_dir() else run
        weights, recipe, progress = checkpoint.load_average(path)
        if progress.planned < recipe.epochs:
            raise Misconfigured(f"{run} has not come to its end.", "Resume it first.")
        network = build(recipe.architecture)
        network.load_state_dict(weights)
        network.to(memory_format=torch.channels_last)
        torch.set_num_threads(recipe.fit.threads)
        fitted, held = deal(photographs, folds=recipe.fit.folds, fold=progress.fold, seed=recipe.seed)
        if progress.data not in {"", digest(split_of(fitted, held))}:
            raise BadInput(f"{run} was fitted to other photographs.", "Give the data folders it was fitted on.")
        crops = Crops(held, recipe.preprocessing, fitting=False)
        if say:
            print(f"{run}: {len(crops)} photographs it has not seen", flush=True)
        scores = (scores_of(network, crops) + scores_of(network, crops, mirrored=True)) / 2
        for photograph, score in zip(crops.photographs, scores.tolist(), strict=True):
            found[key_of(photograph)].append(score)
        blank |= {key_of(out.photograph) for out in crops.left_out}
    unseen = [
        key_of(photograph)
        for photograph in photographs
        if photograph.split == "train" and key_of(photograph) not in blank | found.keys()
    ]
    if unseen:
        raise Misconfigured(
            f"{unseen[0]} and {len(unseen) - 1} more were held out by none of the runs.",
            "Give finished runs of all folds.",
        )
    return {key: float(np.mean(scores)) for key, scores in found.items()}


def write_scores(scores: dict[str, float], photographs: list[Photograph], folders: list[Path], out: Path) -> None:
    """Write a teacher's scores as CSV: path from the name of its data folder on, source, score."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for photograph in photographs:
            score = scores.get(key_of(photograph))
            if score is not None:
                writer.writerow((_inside(photograph.path, folders), photograph.source, f"{score:.3f}"))


def read_scores(name: str) -> dict[str, float]:
    """Read a teacher's scores, by ``key_of``.

    Args:
        name: of the file: a path, or a file beside the recipes of this package.

    Raises:
        BadInput: the file cannot be read, or is no such CSV.
    """
    path = Path(name)
    inside = resources.files("training") / "recipes" / name
    try:
        with path.open(newline="", encoding="utf-8") if path.exists() else inside.open(encoding="utf-8") as file:
            return {f"{row['source']}/{Path(row['path']).name}": float(row["score"]) for row in csv.DictReader(file)}
    except OSError as error:
        raise BadInput(f"The teacher's scores {name} cannot be read.", "Make them with: training teach.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The teacher's scores {name} are wrong: {error}.", "Columns: path, source, score.") from error


def _inside(path: Path, folders: list[Path]) -> str:
    for folder in folders:
        if path.is_relative_to(folder):
            return (Path(folder.resolve().name) / path.relative_to(folder)).as_posix()
    return path.name
