"""Checkpoints without pickle: one safetensors file whose header holds the run's state as JSON, replaced atomically."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from casebook.errors import BadInput, Unavailable
from inference.network.catalogue import load_imagenet
from inference.network.head import Grader
from training.recipe import Recipe, Stage, parse_recipe

NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        epochs: finished epochs.
        steps: finished optimizer steps.
        recipe: the recipe's text; a resumed run must have the same.
        weights: name of the start weights' file, or nothing.
        fold: which part of the patients is held out.
        skipped: planned epochs that were left out because a stage ended early.
        best: least loss on the held-out part in this stage, or None.
        waited: epochs since then.
        data: digest of the split; nothing in checkpoints of older versions.
        teacher: digest of the teacher's scores, or nothing.
    """

    epochs: int
    steps: int
    recipe: str
    weights: str
    fold: int
    skipped: int = 0
    best: float | None = None
    waited: int = 0
    data: str = ""
    teacher: str = ""

    @property
    def planned(self) -> int:
        """Where in the recipe's plan the run stands: its next epoch, from 0."""
        return self.epochs + self.skipped

    def after(self, stage: Stage, number: int, steps: int, held_loss: float, patience: int) -> "Progress":
        """Return the progress one epoch later; a stage that has waited long enough for a better loss ends here.

        Args:
            stage: the epoch belonged to.
            number: of the epoch in its stage.
            steps: it took.
            held_loss: mean loss on the held-out part after it.
            patience: of the recipe; 0 never ends a stage.
        """
        best = None if number == 0 else self.best
        better = best is None or held_loss < best
        waited = 0 if better else self.waited + 1
        left = stage.epochs - number - 1
        return replace(
            self,
            epochs=self.epochs + 1,
            steps=self.steps + steps,
            skipped=self.skipped + (left if patience and waited >= patience else 0),
            best=held_loss if better else best,
            waited=waited,
        )


def average_of(network: Grader) -> dict[str, torch.Tensor]:
    """Return a copy of a network's weights and statistics, to be averaged over the steps."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def save(
    path: Path,
    target: nn.Module,
    average: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer | None,
    progress: Progress,
) -> None:
    """Write a checkpoint beside the old one, then put it in its place.

    Args:
        path: of the checkpoint.
        target: the network with its loss.
        average: of the network's weights.
        optimizer: of the stage that was fitted last.
        progress: how far the run has come.

    Raises:
        Unavailable: the disk does not take it; the old one is still there.
    """
    tensors = {f"target.{key}": value for key, value in target.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in average.items()}
    for number, moments in (optimizer.state_dict()["state"] if optimizer else {}).items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in moments.items() if value is not None}
    part = path.with_suffix(".part")
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    try:
        save_file(contiguous, part, metadata={"progress": json.dumps(asdict(progress))})
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, SafetensorError) as error:
        raise Unavailable(f"{path} could not be written.", "Make room on the disk, then resume.") from error
    finally:
        part.unlink(missing_ok=True)


def _open(path: Path) -> tuple[dict[str, torch.Tensor], Progress]:
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            return {key: file.get_tensor(key) for key in file.keys()}, progress  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} is no checkpoint of ours.", "Give the checkpoint.safetensors of a run.") from error


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def restore(path: Path, target: nn.Module) -> tuple[dict[str, torch.Tensor], Progress]:
    """Fill a network with its loss from a checkpoint.

    Returns:
        The averaged weights and how far the run had come.

    Raises:
        BadInput: the file is no checkpoint of ours.
    """
    tensors, progress = _open(path)
    target.load_state_dict(_part(tensors, "target."))
    device = next(target.parameters()).device
    return {key: value.to(device) for key, value in _part(tensors, "average.").items()}, progress


def restore_optimizer(path: Path, optimizer: torch.optim.Optimizer) -> None:
    """Fill the optimizer of a stage that was broken off.

    Raises:
        BadInput: the file is no checkpoint of ours.
    """
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _part(_open(path)[0], "optimizer.").items():
        number, name = key.split(".", 1)
        moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


def start_from(network: Grader, weights: Path) -> None:
    """Fill a network with ImageNet weights, or with those of a bundle or a checkpoint of ours.

    Raises:
        BadInput: the file fits none of them.
    """
    try:
        ours: dict[str, torch.Tensor] | None = load_average(weights)[0]
    except BadInput:
        ours = _of_bundle(weights)
    if ours is None:
        load_imagenet(network, weights)
        return
    try:
        network.load_state_dict(ours)
    except RuntimeError as error:
        raise BadInput(
            f"The weights in {weights.name} do not fit the network.", "Take those of its own kind."
        ) from error


def _of_bundle(path: Path) -> dict[str, torch.Tensor] | None:
    """Return a bundle's weights in float32, or None where the file holds none."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError):
        return None
    if "head.weight" not in tensors:
        return None
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def load_average(path: Path) -> tuple[dict[str, torch.Tensor], Recipe, Progress]:
    """Return the averaged weights of a checkpoint, its recipe and how far it came.

    Raises:
        BadInput: the file is no checkpoint of ours.
        Misconfigured: its recipe is of another version of this program.
    """
    tensors, progress = _open(path)
    return _part(tensors, "average."), parse_recipe(progress.recipe), progress
