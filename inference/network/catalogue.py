"""The architectures a card may name, and how their start weights are loaded."""

from collections.abc import Callable
from pathlib import Path

from casebook.errors import Misconfigured
from inference.network import efficientnet, efficientnet_lite, imagenet, resnext
from inference.network.backbone import Backbone
from inference.network.head import Grader

_BACKBONES: dict[str, Callable[[], Backbone]] = {
    "efficientnet_lite0": efficientnet_lite.lite0,
    "efficientnet_lite1": efficientnet_lite.lite1,
    "efficientnet_b0": efficientnet.b0,
    "efficientnet_b3": efficientnet.b3,
    "efficientnet_v2_s": efficientnet.v2_s,
    "resnext101_32x4d": resnext.resnext101_32x4d,
    "resnext101_32x8d": resnext.resnext101_32x8d,
}
ARCHITECTURES = tuple(_BACKBONES)


def build(architecture: str, *, dropout: float = 0.0) -> Grader:
    """Build a network with random weights.

    Raises:
        Misconfigured: no such architecture.
    """
    if architecture not in _BACKBONES:
        raise Misconfigured(f"There is no architecture {architecture}.", f"Choose one of {', '.join(ARCHITECTURES)}.")
    return Grader(_BACKBONES[architecture](), dropout)


def load_imagenet(network: Grader, path: Path) -> None:
    """Fill the backbone with ImageNet weights in torchvision's or timm's key layout; their classifier is not used.

    Args:
        network: to fill; the head stays as it is.
        path: a safetensors file, or a state dict saved by torch, which is read without executing anything.

    Raises:
        BadInput: the file cannot be read, or keys are unknown, missing or of another shape.
    """
    imagenet.fill(network.backbone, imagenet.read_weights(path), path.name)
