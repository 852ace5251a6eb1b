"""The networks in every form that is measured, with random weights: speed does not depend on what they learnt."""

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import simplejpeg
import torch
from safetensors.torch import save_file

from benchmarks.plan import COMPACT, Plan
from benchmarks.weights import load
from inference import phantom
from inference.network.catalogue import build
from inference.network.head import Grader
from inference.preprocess import Preprocessing
from inference.runners.runner import Tensor
from training.bundle.export import to_onnx
from training.bundle.quantise import whole_numbers
from training.photographs.dataset import Crops
from training.photographs.sources import Photograph

_CROPS = 4
_LEFT_FLOAT = {COMPACT: 1}  # first convolutions that the bundle that ships keeps in float


@dataclass(frozen=True, slots=True)
class Models:
    """Files of one architecture at one size.

    Attributes:
        architecture: its name in the catalogue.
        size: side of the input.
        weights: safetensors, float32.
        graph: ONNX, float32, score and activation map.
        int8: the same quantised.
    """

    architecture: str
    size: int
    weights: Path
    graph: Path
    int8: Path

    def network(self) -> Grader:
        """Return the torch network."""
        return load(self.architecture, self.weights)


def make(plan: Plan, architecture: str) -> Models:
    """Make the files of an architecture, unless an earlier part of this run did."""
    stem = f"{architecture}-{plan.size}"
    models = Models(
        architecture,
        plan.size,
        plan.work / f"{stem}.safetensors",
        plan.work / f"{stem}.onnx",
        plan.work / f"{stem}.int8.onnx",
    )
    if not models.int8.exists():
        network = _random(architecture, plan.size)
        save_file(network.state_dict(), models.weights)
        graph = to_onnx(network, plan.size)
        models.graph.write_bytes(graph)
        with contextlib.redirect_stdout(sys.stderr):  # progress bars are no part of the table
            models.int8.write_bytes(whole_numbers(graph, crops(plan.size), _LEFT_FLOAT.get(architecture, 0)))
    return models


def without_map(models: Models) -> Path:
    """Return the same int8 graph as it would be if nobody wanted a map: pooled first, then the linear unit."""
    path = models.int8.with_suffix(".pooled.onnx")
    if not path.exists():
        model = onnx.load(models.int8)
        position, head = [(at, node) for at, node in enumerate(model.graph.node) if node.op_type == "Conv"][-1]
        model.graph.node.insert(position, onnx.helper.make_node("GlobalAveragePool", [head.input[0]], ["pooled"]))
        head = model.graph.node[position + 1]
        head.input[0] = "pooled"
        for side in model.graph.output[1].type.tensor_type.shape.dim:
            side.dim_value = 1
        del model.graph.value_info[:]
        onnx.save(model, path)
    return path


@cache
def crops(size: int) -> Crops:
    """Return drawn retinas as network input: for the quantiser, the norms' statistics and the measured pass."""
    with tempfile.TemporaryDirectory() as name:
        photographs = []
        for seed in range(_CROPS):
            path = Path(name) / f"{seed}.jpg"
            picture = phantom.draw(seed, lesions=phantom.MANY, size=max(size, 128))
            path.write_bytes(simplejpeg.encode_jpeg(picture, quality=92, colorspace="RGB"))
            photographs.append(Photograph(path, "drawn", str(seed), "", 3, "train"))
        return Crops(photographs, Preprocessing(size=size), fitting=False)


def crop(size: int, number: int = 0) -> Tensor:
    """Return one drawn retina, (1, 3, size, size) float32."""
    return crops(size).plain(np.array([number]))


def multiply_adds(network: Grader, size: int) -> int:
    """Count the multiply-adds of the convolutions for one picture."""
    counted = []

    def count(convolution: torch.nn.Conv2d, _pictures: object, features: torch.Tensor) -> None:
        counted.append(features[0].numel() * convolution.weight[0].numel())

    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    with torch.inference_mode():
        network(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return sum(counted)


def _random(architecture: str, size: int) -> Grader:
    """Build a network whose norms know their inputs, so that nothing explodes or vanishes on the way through."""
    torch.manual_seed(0)
    network = build(architecture)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # plain average
    network.train()
    with torch.no_grad():
        network(torch.from_numpy(crops(size).plain(np.arange(_CROPS))))
    network.eval()
    return network
