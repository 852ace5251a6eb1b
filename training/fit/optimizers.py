"""How the weights move: the optimizer of a stage and its learning rate."""

import math

import torch
from torch import nn

from training.recipe import Fit, Stage


def optimizer_of(module: nn.Module, fit: Fit, stage: Stage) -> torch.optim.Optimizer:
    """Return the optimizer of a stage over everything in a module that may move; norms and biases are not decayed."""
    free = [weight for weight in module.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in free if weight.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [weight for weight in free if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    if fit.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=stage.learning_rate, momentum=fit.momentum)
    return torch.optim.AdamW(groups, lr=stage.learning_rate)


def learning_rate(stage: Stage, step: int, steps: int) -> float:
    """Return the rate of a step: a straight rise, then constant, or half a cosine down to nothing."""
    rise = round(stage.warm_up * steps)
    if step < rise:
        return stage.learning_rate * (step + 1) / rise
    if stage.schedule == "constant":
        return stage.learning_rate
    return stage.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
