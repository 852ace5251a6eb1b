"""The architectures a card may name, and how their start weights are loaded."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from casebook.errors import BadInput, Misconfigured
from inference.network import efficientnet_lite
from inference.network.head import Grader

_BACKBONES = {"efficientnet_lite0": efficientnet_lite.lite0, "efficientnet_lite1": efficientnet_lite.lite1}
ARCHITECTURES = tuple(_BACKBONES)


def build(architecture: str, *, dropout: float = 0.0) -> Grader:
    """Build a network with random weights.

    Raises:
        Misconfigured: no such architecture.
    """
    if architecture not in _BACKBONES:
        raise Misconfigured(f"There is no architecture {architecture}.", f"Choose one of {', '.join(ARCHITECTURES)}.")
    backbone = _BACKBONES[architecture]()
    return Grader(backbone, backbone.channels, dropout)


def load_imagenet(network: Grader, path: Path) -> None:
    """Fill the backbone with ImageNet weights in timm's key layout; their classifier is not used.

    Raises:
        BadInput: the file's keys or shapes are not those of the backbone.
    """
    weights: dict[str, torch.Tensor] = {
        key: value.float() if value.is_floating_point() else value
        for key, value in load_file(path).items()
        if not key.startswith("classifier.")
    }
    try:
        network.backbone.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise BadInput(f"The weights in {path.name} do not fit the network.", "Take those of its own size.") from error
