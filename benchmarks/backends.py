"""Everything that can compute a network here, each as a call without arguments, on one thread."""

import copy
from collections.abc import Callable
from pathlib import Path

import torch

from inference.network.head import Grader
from inference.runners.onnx import OnnxRunner
from inference.runners.openvino import OpenVinoRunner
from inference.runners.runner import Tensor
from training.bundle.quantise import OUTPUTS

Call = Callable[[], object]


def eager(network: Grader, tensor: Tensor) -> Call:
    """Return the module as it is called in most people's code."""
    pictures = torch.from_numpy(tensor)

    def run() -> object:
        with torch.inference_mode():
            return network(pictures)

    return run


def bfloat16(network: Grader, tensor: Tensor) -> Call:
    """Return the best of torch on this kind of processor: channels last, bfloat16 by autocast."""
    network = copy.deepcopy(network).to(memory_format=torch.channels_last)
    pictures = torch.from_numpy(tensor).to(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(pictures)

    return run


def onnx_runtime(graph: Path, tensor: Tensor) -> Call:
    """Return the service's own runner of a graph in ONNX Runtime."""
    runner = OnnxRunner(graph.read_bytes(), tensor.shape[-1], OUTPUTS, threads=1)
    return lambda: runner.run(tensor)


def open_vino(graph: Path, tensor: Tensor) -> Call:
    """Return the service's own runner of a graph in OpenVINO, everything but the int8 layers in float32."""
    runner = OpenVinoRunner(graph.read_bytes(), tensor.shape[-1], OUTPUTS, threads=1)
    return lambda: runner.run(tensor)
