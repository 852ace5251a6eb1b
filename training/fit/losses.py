"""How far a score is from what it should be."""

import torch
from torch import nn


class Ordinal(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Proportional odds over the score (McCullagh, JRSS B 1980;42:109), with cuts that are fitted along.

    A target between two grades counts for both in proportion.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cuts = nn.Parameter(torch.tensor([0.5, 1.5, 2.5, 3.5]))
        self.slope = nn.Parameter(torch.tensor(2.0))

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of scores (n,) against targets (n,)."""
        reached = (targets[:, None] - torch.arange(4, device=targets.device)).clamp(0, 1)
        odds = nn.functional.softplus(self.slope) * (scores[:, None] - self.cuts)
        return nn.functional.binary_cross_entropy_with_logits(odds, reached)


def loss_of(name: str) -> nn.Module:
    """Return the loss a recipe names."""
    match name:
        case "smooth_l1":
            return nn.SmoothL1Loss()
        case "mse":
            return nn.MSELoss()
        case _:
            return Ordinal()
