"""EfficientNet B0, B3 and V2-S, own definition (Tan and Le, ICML 2019, arXiv 1905.11946; ICML 2021, arXiv 2104.00298).

Names of the parts follow torchvision's ``EfficientNet``: ``features.0`` is the stem, then a stage each, then the last
1x1 convolution. Padding is symmetric, as torchvision's weights and timm's ``efficientnet_*`` were trained with; timm's
``tf_efficientnet*`` have the same names and shapes but pad as TensorFlow does: they load here, and are wrong.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from inference.network.backbone import Backbone

_DROPPED = 0.2  # how often the last block is left out in training (stochastic depth); earlier ones less, in proportion


@dataclass(frozen=True, slots=True)
class _Stage:
    """One row of the papers' tables.

    Attributes:
        expansion: how much wider the inside of a block is.
        kernel: side of the convolution.
        stride: of the first block.
        channels: that come out.
        repeats: blocks.
        fused: expansion and convolution are one layer, without squeeze-and-excite (V2).
    """

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int
    fused: bool = False


_B0 = (
    _Stage(1, 3, 1, 16, 1),
    _Stage(6, 3, 2, 24, 2),
    _Stage(6, 5, 2, 40, 2),
    _Stage(6, 3, 2, 80, 3),
    _Stage(6, 5, 1, 112, 3),
    _Stage(6, 5, 2, 192, 4),
    _Stage(6, 3, 1, 320, 1),
)
_V2_S = (
    _Stage(1, 3, 1, 24, 2, fused=True),
    _Stage(4, 3, 2, 48, 4, fused=True),
    _Stage(4, 3, 2, 64, 4, fused=True),
    _Stage(4, 3, 2, 128, 6),
    _Stage(6, 3, 1, 160, 9),
    _Stage(6, 3, 2, 256, 15),
)


def _layer(
    inputs: int, outputs: int, kernel: int, eps: float, *, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    """Return a convolution, its norm and, where ``active``, SiLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    parts = [convolution, nn.BatchNorm2d(outputs, eps=eps), *([nn.SiLU(inplace=True)] if active else [])]
    return nn.Sequential(*parts)


class _SqueezeExcite(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Weigh the channels by what all positions together say."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.fc2(nn.functional.silu(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(weights)


class _Block(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Expand, convolve, weigh, project; added to its input where the shape stays.

    Args:
        inputs: channels that come in.
        stage: it belongs to.
        stride: 1 or 2.
        dropped: how often its own part is left out in training, per picture.
        eps: of the norms.
    """

    def __init__(self, inputs: int, stage: _Stage, stride: int, dropped: float, eps: float) -> None:
        super().__init__()
        wide, kernel, outputs = inputs * stage.expansion, stage.kernel, stage.channels
        if stage.fused and stage.expansion == 1:
            layers = [_layer(inputs, outputs, kernel, eps, stride=stride)]
        elif stage.fused:
            layers = [_layer(inputs, wide, kernel, eps, stride=stride), _layer(wide, outputs, 1, eps, active=False)]
        else:
            layers = [_layer(inputs, wide, 1, eps)] if stage.expansion > 1 else []
            layers += [
                _layer(wide, wide, kernel, eps, stride=stride, groups=wide),
                _SqueezeExcite(wide, inputs // 4),
                _layer(wide, outputs, 1, eps, active=False),
            ]
        self.block = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs
        self.dropped = dropped

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.block(x)
        if not self.shortcut:
            return y
        if self.training and self.dropped:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.dropped
            y = y * (kept.to(y.dtype) / (1 - self.dropped))
        return x + y


class EfficientNet(Backbone):
    """The features of an EfficientNet: (n, 3, size, size) to (n, channels, size / 32, size / 32).

    Args:
        stages: rows of the table.
        stem: channels of the first convolution.
        channels: of the last.
        eps: of the norms.
    """

    def __init__(self, stages: Sequence[_Stage], *, stem: int, channels: int, eps: float) -> None:
        super().__init__()
        self.channels = channels
        self._stages = stages
        blocks = sum(stage.repeats for stage in stages)
        number, inputs = 0, stem
        layers = [_layer(3, stem, 3, eps, stride=2)]
        for stage in stages:
            parts = []
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                parts.append(_Block(inputs, stage, stride, _DROPPED * number / blocks, eps))
                number, inputs = number + 1, stage.channels
            layers.append(nn.Sequential(*parts))
        layers.append(_layer(inputs, channels, 1, eps))
        self.features = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the features of normalised pictures."""
        return self.features(pictures)

    def own_key(self, key: str) -> str:
        """Return our name of a weight in timm's layout; any other key as it is."""
        last = len(self._stages) + 1
        outside = {"conv_stem": "0.0", "bn1": "0.1", "conv_head": f"{last}.0", "bn2": f"{last}.1"}
        module, _, kind = key.rpartition(".")
        if module in outside:
            return f"features.{outside[module]}.{kind}"
        match module.split("."):
            case ["blocks", stage, block, *part] if stage.isdecimal() and int(stage) < len(self._stages):
                inside = _inside(self._stages[int(stage)]).get(".".join(part))
                return key if inside is None else f"features.{int(stage) + 1}.{block}.block.{inside}.{kind}"
        return key


def _inside(stage: _Stage) -> dict[str, str]:
    """Return timm's names of the parts of a block, and ours below ``block``."""
    if stage.fused and stage.expansion == 1:
        return {"conv": "0.0", "bn1": "0.1"}
    if stage.fused:
        return {"conv_exp": "0.0", "bn1": "0.1", "conv_pwl": "1.0", "bn2": "1.1"}
    if stage.expansion == 1:
        names = ("conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2")
        return dict(zip(names, ("0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"), strict=True))
    expanded = ("conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3")
    return dict(zip(expanded, ("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"), strict=True))


def _scaled(stages: Sequence[_Stage], width: float, depth: float) -> list[_Stage]:
    """Widen and deepen a table as the first paper does: channels to multiples of 8, repeats upwards."""
    return [
        replace(stage, channels=_eighths(stage.channels * width), repeats=math.ceil(stage.repeats * depth))
        for stage in stages
    ]


def _eighths(channels: float) -> int:
    """Round to a multiple of 8 that is at most a tenth smaller."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def b0() -> EfficientNet:
    """Return EfficientNet-B0 (4.0 M parameters without classifier)."""
    return EfficientNet(_B0, stem=32, channels=1280, eps=1e-5)


def b3() -> EfficientNet:
    """Return EfficientNet-B3 (10.7 M parameters without classifier)."""
    return EfficientNet(_scaled(_B0, 1.2, 1.4), stem=_eighths(32 * 1.2), channels=1536, eps=1e-5)


def v2_s() -> EfficientNet:
    """Return EfficientNetV2-S (20.2 M parameters without classifier)."""
    return EfficientNet(_V2_S, stem=24, channels=1280, eps=1e-3)
