"""The network on the CPU: int8 with heat-map in OpenVINO, against what else computes it and the machine's limit."""

import json

from benchmarks import backends, models
from benchmarks.measure import interleaved
from benchmarks.peak import peak
from benchmarks.plan import RESNEXT, Plan
from benchmarks.report import Claim, Figure, Part

_SHARE = dict(zip(RESNEXT, (70.0, 65.0), strict=True))  # of the int8 peak, in percent
_QUICKER = 3  # rounds of a compact network for one of a large one


def resnext(plan: Plan) -> Part:
    """Measure the large networks."""
    part = Part("resnext")
    for architecture in plan.resnext:
        made = models.make(plan, architecture)
        network, crop, limit = made.network(), models.crop(plan.size), peak()
        sides = {
            f"{architecture}, torch eager": backends.eager(network, crop),
            f"{architecture}, torch channels_last bfloat16": backends.bfloat16(network, crop),
            f"{architecture}, ONNX Runtime float": backends.onnx_runtime(made.graph, crop),
            f"{architecture}, ONNX Runtime int8": backends.onnx_runtime(made.int8, crop),
            f"{architecture}, OpenVINO int8 with map": backends.open_vino(made.int8, crop),
            f"{architecture}, {limit.name}": limit.run,
        }
        timings = list(interleaved(sides, plan.rounds).values())
        part.timings += timings
        eager, bfloat16, float_, int8, ours, ceiling = timings
        title = f"{architecture} {plan.size}, int8 with map"
        part.compare(f"{title}, faster than torch eager", eager, ours, goal=5.5)
        part.compare(f"{title}, faster than torch channels_last bfloat16", bfloat16, ours)
        part.compare(f"{title}, faster than ONNX Runtime float", float_, ours)
        part.compare(f"{title}, faster than ONNX Runtime int8", int8, ours)
        rate = 2 * models.multiply_adds(network, plan.size) / ours.median
        best = limit.operations / min(ceiling.cpu)  # the strictest reading of the limit
        noisy = ours.noisy or ceiling.noisy
        part.claims.append(
            Claim(f"{title}, share of the int8 peak", 100 * rate / best, "%", _SHARE.get(architecture), noisy=noisy)
        )
        part.figures += [
            Figure(f"{architecture}, int8 rate", rate / 1e9, "Gop/s"),
            Figure(f"{architecture}, {limit.name}", best / 1e9, "Gop/s"),
        ]
    return part


def compact(plan: Plan) -> Part:
    """Measure the small network at the large ones' size, and the bundle that ships at its own."""
    part = Part("compact")
    made = models.make(plan, plan.compact)
    network, crop = made.network(), models.crop(plan.size)
    sides = {
        f"{plan.compact} {plan.size}, torch eager": backends.eager(network, crop),
        f"{plan.compact} {plan.size}, torch channels_last bfloat16": backends.bfloat16(network, crop),
        f"{plan.compact} {plan.size}, ONNX Runtime float": backends.onnx_runtime(made.graph, crop),
        f"{plan.compact} {plan.size}, ONNX Runtime int8": backends.onnx_runtime(made.int8, crop),
        f"{plan.compact} {plan.size}, OpenVINO int8 with map": backends.open_vino(made.int8, crop),
    }
    timings = list(interleaved(sides, _QUICKER * plan.rounds).values())
    part.timings += timings
    eager, bfloat16, float_, int8, ours = timings
    title = f"{plan.compact} {plan.size}, int8 with map"
    part.compare(f"{title}, faster than torch eager", eager, ours, goal=7.0)
    part.compare(f"{title}, faster than torch channels_last bfloat16", bfloat16, ours)
    part.compare(f"{title}, faster than ONNX Runtime float", float_, ours, goal=2.0)
    part.compare(f"{title}, faster than ONNX Runtime int8", int8, ours)
    _shipped(plan, part)
    return part


def _shipped(plan: Plan, part: Part) -> None:
    """Measure the very files that ship, each in the runner its card names."""
    from inference.bundle import SHIPPED, load_bundle
    from inference.network.catalogue import build

    bundle = load_bundle(SHIPPED)
    size, name = bundle.preprocessing.size, bundle.card.name
    crop = models.crop(size)
    files = {runner: card.file for runner, card in bundle.card.runners.items()}
    architecture = json.loads(bundle.card_json)["network"]["architecture"]
    sides = {
        f"{name} {size}, torch eager (random weights)": backends.eager(build(architecture).eval(), crop),
        f"{name} {size}, ONNX Runtime, {files['onnxruntime']}": backends.onnx_runtime(
            SHIPPED / files["onnxruntime"], crop
        ),
        f"{name} {size}, OpenVINO, {files['openvino']}": backends.open_vino(SHIPPED / files["openvino"], crop),
    }
    timings = list(interleaved(sides, _QUICKER * plan.rounds).values())
    part.timings += timings
    eager, float_, ours = timings
    part.compare(f"{name} {size}, as it ships, faster than torch eager", eager, ours)
    part.compare(f"{name} {size}, as it ships, faster than ONNX Runtime", float_, ours)
