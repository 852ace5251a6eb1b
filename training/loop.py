"""The fit: stage after stage, epoch after epoch, with an average of the weights that is what counts."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from casebook.errors import Misconfigured
from inference.network.catalogue import build
from inference.network.head import Grader
from training import checkpoint
from training.checkpoint import Progress
from training.cpu import hasten, keep_memory
from training.dataset import Crops, draw
from training.journal import Journal
from training.losses import loss_of
from training.optimizers import learning_rate, optimizer_of
from training.ranks import Ranks
from training.recipe import Recipe, Stage
from training.scores import how_it_does
from training.sources import Photograph
from training.split import deal
from training.targets import targets_of

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class Run:
    """What one call of the fit is asked to do.

    Attributes:
        photographs: all there are; those of the split ``valid`` are used for nothing.
        out: folder of the run.
        weights: safetensors to start from: ImageNet weights, or a checkpoint of ours.
        fold: which part of the patients is held out.
        resume: go on where the folder's checkpoint stands.
        stop_after: seconds after which no further epoch is begun, or None.
    """

    photographs: list[Photograph]
    out: Path
    weights: Path | None = None
    fold: int = 0
    resume: bool = False
    stop_after: float | None = None


class Target(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Network and loss as one module, which is what several processes keep in step."""

    def __init__(self, network: Grader, loss: nn.Module) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, pictures: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of pictures (n, 3, size, size) against targets (n,)."""
        return self.loss(self.network.train_score(pictures), targets)


def fit(recipe: Recipe, run: Run) -> Path:
    """Fit a network by a recipe and return its checkpoint.

    Raises:
        Misconfigured: the run's folder is in use, or holds a run by another recipe.
        BadInput: data or weights cannot be used.
    """
    with Ranks.joined() as ranks:
        return _Fit(recipe, run, ranks).run()


class _Fit:
    """A fit under way: the network, its average, and how far it has come."""

    def __init__(self, recipe: Recipe, run: Run, ranks: Ranks) -> None:
        keep_memory()
        torch.set_num_threads(recipe.fit.threads)
        cv2.setNumThreads(recipe.fit.threads)
        self.recipe, self.asked, self.ranks = recipe, run, ranks
        self.path = run.out / checkpoint.NAME
        if self.path.exists() and not run.resume:
            raise Misconfigured(f"{run.out} holds a run already.", "Give --resume or another folder.")
        if recipe.fit.batch % (recipe.fit.accumulate * ranks.count):
            raise Misconfigured(
                f"A batch of {recipe.fit.batch} cannot be shared evenly.",
                "Choose a batch that accumulate times the number of processes divides.",
            )
        torch.manual_seed(recipe.seed)
        network = build(recipe.architecture, dropout=recipe.fit.dropout)
        self.target = Target(network, loss_of(recipe.fit.loss)).to(ranks.device, memory_format=torch.channels_last)
        if ranks.device.type == "cpu" and recipe.fit.precision == "bfloat16":
            hasten(network)
        self.optimizer: torch.optim.Optimizer | None = None
        if run.resume:
            self.average, self.progress = checkpoint.restore(self.path, self.target)
            if self.progress.recipe != recipe.text or self.progress.fold != run.fold:
                raise Misconfigured("The recipe or the fold has changed since the run began.", "Begin a new one.")
        else:
            if run.weights is not None:
                checkpoint.start_from(network, run.weights)
            self.average = checkpoint.average_of(network)
            weights = "" if run.weights is None else run.weights.name
            self.progress = Progress(epochs=0, steps=0, recipe=recipe.text, weights=weights, fold=run.fold)
        self.fitted, self.held = deal(run.photographs, folds=recipe.fit.folds, fold=run.fold, seed=recipe.seed)

    def run(self) -> Path:
        """Fit what is left of the recipe's epochs."""
        began = time.monotonic()
        calibration = Crops(self.held, self.recipe.preprocessing, fitting=False)
        fitting: Crops | None = None
        with Journal(self.asked.out, self.recipe, self.ranks.first) as journal:
            while self.progress.epochs < self.recipe.epochs:
                epoch_began = time.monotonic()
                stage, number = self.recipe.stage_of(self.progress.epochs)
                size = stage.size or self.recipe.preprocessing.size
                if fitting is None or fitting.preprocessing.size != size:
                    preprocessing = replace(self.recipe.preprocessing, size=size)
                    fitting = Crops(self.fitted, preprocessing, fitting=self.recipe.augment is not None)
                    journal.holds(fitting, calibration)
                loss = self._epoch(fitting, stage, number, journal)
                told = self._how_it_does(calibration) if self.ranks.first else {}
                if self.ranks.first:
                    checkpoint.save(self.path, self.target, self.average, self.optimizer, self.progress)
                journal.epoch(self.progress.epochs, loss, time.monotonic() - epoch_began, told)
                now = time.monotonic()
                late = self.asked.stop_after is not None and now - began + (now - epoch_began) > self.asked.stop_after
                if self.ranks.agreed(late):
                    break
        return self.path

    def _epoch(self, fitting: Crops, stage: Stage, number: int, journal: Journal) -> float:
        """Fit one epoch of a stage; return the mean loss."""
        recipe, how, epoch = self.recipe, self.recipe.fit, self.progress.epochs
        network = self.target.network
        network.backbone.requires_grad_(not stage.frozen)
        if number == 0 or self.optimizer is None:
            self.optimizer = optimizer_of(self.target, how, stage)
            if number > 0:
                checkpoint.restore_optimizer(self.path, self.optimizer)
        # The dropout of a resumed epoch is that of an unbroken run.
        torch.manual_seed(recipe.seed + 1 + epoch + 1000 * self.ranks.rank)
        draws = stage.draws or len(fitting)
        order = draw(fitting.photographs, recipe.sources, how.balance, draws, (recipe.seed, epoch))
        order = order[: max(1, draws // how.batch) * how.batch]
        targets = torch.from_numpy(targets_of(fitting.photographs, how.fellow))
        self.target.train()
        network.backbone.train(not stage.frozen)
        stepped = self.ranks.in_step(self.target)
        steps = -(-len(order) // how.batch)
        scaler = torch.amp.GradScaler(self.ranks.device.type, enabled=how.precision == "float16")
        losses = []
        for step, parts in enumerate(self._batches(fitting, order, epoch)):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(stage, number * steps + step, stage.epochs * steps)
            self.optimizer.zero_grad(set_to_none=True)
            for positions, varied in parts:
                pictures = varied.to(self.ranks.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
                with torch.autocast(
                    self.ranks.device.type, dtype=_DTYPES[how.precision], enabled=how.precision != "float32"
                ):
                    loss = stepped(pictures, targets[positions].to(self.ranks.device)) / len(parts)
                scaler.scale(loss).backward()
                losses.append(float(loss.detach()) * len(parts))
            scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.target.parameters(), 5.0)
            scaler.step(self.optimizer)
            scaler.update()
            taken = self.progress.steps + step + 1
            _follow(self.average, network, min(how.average, (1 + taken) / (10 + taken)))
            journal.step(steps, losses[-1])
        self.progress = replace(self.progress, epochs=epoch + 1, steps=self.progress.steps + steps)
        return float(np.mean(losses))

    def _batches(
        self, fitting: Crops, order: npt.NDArray[np.int64], epoch: int
    ) -> Iterator[list[tuple[npt.NDArray[np.int64], torch.Tensor]]]:
        """Yield this process's share of every batch, in the parts it is computed in; the next is made meanwhile."""
        how = self.recipe.fit
        numbers = np.arange(len(order))

        def part(chosen: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], torch.Tensor]:
            varied = fitting.varied(order[chosen], chosen, self.recipe.augment, (self.recipe.seed, epoch))
            return order[chosen], torch.from_numpy(varied)

        def batch(first: int) -> list[tuple[npt.NDArray[np.int64], torch.Tensor]]:
            share = numbers[first : first + how.batch][self.ranks.rank :: self.ranks.count]
            return [part(chosen) for chosen in np.array_split(share, how.accumulate) if len(chosen)]

        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(batch, 0)
            for first in range(0, len(order), how.batch):
                ready = coming.result()
                coming = ahead.submit(batch, first + how.batch)
                yield ready

    def _how_it_does(self, calibration: Crops) -> dict[str, float]:
        """Measure the averaged network on the held-out part."""
        network = build(self.recipe.architecture)
        network.load_state_dict(self.average)
        network.to(self.ranks.device, memory_format=torch.channels_last)
        sources = [photograph.source for photograph in calibration.photographs]
        quick = None if self.recipe.fit.precision == "float32" else torch.bfloat16
        return how_it_does(scores_of(network, calibration, quick), calibration.grades.astype(int), sources)


def scores_of(
    network: Grader, crops: Crops, precision: torch.dtype | None = None, batch: int = 32
) -> npt.NDArray[np.float32]:
    """Return the network's score for every crop as the service would see it, (n,) float32.

    Args:
        network: to ask.
        crops: to ask about.
        precision: of the forward pass; None is float32, as the bundle is measured.
        batch: crops at once.
    """
    network.eval()
    device = network.head.weight.device
    found = []
    with torch.inference_mode(), torch.autocast(device.type, dtype=precision, enabled=precision is not None):
        for first in range(0, len(crops), batch):
            positions = np.arange(first, min(first + batch, len(crops)))
            pictures = torch.from_numpy(crops.plain(positions)).to(device)
            found.append(network(pictures.contiguous(memory_format=torch.channels_last))[0].float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _follow(average: dict[str, torch.Tensor], network: Grader, keep: float) -> None:
    """Move the average a step towards the network; whole numbers are copied."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - keep)
            else:
                average[key].copy_(value)
