"""ResNeXt-101, own definition (Xie et al., CVPR 2017; arXiv 1611.05431).

Names of the parts follow torchvision's ``ResNet``, which timm shares. As there, a block that halves the picture does so
in its grouped 3x3 convolution, not in the first 1x1.
"""

import torch
from torch import nn

from inference.network.backbone import Backbone

_REPEATS = (3, 4, 23, 3)
_GROUPS = 32
_EXPANSION = 4
_STEM = 64


class _Bottleneck(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Narrow, convolve in groups, widen; added to its input, which is projected where the shape changes."""

    def __init__(self, inputs: int, width: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=_GROUPS, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = nn.functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        return nn.functional.relu(y + shortcut, inplace=True)


class ResNeXt(Backbone):
    """The features of ResNeXt-101: (n, 3, size, size) to (n, 2048, size / 32, size / 32).

    Args:
        width_per_group: channels of each of the 32 groups in the first stage; every stage doubles them.
    """

    channels = 512 * _EXPANSION

    def __init__(self, width_per_group: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _STEM, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        inputs = _STEM
        for number, repeats in enumerate(_REPEATS):
            width = _GROUPS * width_per_group * 2**number
            outputs = _STEM * _EXPANSION * 2**number
            blocks = []
            for block in range(repeats):
                blocks.append(_Bottleneck(inputs, width, outputs, stride=2 if block == 0 and number > 0 else 1))
                inputs = outputs
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the features of normalised pictures."""
        x = nn.functional.relu(self.bn1(self.conv1(pictures)), inplace=True)
        x = nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def resnext101_32x4d() -> ResNeXt:
    """Return ResNeXt-101 32x4d (42.1 M parameters without classifier)."""
    return ResNeXt(width_per_group=4)


def resnext101_32x8d() -> ResNeXt:
    """Return ResNeXt-101 32x8d (86.7 M parameters without classifier)."""
    return ResNeXt(width_per_group=8)
