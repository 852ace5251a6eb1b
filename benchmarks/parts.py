"""The parts of the benchmark, and how one is run."""

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from benchmarks.plan import Plan
from benchmarks.report import Part
from casebook.errors import RetinaGateError

# Part: module and function.
PARTS = {
    "resnext": "networks.resnext",
    "compact": "networks.compact",
    "heatmap": "heatmap.heatmap",
    "input": "inputs.inputs",
    "sizes": "sizes.sizes",
    "start": "start.start",
    "gpu": "gpu.gpu",
    "receive": "receive.receive",
}


def measured(name: str, plan: Plan) -> Part:
    """Run one part here, on one thread."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    module, function = PARTS[name].split(".")
    run: Callable[[Plan], Part] = getattr(import_module(f"benchmarks.{module}"), function)
    before = os.getloadavg()[0]
    try:
        part = run(plan)
    except RetinaGateError as error:
        return Part(name, left_out=[str(error)])
    return replace(part, load=(before, os.getloadavg()[0]))
