"""Makes a graph of whole numbers out of a float one, as far as its answers allow it (rules P4, P10)."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from inference.runners.openvino import OpenVinoRunner
from inference.runners.runner import Runner
from training.measure.calibrate import kappa_of_fit
from training.measure.scores import Numbers
from training.photographs.dataset import Crops

OUTPUTS = ("score", "activation")
THREADS = 2
_LEAST_CORRELATION = 0.99
_MOST_KAPPA_LOST = 0.005
# How many convolutions from the input on stay in float: the first ones see few channels of very different ranges. Maps
# of EfficientNet-Lite0 correlated with the float ones, with 0, 1 and 3 of them in float, 0.964, 0.992 and 0.997 (at
# 256 px, 454 photographs), and of another fit 0.977, 0.994 and 0.998 (at 384 px, 153 photographs).
_LADDER = (0, 1, 3, 8)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a runner computed for many photographs.

    Attributes:
        scores: (n,) raw scores.
        maps: (n, h, w) activation maps.
    """

    scores: npt.NDArray[np.float64]
    maps: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung of the ladder and how it did on the held-out photographs.

    Attributes:
        left_float: convolutions from the input on that stayed in float.
        kappa: with thresholds fitted to its own scores.
        float_kappa: the same of the float graph.
        map_correlation: of its maps with the float ones inside the mask, the mean over photographs.
    """

    left_float: int
    kappa: float
    float_kappa: float
    map_correlation: float

    @property
    def accepted(self) -> bool:
        """Whether it may take the float graph's place."""
        lost = self.float_kappa - self.kappa
        return lost < _MOST_KAPPA_LOST and self.map_correlation > _LEAST_CORRELATION


@dataclass(frozen=True, slots=True)
class Quantised:
    """What came of it.

    Attributes:
        graph: of whole numbers, or None where the float graph stays alone.
        tried: every attempt, in order; the last one is the graph's where there is one.
    """

    graph: bytes | None
    tried: tuple[Attempt, ...]


def answers_of(runner: Runner, crops: Crops) -> Answers:
    """Let a runner compute every crop, one at a time as the service does."""
    found = [runner.run(crops.plain(np.array([position]))) for position in range(len(crops))]
    return Answers(np.array([one.score for one in found]), np.stack([one.map for one in found]))


def quantise(graph: bytes, size: int, samples: Crops, held: Crops, of_float: Answers) -> Quantised:
    """Quantise with more and more of the first layers left in float, until the answers stay what they were.

    Args:
        graph: the float ONNX graph.
        size: side of its input.
        samples: photographs of the fitted part, from which the ranges are taken.
        held: photographs that were held out.
        of_float: the float graph's answers to them.
    """
    grades = held.grades.astype(np.int64)
    mask = held.preprocessing.mask
    radius = None if mask is None else mask / held.preprocessing.margin
    before = kappa_of_fit(of_float.scores, grades)
    tried: list[Attempt] = []
    for left_float in _LADDER:
        candidate = whole_numbers(graph, samples, left_float)
        answers = answers_of(OpenVinoRunner(candidate, size, OUTPUTS, threads=THREADS), held)
        attempt = Attempt(
            left_float=left_float,
            kappa=kappa_of_fit(answers.scores, grades),
            float_kappa=before,
            map_correlation=map_correlation(of_float.maps, answers.maps, radius),
        )
        tried.append(attempt)
        if attempt.accepted:
            return Quantised(candidate, tuple(tried))
    return Quantised(None, tuple(tried))


def whole_numbers(graph: bytes, samples: Crops, left_float: int) -> bytes:
    """Return the graph with int8 weights and activations as ONNX with QDQ nodes; the head stays in float.

    Args:
        graph: the float ONNX graph.
        samples: photographs from which the ranges of the activations are taken.
        left_float: how many convolutions from the input on stay in float too.
    """
    import nncf  # takes long to load, and only this needs it

    nncf.set_log_level(logging.WARNING)
    model = onnx.load_from_string(graph)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    dataset = nncf.Dataset(range(len(samples)), lambda position: {"photograph": samples.plain(np.array([position]))})
    quantised = nncf.quantize(
        model,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(samples),
        ignored_scope=nncf.IgnoredScope(names=[*convolutions[:left_float], *_head(model)], validate=False),
    )
    return bytes(quantised.SerializeToString())


def is_depthwise(graph: bytes) -> bool:
    """Say whether a graph has convolutions of one channel each: ONNX Runtime computes their int8 form slowly (P5)."""
    model = onnx.load_from_string(graph)
    channels = {weight.name: weight.dims[1] for weight in model.graph.initializer if len(weight.dims) == 4}
    return any(
        node.op_type == "Conv" and channels.get(node.input[1]) == 1 and attribute.name == "group" and attribute.i > 1
        for node in model.graph.node
        for attribute in node.attribute
    )


def map_correlation(one: Numbers, other: Numbers, radius: float | None) -> float:
    """Return how alike maps (n, h, w) are: the correlation of the places inside a disc, the mean over photographs.

    Args:
        one: maps of one graph.
        other: maps of the other.
        radius: of the disc in half sides; None takes every place.
    """
    steps = (np.arange(one.shape[-1]) + 0.5) * 2 / one.shape[-1] - 1
    inside = np.hypot(steps[:, None], steps[None, :]) <= (np.inf if radius is None else radius)
    first, second = (maps[:, inside] - maps[:, inside].mean(axis=1, keepdims=True) for maps in (one, other))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    # A map without any difference in it agrees with nothing.
    return float(np.mean((first * second).sum(axis=1) / np.where(size > 0, size, np.inf)))


def _head(model: onnx.ModelProto) -> list[str]:
    """Return the nodes that make score and map: from the outputs back to the convolution before them."""
    makers = {output: node for node in model.graph.node for output in node.output}
    waiting, found = list(OUTPUTS), []
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in found:
            continue
        found.append(node.name)
        if node.op_type != "Conv":
            waiting += node.input
    return found
