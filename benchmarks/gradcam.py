"""Grad-CAM as the textbooks have it, for comparison with a map that is there anyway.

Selvaraju et al., ICCV 2017: features weighted by the mean of the score's gradient over all places, then rectified.
"""

import torch

from inference.network.head import Grader


def gradcam(network: Grader, pictures: torch.Tensor) -> torch.Tensor:
    """Return the map (n, h, w) of pictures (n, 3, size, size): hooks on the last features, and a backward pass."""
    kept: dict[str, torch.Tensor] = {}

    def keep(_module: torch.nn.Module, _given: object, features: torch.Tensor) -> None:
        kept["features"] = features
        features.register_hook(lambda gradient: kept.update(gradient=gradient))

    hook = network.backbone.register_forward_hook(keep)
    score, _ = network(pictures)
    hook.remove()
    network.zero_grad()
    score.sum().backward()
    weights = kept["gradient"].mean(dim=(2, 3), keepdim=True)
    return torch.relu((weights * kept["features"]).sum(dim=1)).detach()


def gradcam_of_features(network: Grader, pictures: torch.Tensor) -> torch.Tensor:
    """Return the same map by a gradient that goes back to the features only: what a careful hand would write."""
    with torch.no_grad():
        features = network.backbone(pictures)
    features.requires_grad_()
    score = network.head(features.mean(dim=(2, 3))).sum()
    (gradient,) = torch.autograd.grad(score, features)
    return torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)).detach()
