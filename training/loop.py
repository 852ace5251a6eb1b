"""The fit: one cycle of AdamW on the grade as a number, with an average of the weights that is what counts."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from casebook.errors import BadInput, Misconfigured
from inference.network.catalogue import build, load_imagenet
from inference.network.head import Grader
from training import checkpoint
from training.dataset import Crops, draw
from training.recipe import Fit, Recipe
from training.scores import auc, fit_thresholds, grades_of, quadratic_kappa
from training.sources import read_labels
from training.split import hold_out


@dataclass(frozen=True, slots=True)
class Run:
    """What one call of the fit is asked to do.

    Attributes:
        data: folder with ``labels.csv``.
        out: folder of the run.
        weights: safetensors to start from: ImageNet weights, or a checkpoint of ours.
        resume: go on where the folder's checkpoint stands.
        stop_after: seconds after which no further epoch is begun, or None.
    """

    data: Path
    out: Path
    weights: Path | None = None
    resume: bool = False
    stop_after: float | None = None


def fit(recipe: Recipe, run: Run) -> Path:
    """Fit a network by a recipe and return its checkpoint.

    Raises:
        Misconfigured: the run's folder is in use, or holds a run by another recipe.
        BadInput: data or weights cannot be used.
    """
    torch.set_num_threads(recipe.fit.threads)
    cv2.setNumThreads(recipe.fit.threads)
    path = run.out / checkpoint.NAME
    network = build(recipe.architecture, dropout=recipe.fit.dropout)
    optimizer = _optimizer(network, recipe.fit)
    if path.exists() and not run.resume:
        raise Misconfigured(f"{run.out} holds a run already.", "Give --resume or another folder.")
    if run.resume:
        average, progress = checkpoint.restore(path, network, optimizer)
        if progress.recipe != recipe.text:
            raise Misconfigured("The recipe has changed since the run began.", "Begin a new one.")
    else:
        torch.manual_seed(recipe.seed)
        network = build(recipe.architecture, dropout=recipe.fit.dropout)
        if run.weights is not None:
            start_from(network, run.weights)
        optimizer = _optimizer(network, recipe.fit)
        average = checkpoint.average_of(network)
        weights = "" if run.weights is None else run.weights.name
        progress = checkpoint.Progress(epochs=0, steps=0, recipe=recipe.text, weights=weights)
    run.out.mkdir(parents=True, exist_ok=True)
    fitted, held = hold_out(read_labels(run.data), recipe.fit.calibration_share, recipe.seed)
    fitting = Crops(run.data, fitted, recipe.preprocessing, fitting=True)
    calibration = Crops(run.data, held, recipe.preprocessing, fitting=False)
    print(f"{len(fitting)} photographs to fit on, {len(calibration)} to calibrate on, ", end="", flush=True)
    print(f"{len(fitting.left_out) + len(calibration.left_out)} without a retina")
    network.to(memory_format=torch.channels_last)
    began = time.monotonic()
    for epoch in range(progress.epochs, recipe.fit.epochs):
        epoch_began = time.monotonic()
        loss, steps = _epoch(network, average, optimizer, fitting, recipe, epoch, progress.steps)
        progress = checkpoint.Progress(epoch + 1, steps, progress.recipe, progress.weights)
        checkpoint.save(path, network, average, optimizer, progress)
        told = {"epoch": epoch + 1, "loss": round(loss, 4), "seconds": round(time.monotonic() - epoch_began)}
        told |= _how_it_does(recipe, average, calibration)
        with (run.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(told) + "\n")
        print(json.dumps(told), flush=True)
        now = time.monotonic()
        if run.stop_after is not None and now - began + (now - epoch_began) > run.stop_after:
            break
    return path


def start_from(network: Grader, weights: Path) -> None:
    """Fill a network with ImageNet weights, or with the averaged weights of a checkpoint of ours.

    Raises:
        BadInput: the file fits neither.
    """
    try:
        average, _, _ = checkpoint.load_average(weights)
    except BadInput:
        load_imagenet(network, weights)
    else:
        network.load_state_dict(average)


def scores_of(network: Grader, crops: Crops, batch: int = 32) -> npt.NDArray[np.float32]:
    """Return the network's score for every crop as the service would see it, (n,) float32, computed in float32."""
    network.eval()
    found = []
    with torch.inference_mode():
        for first in range(0, len(crops), batch):
            positions = np.arange(first, min(first + batch, len(crops)))
            pictures = torch.from_numpy(crops.plain(positions)).contiguous(memory_format=torch.channels_last)
            found.append(network(pictures)[0].numpy())
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _epoch(
    network: Grader,
    average: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    fitting: Crops,
    recipe: Recipe,
    epoch: int,
    steps: int,
) -> tuple[float, int]:
    """Fit one epoch; return the mean loss and the number of steps done so far."""
    how = recipe.fit
    torch.manual_seed(recipe.seed + 1 + epoch)  # dropout of a resumed epoch equals that of an unbroken run
    order = draw(fitting.photographs, recipe.sources, how.balance, how.draws, (recipe.seed, epoch))
    grades = torch.from_numpy(fitting.grades)
    network.train()
    losses = []
    for first in range(0, len(order), how.batch):
        positions = order[first : first + how.batch]
        varied = fitting.varied(positions, recipe.augment, (recipe.seed, epoch, first))
        pictures = torch.from_numpy(varied).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(how, steps)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how.precision == "bfloat16"):
            score = network.train_score(pictures)
        loss = torch.nn.functional.smooth_l1_loss(score, grades[positions])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        steps += 1
        _follow(average, network, min(how.average, (1 + steps) / (10 + steps)))
        losses.append(float(loss.detach()))
    return float(np.mean(losses)), steps


def _optimizer(network: Grader, how: Fit) -> torch.optim.Optimizer:
    """Return AdamW that spares norms and biases from decay."""
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    spared = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": how.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=how.learning_rate)


def _learning_rate(how: Fit, step: int) -> float:
    """Return one cycle: a straight rise, then half a cosine down to nothing."""
    total = how.epochs * math.ceil(how.draws / how.batch)
    rise = max(1, round(how.warm_up * total))
    if step < rise:
        return how.learning_rate * (step + 1) / rise
    return how.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def _follow(average: dict[str, torch.Tensor], network: Grader, keep: float) -> None:
    """Move the average a step towards the network; whole numbers are copied."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - keep)
            else:
                average[key].copy_(value)


def _how_it_does(recipe: Recipe, average: dict[str, torch.Tensor], calibration: Crops) -> dict[str, float]:
    """Measure the averaged network on the calibration part, each source for itself."""
    network = build(recipe.architecture)
    network.load_state_dict(average)
    scores, grades = scores_of(network, calibration), calibration.grades.astype(int)
    if not len(scores):
        return {}
    shown = grades_of(scores, fit_thresholds(scores, grades))
    told: dict[str, float] = {"kappa": round(quadratic_kappa(grades, shown), 3)}
    for source in sorted({photograph.source for photograph in calibration.photographs}):
        theirs = np.array([photograph.source == source for photograph in calibration.photographs])
        told[f"{source} kappa"] = round(quadratic_kappa(grades[theirs], shown[theirs]), 3)
        told[f"{source} auc"] = round(auc(grades[theirs] >= 2, scores[theirs]), 3)
    return told
