"""The held-out part of a run: measured after every epoch, drawn after the last; nothing is fitted to it."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from casebook.words import REFERABLE_FROM
from inference.network.catalogue import build
from training.fit.predict import scores_of
from training.fit.targets import targets_of
from training.measure import pictures
from training.measure.crossfit import cross_fitted
from training.measure.scores import how_it_does
from training.photographs.dataset import Crops
from training.recipe import Recipe

_TITLE = "{}, held-out photographs"


class HeldOut:
    """The photographs that a run holds out, and how its averaged network does on them.

    Args:
        crops: as the service would see them.
        recipe: of the run.
        device: to compute on.
    """

    def __init__(self, crops: Crops, recipe: Recipe, device: torch.device) -> None:
        self.crops, self._recipe, self._device = crops, recipe, device

    def measure(self, average: dict[str, torch.Tensor], loss: nn.Module) -> dict[str, float]:
        """Return ``held_loss``, against the readers' grades alone, kappa and AUC; what is undefined is left out.

        Args:
            average: weights of the network.
            loss: of the fit, with what was fitted along.
        """
        scores = self._scores(average)
        targets = torch.from_numpy(targets_of(self.crops.photographs, self._recipe.fit.fellow))
        with torch.inference_mode():
            held = float(loss(torch.from_numpy(scores).to(self._device), targets.to(self._device)))
        sources = [photograph.source for photograph in self.crops.photographs]
        told = {"held_loss": round(held, 4), **how_it_does(scores, self.crops.grades.astype(int), sources)}
        return {name: value for name, value in told.items() if math.isfinite(value)}

    def draw(self, average: dict[str, torch.Tensor], folder: Path) -> None:
        """Draw confusion matrix, ROC and calibration; cuts and odds come from other patients of the part."""
        scores, grades = self._scores(average), self.crops.grades.astype(np.int64)
        shown, chance = cross_fitted(scores, grades, [photograph.patient for photograph in self.crops.photographs])
        referable = grades >= REFERABLE_FROM
        pictures.confusion(folder / "confusion.png", grades, shown, _TITLE.format("Grades"))
        pictures.roc(folder / "roc.png", referable, scores, _TITLE.format("Referable disease"))
        pictures.calibration(folder / "calibration.png", referable, chance, _TITLE.format("Referable disease"))

    def _scores(self, average: dict[str, torch.Tensor]) -> npt.NDArray[np.float32]:
        network = build(self._recipe.architecture)
        network.load_state_dict(average)
        network.to(self._device, memory_format=torch.channels_last)
        precision = None if self._recipe.fit.precision == "float32" else torch.bfloat16
        return scores_of(network, self.crops, precision)
