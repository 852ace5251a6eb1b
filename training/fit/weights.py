"""Where a fit's start weights come from: a file, torchvision's own download, or, only where asked for, chance.

How ``run`` uses it::

    start = find(recipe.architecture, recipe.weights, given=options.weights, folders=options.data)  # before the data
    name = fill(network, recipe.architecture, start)                       # a new run only; the name is for the card

``recipe.weights`` is the name of a file, ``torchvision`` or ``random``; without it and without ``--weights`` nothing
starts.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import torch

from casebook.errors import BadInput, Misconfigured, Unavailable
from inference.network import imagenet
from inference.network.head import Grader
from training.fit.checkpoint import start_from


class Start(StrEnum):
    """A start that is no file of the user's."""

    TORCHVISION = "torchvision"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class _Published:
    """ImageNet weights as torchvision publishes them: the name it knows them by, and the file it downloads."""

    name: str
    file: str


_TORCHVISION = {
    "resnext101_32x8d": _Published("ResNeXt101_32X8D_Weights.IMAGENET1K_V2", "resnext101_32x8d-110c445d.pth"),
    "efficientnet_b0": _Published("EfficientNet_B0_Weights.IMAGENET1K_V1", "efficientnet_b0_rwightman-7f5810bc.pth"),
    "efficientnet_b3": _Published("EfficientNet_B3_Weights.IMAGENET1K_V1", "efficientnet_b3_rwightman-b3899882.pth"),
    "efficientnet_v2_s": _Published("EfficientNet_V2_S_Weights.IMAGENET1K_V1", "efficientnet_v2_s-dd5fe13b.pth"),
}
_TIMM = {
    "efficientnet_lite0": "tf_efficientnet_lite0.in1k",
    "efficientnet_lite1": "tf_efficientnet_lite1.in1k",
    "resnext101_32x4d": "resnext101_32x4d.gluon_in1k",
}


def find(architecture: str, named: str, *, given: Path | None, folders: Sequence[Path]) -> Path | Start:
    """Say where the weights of a new run come from, before anything else is read.

    Args:
        architecture: of the recipe.
        named: what the recipe says: a file's name, ``torchvision``, ``random``, or nothing.
        given: the file of ``--weights``, which goes before everything else.
        folders: of ``--data``; a file is looked for in each, and in its ``weights``.

    Raises:
        Misconfigured: there are none; the remedy says what to install or which file to give.
    """
    if given is not None:
        if not given.is_file():
            raise Misconfigured(f"There are no weights {given}.", "Check the path.")
        return given
    if named == Start.RANDOM:
        return Start.RANDOM
    published = _TORCHVISION.get(architecture)
    file = published.file if published and named == Start.TORCHVISION else named
    for folder in folders:
        for path in (folder / file, folder / "weights" / file):
            if file and path.is_file():
                return path
    if named == Start.TORCHVISION and published:
        if find_spec("torchvision") is None:
            raise Misconfigured(
                f"The start weights of {architecture} are downloaded by torchvision, which is not installed here.",
                f"Install torchvision, or give the file {published.file} with --weights.",
            )
        return Start.TORCHVISION
    raise Misconfigured(_nothing(architecture, file), _remedy(architecture))


def fill(network: Grader, architecture: str, start: Path | Start) -> str:
    """Fill a new network with its start weights.

    Args:
        network: to fill.
        architecture: of it.
        start: what ``find`` found.

    Returns:
        The weights' name, for checkpoint and card; nothing where the start is random.

    Raises:
        BadInput: the weights are not of this architecture.
        Misconfigured: torchvision cannot be used here.
        Unavailable: it could not download.
    """
    if isinstance(start, Path):
        start_from(network, start)
        return start.name
    if start is Start.RANDOM:
        return ""
    published = _TORCHVISION[architecture]
    imagenet.fill(network.backbone, _downloaded(published), published.file)
    return published.file


def _downloaded(published: _Published) -> dict[str, torch.Tensor]:
    """Let torchvision fetch its file into torch's own cache, checked against the digest in its name."""
    remedy = f"Give the file {published.file} with --weights."
    try:
        from torchvision.models import get_weight
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise Misconfigured("The torchvision installed here does not fit this torch.", remedy) from error
    try:
        weights: dict[str, torch.Tensor] = get_weight(published.name).get_state_dict(
            progress=True, check_hash=True, weights_only=True
        )
    except OSError as error:
        raise Unavailable(f"torchvision could not download {published.file}.", remedy) from error
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise BadInput(f"What torchvision downloaded is not {published.file}.", remedy) from error
    return weights


def _nothing(architecture: str, file: str) -> str:
    if file == Start.TORCHVISION:
        return f"torchvision publishes no weights for {architecture}."
    if file:
        return f"The start weights {file} are in none of the data folders."
    return "Neither the recipe nor the command names start weights."


def _remedy(architecture: str) -> str:
    known = _TORCHVISION.get(architecture)
    example = f"{known.file} of torchvision" if known else f"those of timm's {_TIMM[architecture]}"
    return f'Give a file with --weights, e.g. {example}, or say weights = "random" in the recipe.'
