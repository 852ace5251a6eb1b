"""The fit: stage after stage, epoch after epoch, with an average of the weights that is what counts."""

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from casebook.errors import BadInput, Misconfigured
from inference.network.catalogue import build
from inference.network.head import Grader
from training.fit import checkpoint, feed
from training.fit.checkpoint import Progress
from training.fit.cpu import hasten, keep_memory
from training.fit.held import HeldOut
from training.fit.journal import Journal
from training.fit.losses import loss_of
from training.fit.memory import enough_for
from training.fit.optimizers import learning_rate, optimizer_of
from training.fit.provenance import digest, split_of, write_provenance
from training.fit.ranks import Ranks
from training.fit.targets import Targets, key_of, targets_of, taught
from training.fit.teacher import read_scores
from training.fit.weights import Start, fill, find
from training.photographs.dataset import Crops, draw
from training.photographs.photograph import Photograph
from training.photographs.split import deal
from training.recipe import Recipe, Stage, parse_recipe

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class Run:
    """What one call of the fit is asked to do.

    Attributes:
        photographs: all there are; those of the split ``valid`` are used for nothing.
        out: folder of the run.
        weights: what a new run starts from; None only where the recipe says ``random``.
        fold: which part of the patients is held out.
        resume: go on where the folder's checkpoint stands.
        stop_after: seconds after which no further epoch is begun, or None.
    """

    photographs: list[Photograph]
    out: Path
    weights: Path | Start | None = None
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
        Misconfigured: the run's folder is in use, or holds a run by another recipe; there are no start weights; or
            memory ran out.
        BadInput: data or weights cannot be used.
        Unavailable: the disk takes no checkpoint.
    """
    with Ranks.joined() as ranks:
        return _Fit(recipe, run, ranks).run()


class _Fit:
    """A fit under way: the network, its average, and how far it has come."""

    def __init__(self, recipe: Recipe, run: Run, ranks: Ranks) -> None:
        self.recipe, self.asked, self.ranks = recipe, run, ranks
        self.path = run.out / checkpoint.NAME
        _check(recipe, run, ranks)
        _set_up(recipe, ranks)
        self.fitted, self.held = deal(run.photographs, folds=recipe.fit.folds, fold=run.fold, seed=recipe.seed)
        if not self.fitted or not self.held:
            raise BadInput("There are too few photographs to fit on some and hold out others.", "Give more data.")
        self.split = split_of(self.fitted, self.held)
        self.teacher = read_scores(recipe.teacher.scores) if recipe.teacher else {}
        network = build(recipe.architecture, dropout=recipe.fit.dropout)
        self.target = Target(network, loss_of(recipe.fit.loss)).to(ranks.device, memory_format=torch.channels_last)
        if ranks.device.type == "cpu" and recipe.fit.precision == "bfloat16":
            hasten(network)
        self.optimizer: torch.optim.Optimizer | None = None
        self.average, self.progress = self._resumed() if run.resume else self._begun(network)

    def _begun(self, network: Grader) -> tuple[dict[str, torch.Tensor], Progress]:
        recipe, run = self.recipe, self.asked
        start = run.weights or find(recipe.architecture, recipe.weights, given=None, folders=())
        name = fill(network, recipe.architecture, start)
        return checkpoint.average_of(network), Progress(
            epochs=0,
            steps=0,
            recipe=recipe.text,
            weights=name,
            fold=run.fold,
            data=digest(self.split),
            teacher=self._teacher_digest(),
        )

    def _resumed(self) -> tuple[dict[str, torch.Tensor], Progress]:
        average, progress = checkpoint.restore(self.path, self.target)
        if not parse_recipe(progress.recipe).fits_as(self.recipe) or progress.fold != self.asked.fold:
            raise Misconfigured("The recipe or the fold has changed since the run began.", "Begin a new one.")
        # Older checkpoints do not know what they were fitted to.
        if progress.data and (progress.data, progress.teacher) != (digest(self.split), self._teacher_digest()):
            raise Misconfigured("The photographs or the teacher have changed since the run began.", "Begin a new one.")
        return average, progress

    def _teacher_digest(self) -> str:
        return digest(str(sorted(self.teacher.items()))) if self.teacher else ""

    def run(self) -> Path:
        """Fit what is left of the recipe's epochs."""
        began = time.monotonic()
        first = self.ranks.first
        if first:
            write_provenance(self.asked.out, self.recipe, self.split, self.ranks, self.progress.epochs)
        # Only the first process measures.
        crops = self._crops(self.held if first else [], self.recipe.preprocessing.size, fitting=False)
        held = HeldOut(crops, self.recipe, self.ranks.device)
        fitting: Crops | None = None
        with Journal(self.asked.out, self.recipe, speaks=first, epochs=self.progress.epochs) as journal:
            while self.progress.planned < self.recipe.epochs:
                epoch_began = time.monotonic()
                stage, number = self.recipe.stage_of(self.progress.planned)
                size = self.recipe.size_of(stage)
                if fitting is None or fitting.preprocessing.size != size:
                    fitting = self._crops(self.fitted, size, fitting=self.recipe.augment is not None)
                    left_out = len(fitting.left_out) + len(crops.left_out)
                    journal.say(
                        f"{len(fitting)} photographs of {size} pixels to fit on, {len(crops)} held out, "
                        f"{left_out} left out"
                    )
                    if self.recipe.teacher:
                        known = sum(key_of(one) in self.teacher for one in fitting.photographs)
                        others = "" if known == len(fitting) else "; the others are fitted to their grades alone"
                        journal.say(f"The teacher knows {known} of them{others}")
                steps = self.recipe.steps_of(stage, len(fitting))
                with enough_for(
                    f"{self.recipe.fit.batch // self.recipe.fit.accumulate} photographs of {size} pixels at once",
                    "Raise accumulate in the recipe, or choose a smaller size.",
                ):
                    loss = self._epoch(fitting, stage, number, journal)
                    told = held.measure(self.average, self.target.loss) if first else {}
                self.progress = self.ranks.agreed(
                    self.progress.after(stage, number, steps, told.get("held_loss", 0), self.recipe.fit.patience)
                )
                if first:
                    seconds = round(time.monotonic() - epoch_began)
                    journal.epoch({"epoch": self.progress.epochs, "loss": round(loss, 4), **told, "seconds": seconds})
                    checkpoint.save(self.path, self.target, self.average, self.optimizer, self.progress)
                now = time.monotonic()
                late = self.asked.stop_after is not None and now - began + (now - epoch_began) > self.asked.stop_after
                if self.ranks.agreed(late) and self.progress.planned < self.recipe.epochs:
                    journal.say("The time given is over; --resume goes on from here.")
                    break
        if first and self.progress.planned >= self.recipe.epochs:
            held.draw(self.average, self.asked.out)
        return self.path

    def _crops(self, photographs: list[Photograph], size: int, *, fitting: bool) -> Crops:
        with enough_for(f"{len(photographs)} photographs of {size} pixels in it", "Choose a smaller size."):
            return Crops(photographs, replace(self.recipe.preprocessing, size=size), fitting=fitting)

    def _epoch(self, fitting: Crops, stage: Stage, number: int, journal: Journal) -> float:
        """Fit one epoch of a stage; return the mean loss."""
        recipe, how, device, epoch = self.recipe, self.recipe.fit, self.ranks.device, self.progress.epochs
        network = self.target.network
        network.backbone.requires_grad_(not stage.frozen)
        if number == 0 or self.optimizer is None:
            self.optimizer = optimizer_of(self.target, how, stage)
            if number > 0:
                checkpoint.restore_optimizer(self.path, self.optimizer)
        # The dropout of a resumed epoch is that of an unbroken run.
        torch.manual_seed(recipe.seed + 1 + epoch + 1000 * self.ranks.rank)
        targets = torch.from_numpy(self._targets(fitting.photographs)).to(device)
        self.target.train()
        network.backbone.train(not stage.frozen)
        stepped = self.ranks.in_step(self.target)
        order = self._order(fitting, stage)
        steps = len(order) // how.batch
        scaler = torch.amp.GradScaler(device.type, enabled=how.precision == "float16")
        parts = feed.batches(
            fitting, order, how, recipe.augment, (recipe.seed, epoch), self.ranks, feed.workers(device)
        )
        losses = []
        journal.begin(self.progress.planned, len(fitting))
        for step, batch in enumerate(parts):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(stage, number * steps + step, stage.epochs * steps)
            self.optimizer.zero_grad(set_to_none=True)
            for part in batch:
                shown = part.pictures.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, dtype=_DTYPES[how.precision], enabled=how.precision != "float32"):
                    loss = stepped(shown, targets[part.positions])
                scaler.scale(loss / len(batch)).backward()
                losses.append(float(loss.detach()))
            scaler.unscale_(self.optimizer)
            if how.clip:
                torch.nn.utils.clip_grad_norm_(self.target.parameters(), how.clip)
            scaler.step(self.optimizer)
            scaler.update()
            taken = self.progress.steps + step + 1
            _follow(self.average, network, min(how.average, (1 + taken) / (10 + taken)))
            journal.step(losses[-1])
        if not math.isfinite(np.mean(losses)):
            raise Misconfigured("The loss is no number any more.", "Choose a lower learning rate and begin a new run.")
        return float(np.mean(losses))

    def _order(self, fitting: Crops, stage: Stage) -> npt.NDArray[np.int64]:
        """Draw the photographs of an epoch, in whole batches."""
        whole = self.recipe.steps_of(stage, len(fitting)) * self.recipe.fit.batch
        key = (self.recipe.seed, self.progress.epochs)
        sources, balance = self.recipe.sources, self.recipe.fit.balance
        return draw(fitting.photographs, sources, balance, stage.draws or whole, key)[:whole]

    def _targets(self, photographs: list[Photograph]) -> Targets:
        targets = targets_of(photographs, self.recipe.fit.fellow)
        if self.recipe.teacher is None:
            return targets
        return taught(targets, photographs, self.teacher, self.recipe.teacher.share)


