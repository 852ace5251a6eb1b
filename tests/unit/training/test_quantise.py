"""Whole numbers take the float graph's place only where the answers stay what they were."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from inference.network.catalogue import build  # noqa: E402
from inference.network.head import Grader  # noqa: E402
from inference.preprocess import Preprocessing  # noqa: E402
from inference.runners.onnx import OnnxRunner  # noqa: E402
from inference.runners.openvino import OpenVinoRunner  # noqa: E402
from training.bundle import quantise as subject  # noqa: E402
from training.bundle.export import to_onnx  # noqa: E402
from training.bundle.quantise import Answers, Attempt, answers_of, is_depthwise, map_correlation, quantise  # noqa: E402
from training.photographs.dataset import Crops  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402

SIZE = 64


@pytest.fixture(scope="module")
def crops(eyes: Path) -> Crops:
    return Crops(read_labels(eyes)[:8], Preprocessing(size=SIZE), fitting=False)


def graph_of(seed: int) -> bytes:
    """Return a random network whose norms know what passes through them, and whose map has something to say."""
    torch.manual_seed(seed)
    network = build("efficientnet_lite0")
    torch.nn.init.normal_(network.head.weight, std=0.1)
    torch.set_num_threads(1)
    with torch.no_grad():
        for _ in range(12):
            network(torch.randn(4, 3, SIZE, SIZE))
    return to_onnx(network, SIZE)


@pytest.fixture(scope="module")
def graph() -> bytes:
    return graph_of(3)


@pytest.fixture(scope="module")
def of_float(graph: bytes, crops: Crops) -> Answers:
    return answers_of(OpenVinoRunner(graph, SIZE, subject.OUTPUTS, threads=1), crops)


@pytest.fixture(scope="module")
def whole(graph: bytes, crops: Crops) -> bytes:
    return subject.whole_numbers(graph, crops, 1)


@pytest.mark.parametrize("runner", [OpenVinoRunner, OnnxRunner])
def test_performance_P11_the_map_of_whole_numbers_still_has_the_score_as_its_mean(
    whole: bytes, crops: Crops, runner: type[OpenVinoRunner] | type[OnnxRunner]
) -> None:
    """The runner itself refuses an answer whose map and score differ by 1e-3."""
    answers = answers_of(runner(whole, SIZE, subject.OUTPUTS, threads=1), crops)
    assert np.abs(answers.maps.mean(axis=(1, 2)) - answers.scores).max() < 1e-3


def test_weights_are_whole_numbers_but_for_the_first_layer_and_the_head(whole: bytes, graph: bytes) -> None:
    model = onnx.load_from_string(whole)
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    quantised = [makers.get(node.input[1]) == "DequantizeLinear" for node in convolutions]
    assert quantised == [False, *[True] * (len(convolutions) - 2), False]
    assert len(whole) < len(graph) / 3


def test_what_computes_the_same_is_accepted_at_once(
    graph: bytes, crops: Crops, of_float: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "whole_numbers", lambda graph, _samples, _left: graph)
    made = quantise(graph, SIZE, crops, crops, of_float)
    assert made.graph == graph
    assert [attempt.left_float for attempt in made.tried] == [0]
    assert made.tried[0].map_correlation == pytest.approx(1)


def test_what_computes_something_else_is_tried_with_more_layers_in_float_and_then_left(
    graph: bytes, crops: Crops, of_float: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = graph_of(4)
    asked: list[int] = []

    def whole_numbers(_graph: bytes, _samples: Crops, left_float: int) -> bytes:
        asked.append(left_float)
        return other

    monkeypatch.setattr(subject, "whole_numbers", whole_numbers)
    made = quantise(graph, SIZE, crops, crops, of_float)
    assert made.graph is None
    assert asked == [attempt.left_float for attempt in made.tried] == sorted(asked)
    assert len(asked) > 1
    assert not any(attempt.accepted for attempt in made.tried)


@pytest.mark.parametrize(
    ("kappa", "correlation", "accepted"),
    [(0.8, 0.995, True), (0.7951, 0.995, True), (0.7949, 0.995, False), (0.9, 0.9901, True), (0.9, 0.99, False)],
)
def test_kappa_may_fall_by_less_than_0_005_and_maps_correlate_above_0_99(
    kappa: float, correlation: float, accepted: bool
) -> None:
    assert Attempt(0, kappa, 0.8, correlation).accepted is accepted


def test_maps_are_compared_inside_the_disc_alone() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=(3, 12, 12)).astype(np.float32)
    other = 2 * one + 1
    other[:, 0, 0] = 1e6
    assert map_correlation(one, other, 0.98) == pytest.approx(1, abs=1e-5)
    assert map_correlation(one, other, None) < 0.5
    assert map_correlation(one, np.zeros_like(one), 0.98) == 0


@pytest.mark.parametrize(("groups", "depthwise"), [(1, False), (2, False), (8, True)])
def test_depthwise_is_one_channel_a_group(groups: int, depthwise: bool) -> None:
    backbone = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 8, 3, groups=groups))
    backbone.channels = 8
    assert is_depthwise(to_onnx(Grader(backbone), SIZE)) is depthwise
