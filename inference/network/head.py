"""The grading head: average pooling and one linear unit, so that the heat-map costs nothing.

score = mean over positions of (w . F + b), hence the map w . F + b is a second output of the same graph whose mean is
the score (rule P11). Backbones differ, the head does not.
"""

import torch
from torch import nn

from inference.network.backbone import Backbone


class Grader(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """A backbone with the grading head.

    Args:
        backbone: gives the features.
        dropout: share of pooled features dropped in training.
    """

    def __init__(self, backbone: Backbone, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = dropout
        self.head = nn.Linear(backbone.channels, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.ones_(self.head.bias)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Grade normalised pictures.

        Args:
            pictures: (n, 3, size, size) float.

        Returns:
            score (n,) float32 and activation (n, h, w) float32, whose mean is the score.
        """
        features = self.backbone(pictures).float()
        weight = self.head.weight.float()[:, :, None, None]
        activation = nn.functional.conv2d(features, weight, self.head.bias.float())[:, 0]
        return activation.mean(dim=(1, 2)), activation

    def train_score(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the score (n,) float32 alone, with dropout on the pooled features."""
        pooled = self.backbone(pictures).float().mean(dim=(2, 3))
        dropped = nn.functional.dropout(pooled, self.dropout, training=self.training)
        return nn.functional.linear(dropped, self.head.weight.float(), self.head.bias.float())[:, 0]
