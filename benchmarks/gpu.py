"""Pictures per second on a GPU: torch in half precision at several batch sizes, beside the CPU's runner on all cores.

From the prepared tensor to score and map, transfers included; by the clock, for a GPU's work is no CPU time of ours.
"""

import os
import statistics
from functools import partial

import numpy as np

from benchmarks import models
from benchmarks.measure import Timing, interleaved
from benchmarks.plan import Plan
from benchmarks.report import Claim, Figure, Part
from inference.runners.cuda import TorchRunner
from inference.runners.openvino import OpenVinoRunner

BATCHES = (1, 4, 16)
_QUICKER = 3


def gpu(plan: Plan) -> Part:
    """Measure the small network and the large ones; without a GPU there is nothing to say."""
    import torch

    part = Part("gpu")
    if not torch.cuda.is_available():
        part.left_out.append("pictures per second on a GPU, for torch finds none here.")
        return part
    for architecture in (plan.compact, *plan.resnext):
        measure(part, plan, architecture, "cuda")
    return part


def measure(part: Part, plan: Plan, architecture: str, device: str) -> None:
    """Measure one network on one of torch's devices, in turn with the CPU's runner."""
    made, cores = models.make(plan, architecture), len(os.sched_getaffinity(0))
    on_gpu = TorchRunner(made.weights.read_bytes(), architecture, plan.size, device=device)
    on_cpu = OpenVinoRunner(made.int8.read_bytes(), plan.size, ("score", "activation"), threads=cores)
    pictures = np.repeat(models.crop(plan.size), max(BATCHES), axis=0)
    title = f"{architecture} {plan.size}"
    sides = {f"{title}, {on_gpu.name}, batch {n}": partial(on_gpu.run_batch, pictures[:n]) for n in BATCHES}
    sides[f"{title}, OpenVINO int8 on {cores} cores"] = partial(on_cpu.run, pictures[:1])
    *batches, alone = interleaved(sides, _QUICKER * plan.rounds).values()
    part.timings += [*batches, alone]
    rates = [_rate(timing, n) for timing, n in zip(batches, BATCHES, strict=True)]
    sides_rates = zip(sides, (*rates, _rate(alone, 1)), strict=True)
    part.figures += [Figure(side, rate, "pictures/s") for side, rate in sides_rates]
    part.claims += [
        Claim(f"{title}, pictures per second, batch {BATCHES[-1]} over batch 1", rates[-1] / rates[0], "x"),
        Claim(f"{title}, pictures per second, batch {BATCHES[-1]} over the CPU", rates[-1] / _rate(alone, 1), "x"),
    ]


def _rate(timing: Timing, pictures: int) -> float:
    """Return pictures per second by the clock."""
    return pictures / statistics.median(timing.wall)
