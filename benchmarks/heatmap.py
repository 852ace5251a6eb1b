"""What the heat-map costs on top of the grade, and that it says what the grade says (rules P11, P12)."""

import torch

from benchmarks import backends, models
from benchmarks.fresh import fresh
from benchmarks.gradcam import gradcam, gradcam_of_features
from benchmarks.measure import interleaved
from benchmarks.plan import Plan
from benchmarks.report import Claim, Figure, Part
from inference.runners.openvino import OpenVinoRunner
from training.bundle.quantise import OUTPUTS

_MIB = 1 << 20


def heatmap(plan: Plan) -> Part:
    """Measure the map beside no map, and Grad-CAM beside the plain forward pass."""
    part = Part("heatmap")
    large = models.make(plan, plan.resnext[-1])
    for made, rounds in ((large, 3 * plan.rounds), (models.make(plan, plan.compact), 12 * plan.rounds)):
        _map_beside_none(plan, made, rounds, part)
    _gradcam(plan, large, part)
    _memory(plan, large, part)
    return part


def _map_beside_none(plan: Plan, made: models.Models, rounds: int, part: Part) -> None:
    crop, title = models.crop(plan.size), f"{made.architecture} {plan.size}, OpenVINO int8"
    sides = {
        f"{title}, with map": backends.open_vino(made.int8, crop),
        f"{title}, without map": backends.open_vino(models.without_map(made), crop),
    }
    with_map, without = interleaved(sides, rounds).values()
    part.timings += [with_map, without]
    part.claims += [
        Claim(
            f"{title}, map on top of the grade", 100 * (with_map.median / without.median - 1), "%", 2.0,
            at_most=True, noisy=with_map.noisy or without.noisy,
        ),
        Claim(
            f"{made.architecture} {plan.size}, float, farthest of mean(map) from score", _disagreement(plan, made),
            goal=1e-3, at_most=True,
        ),
    ]  # fmt: skip


def _disagreement(plan: Plan, made: models.Models) -> float:
    runner = OpenVinoRunner(made.graph.read_bytes(), plan.size, OUTPUTS, threads=1)
    answers = [runner.run(models.crop(plan.size, number)) for number in range(len(models.crops(plan.size)))]
    return max(abs(float(answer.map.mean(dtype="float64")) - answer.score) for answer in answers)


def _gradcam(plan: Plan, made: models.Models, part: Part) -> None:
    network, crop = made.network(), models.crop(plan.size)
    pictures, title = torch.from_numpy(crop), f"{made.architecture} {plan.size}, torch eager"
    forward, frugal, textbook = interleaved(
        {
            f"{title}, forward": backends.eager(network, crop),
            f"{title}, Grad-CAM back to the last features only": lambda: gradcam_of_features(network, pictures),
            f"{title}, textbook Grad-CAM (hooks, backward)": lambda: gradcam(network, pictures),
        },
        plan.rounds,
    ).values()
    part.timings += [forward, frugal, textbook]
    part.compare(f"{title}, textbook Grad-CAM over the forward pass", textbook, forward)


def _memory(plan: Plan, made: models.Models, part: Part) -> None:
    title = f"{made.architecture} {plan.size}"
    torch_side = (made.architecture, plan.size, made.weights)
    extra = {
        name: (taken.peak - taken.before) / _MIB
        for name, taken in {
            "torch eager, forward": fresh("works.torch_eager", *torch_side),
            "torch eager, textbook Grad-CAM": fresh("works.torch_gradcam", *torch_side),
            "OpenVINO int8, without map": fresh("works.open_vino", models.without_map(made), plan.size, ""),
            "OpenVINO int8, with map": fresh("works.open_vino", made.int8, plan.size, ""),
        }.items()
    }
    part.figures += [
        Figure(f"{title}, {name}: weights and pass, on top of imports", mib, "MiB") for name, mib in extra.items()
    ]
    part.claims.append(
        Claim(
            f"{title}, textbook Grad-CAM, memory over the forward pass's",
            extra["torch eager, textbook Grad-CAM"] / extra["torch eager, forward"], "x",
        )
    )  # fmt: skip