def _check(recipe: Recipe, run: Run, ranks: Ranks) -> None:
    """Refuse at once what could not end well."""
    path = run.out / checkpoint.NAME
    if path.exists() and not run.resume:
        raise Misconfigured(f"{run.out} holds a run already.", "Give --resume or another folder.")
    if run.resume and not path.exists():
        raise Misconfigured(f"{run.out} holds no checkpoint to resume.", "Begin without --resume.")
    if recipe.fit.batch % (recipe.fit.accumulate * ranks.count):
        raise Misconfigured(
            f"A batch of {recipe.fit.batch} cannot be shared evenly.",
            "Choose a batch that accumulate times the number of processes divides.",
        )
    if run.fold not in range(recipe.fit.folds):
        raise Misconfigured(f"There is no fold {run.fold}.", f"The recipe has folds 0 to {recipe.fit.folds - 1}.")


def _set_up(recipe: Recipe, ranks: Ranks) -> None:
    """Set what torch and OpenCV hold for the whole process."""
    keep_memory()
    torch.set_num_threads(recipe.fit.threads)
    cv2.setNumThreads(recipe.fit.threads)
    if ranks.device.type == "cuda":
        # cuBLAS reads it when it is first used; without it its sums may differ from run to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = not recipe.fit.deterministic
        torch.use_deterministic_algorithms(recipe.fit.deterministic)
    torch.manual_seed(recipe.seed)


def _follow(average: dict[str, torch.Tensor], network: Grader, keep: float) -> None:
    """Move the average a step towards the network; whole numbers are copied."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - keep)
            else:
                average[key].copy_(value)
