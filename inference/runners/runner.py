"""What every runner does, whatever computes."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from casebook.errors import RetinaGateError

Tensor = npt.NDArray[np.float32]
SELF_TEST_TOLERANCE = 1e-3


class RunnerFailed(RetinaGateError):
    """A runner cannot be loaded, or computed something that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Activations:
    """What the network answered to one photograph.

    Attributes:
        score: severity on a scale from 0 to 4, not clipped.
        map: (h, w) float32, the score's share of each place; its mean is the score.
    """

    score: float
    map: Tensor


class Runner(Protocol):
    """Computes the network for one photograph at a time."""

    @property
    def name(self) -> str:
        """Name and version of what computes, as it stands in every grading."""
        ...

    def run(self, tensor: Tensor) -> Activations:
        """Answer to one normalised photograph, (1, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation failed or contradicts itself.
        """
        ...


def checked(score: Tensor, activation: Tensor) -> Activations:
    """Take a graph's two outputs, and let each photograph test the computation (rule P11).

    Args:
        score: (1,) float32.
        activation: (1, h, w) float32.

    Raises:
        RunnerFailed: a value is no number, or the map's mean is not the score.
    """
    value, grid = float(score.reshape(-1)[0]), np.array(activation, np.float32).reshape(activation.shape[-2:])
    # Written so that NaN fails too.
    if not abs(float(grid.mean(dtype=np.float64)) - value) < SELF_TEST_TOLERANCE:
        raise RunnerFailed("The network's score and activation map contradict each other.")
    return Activations(value, grid)
