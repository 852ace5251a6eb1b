"""EfficientNet-Lite, own definition (Tan and Le, ICML 2019; Lite variants: tensorflow/tpu, efficientnet/lite).

Names of the parts follow timm's ``tf_efficientnet_lite*``, so that converted ImageNet weights load strictly.
ReLU6 everywhere, no squeeze-and-excite. Padding is TensorFlow's SAME: with stride 2 and an even input it pads right and
below more than left and above; symmetric padding would shift the features against the trained weights.
"""

import torch
from torch import nn

from inference.network.backbone import Backbone

STRIDE = 32  # of the whole network; inputs are multiples of it, which keeps every strided layer's input even

# Stage: kernel, stride, expansion, channels
_STAGES = (
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (5, 2, 6, 40),
    (3, 2, 6, 80),
    (5, 1, 6, 112),
    (5, 2, 6, 192),
    (3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280  # not scaled in the Lite variants


class SameConv2d(nn.Conv2d):  # type: ignore[misc]  # torch is followed nowhere
    """A convolution padded as TensorFlow does; explicit padding only where the stride asks for it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=False)
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.explicit = None if stride == 1 else (before, after, before, after)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 (torch's name)
        """Convolve (n, c, h, w); h and w even where the stride is 2."""
        if self.explicit is not None:
            input = nn.functional.pad(input, self.explicit)  # noqa: A001
        return super().forward(input)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Separable(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """First stage: depthwise, then pointwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(inputs, inputs, kernel, groups=inputs)
        self.bn1 = _norm(inputs)
        self.conv_pw = SameConv2d(inputs, outputs, 1)
        self.bn2 = _norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self.bn1(self.conv_dw(x)))
        return self.bn2(self.conv_pw(x))


class _Inverted(nn.Module):  # type: ignore[misc]  # torch is followed nowhere
    """Expand, depthwise, project; added to its input where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.conv_pw = SameConv2d(inputs, wide, 1)
        self.bn1 = _norm(wide)
        self.conv_dw = SameConv2d(wide, wide, kernel, stride=stride, groups=wide)
        self.bn2 = _norm(wide)
        self.conv_pwl = SameConv2d(wide, outputs, 1)
        self.bn3 = _norm(outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self.bn1(self.conv_pw(x)))
        y = nn.functional.relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return x + y if self.shortcut else y


class EfficientNetLite(Backbone):
    """The features of EfficientNet-Lite: (n, 3, size, size) to (n, 1280, size / 32, size / 32).

    Args:
        repeats: how many blocks each of the seven stages has.
    """

    channels = _HEAD

    def __init__(self, repeats: tuple[int, ...]) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, _STEM, 3, stride=2)
        self.bn1 = _norm(_STEM)
        inputs, stages = _STEM, []
        for (kernel, stride, expansion, outputs), count in zip(_STAGES, repeats, strict=True):
            blocks: list[nn.Module] = []
            for number in range(count):
                blocks.append(
                    _Separable(inputs, outputs, kernel)
                    if expansion == 1
                    else _Inverted(inputs, outputs, kernel, stride if number == 0 else 1, expansion)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = SameConv2d(inputs, _HEAD, 1)
        self.bn2 = _norm(_HEAD)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the features of normalised pictures whose sides are multiples of 32."""
        x = nn.functional.relu6(self.bn1(self.conv_stem(pictures)))
        x = self.blocks(x)
        return nn.functional.relu6(self.bn2(self.conv_head(x)))


def lite0() -> EfficientNetLite:
    """Return EfficientNet-Lite0 (3.4 M parameters without classifier)."""
    return EfficientNetLite((1, 2, 2, 3, 3, 4, 1))


def lite1() -> EfficientNetLite:
    """Return EfficientNet-Lite1 (4.1 M parameters without classifier)."""
    return EfficientNetLite((1, 3, 3, 4, 4, 5, 1))
