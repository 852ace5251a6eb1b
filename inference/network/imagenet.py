"""ImageNet weights from a file, in torchvision's or timm's key layout, with every key accounted for."""

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from casebook.errors import BadInput
from inference.network.backbone import Backbone

_CLASSIFIERS = ("fc", "classifier", "classifier.1")  # ResNeXt; timm's and torchvision's EfficientNets
_SHOWN = 3  # keys of a kind that a sentence names
# What torch's reader raises over a file that it did not write: whatever its loops stumble over first
_STUMBLED = (AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, or a state dict that torch saved; nothing in it is executed.

    Raises:
        BadInput: it is neither.
    """
    try:
        weights = load_file(path) if path.suffix == ".safetensors" else _saved_by_torch(path)
    except (*_STUMBLED, pickle.UnpicklingError, SafetensorError) as error:
        raise BadInput(
            f"The weights in {path.name} cannot be read.", "Give a safetensors file, or a state dict saved by torch."
        ) from error
    if not isinstance(weights, Mapping) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise BadInput(f"{path.name} holds something else than named weights.", "Give the state dict alone.")
    return dict(weights)


def _saved_by_torch(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a pickle's protocol; it is refused or read, either way without a word more
        return torch.load(path, "cpu", weights_only=True)


def fill(backbone: Backbone, weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Fill a backbone with ImageNet weights; their classifier is not used.

    Files saved before torch counted batches lack ``num_batches_tracked``, which no forward pass reads.

    Args:
        backbone: to fill.
        weights: in its own key layout or in timm's; half precision becomes float32.
        name: of the file, for the sentence.

    Raises:
        BadInput: keys are unknown, missing or of another shape; nothing was filled.
    """
    wanted = backbone.state_dict()
    dropped = {f"{classifier}.{kind}" for classifier in _CLASSIFIERS for kind in ("weight", "bias")}
    given = {backbone.own_key(key): (key, value) for key, value in weights.items() if key not in dropped}
    wrong = {
        "unknown": [key for own, (key, _) in given.items() if own not in wanted],
        "missing": [own for own in wanted if own not in given and not own.endswith("num_batches_tracked")],
        "of another shape": [
            key for own, (key, value) in given.items() if own in wanted and value.shape != wanted[own].shape
        ],
    }
    if any(wrong.values()):
        told = "; ".join(f"{kind}: {_some(keys)}" for kind, keys in wrong.items() if keys)
        raise BadInput(f"The weights in {name} do not fit the network ({told}).", "Take those of its architecture.")
    backbone.load_state_dict(wanted | {own: value.to(wanted[own].dtype) for own, (_, value) in given.items()})


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
