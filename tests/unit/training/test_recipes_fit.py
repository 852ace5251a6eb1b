"""The recipes of ResNeXt-101 and EfficientNet hold what they promise, and are fitted end to end on phantoms."""

import filecmp
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from inference.bundle import RunnerCard  # noqa: E402
from inference.grading import answer  # noqa: E402
from inference.network.catalogue import ARCHITECTURES, build  # noqa: E402
from inference.network.head import Grader  # noqa: E402
from inference.runners.onnx import OnnxRunner  # noqa: E402
from inference.runners.openvino import OpenVinoRunner  # noqa: E402
from training.bundle.export import to_onnx  # noqa: E402
from training.fit import checkpoint  # noqa: E402
from training.fit.cpu import hasten  # noqa: E402
from training.fit.loop import Run, fit  # noqa: E402
from training.photographs.dataset import Crops  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.recipe import load_recipe, parse_recipe  # noqa: E402

pytestmark = pytest.mark.timeout(600)  # large networks, on a machine that may be busy besides

RECIPES = ["resnext101", "efficientnet"]
SISTERS = {"resnext101": ["resnext101_32x4d"], "efficientnet": ["efficientnet_b3", "efficientnet_v2_s"]}
RUNNERS = [OnnxRunner, OpenVinoRunner]
OUTPUTS = ("score", "activation")
CARD = RunnerCard.model_validate(
    {
        "file": "model.onnx",
        "thresholds": [0.5, 1.5, 2.5, 3.5],
        "calibration": {"slope": 2, "cuts": [0.5, 1.5, 2.5, 3.5]},
    }
)


def shrunk(name: str) -> str:
    """The shipped recipe with the smaller sister, random weights and what makes it a matter of seconds."""
    text = load_recipe(name).text
    for key, value in {
        "architecture": f'"{SISTERS[name][0]}"',
        "weights": '"random"',
        "size": "64",
        "batch": "4\nthreads = 1",
        "accumulate": "2",
        "folds": "3",
        "precision": '"float32"',
        "average": "0.9",
        "epochs": "1\ndraws = 8",
        "learning_rate": "1e-4",
    }.items():
        text, changed = re.subn(rf"(?m)^{key} = .*", f"{key} = {value}", text)
        assert changed, key
    return text


@pytest.fixture(scope="module")
def run(eyes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run of ResNeXt-101 32x4d; its checkpoint is large and does not stay."""
    folder = tmp_path_factory.mktemp("resnext")
    fit(parse_recipe(shrunk("resnext101")), Run(read_labels(eyes), folder / "unbroken"))
    yield folder / "unbroken"
    shutil.rmtree(folder)


def settled(architecture: str) -> Grader:
    """A network as well conditioned as a fitted one: its norms have seen pictures, its residual parts are small.

    A random ResNeXt-101 as it comes is chaotic: float32 alone then moves its score by 1.5e-4 against float64.
    """
    torch.manual_seed(2)
    network = build(architecture).train()
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            if name.endswith("bn3"):
                torch.nn.init.constant_(module.weight, 0.2)
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_holds_what_wins_today(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.architecture in ARCHITECTURES
    assert recipe.weights == "torchvision"
    assert recipe.stages[0].warm_up > 0
    assert recipe.stages[-1].schedule == "cosine"
    assert recipe.fit.average > 0.9
    assert recipe.fit.balance > 0
    assert recipe.fit.fellow > 0
    assert recipe.fit.precision != "float32"
    assert recipe.augment is not None
    assert all(sister in recipe.text for sister in SISTERS[name])
    # torchvision's presets for these weights: mean 0.485, 0.456, 0.406, deviation 0.229, 0.224, 0.225 of 1
    assert recipe.preprocessing.mean == pytest.approx((0.485 * 255, 0.456 * 255, 0.406 * 255))
    assert recipe.preprocessing.scale == pytest.approx((0.229 * 255, 0.224 * 255, 0.225 * 255))


def test_a_resumed_fit_of_resnext_equals_an_unbroken_one_bit_for_bit(run: Path, eyes: Path) -> None:
    recipe = parse_recipe(shrunk("resnext101"))
    broken = fit(recipe, Run(read_labels(eyes), run.parent / "broken", stop_after=0.0))
    assert checkpoint.load_average(broken)[2].epochs == 1
    resumed = fit(recipe, Run(read_labels(eyes), run.parent / "broken", resume=True))
    assert filecmp.cmp(resumed, run / checkpoint.NAME, shallow=False)


def test_a_fit_of_resnext_nears_the_eyes_that_were_held_out(run: Path) -> None:
    losses = [json.loads(line)["held_loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 2
    assert losses[1] < losses[0]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_fitted_resnext_grades_the_same_exported_as_in_torch(run: Path, eyes: Path, runner: type) -> None:
    weights, recipe, _ = checkpoint.load_average(run / checkpoint.NAME)
    network = build(recipe.architecture).eval()
    network.load_state_dict(weights)
    exported = runner(to_onnx(network, 64), 64, OUTPUTS, threads=1)
    eyes_seen = Crops(read_labels(eyes)[:6], recipe.preprocessing, fitting=False)
    for position in range(len(eyes_seen)):
        tensor = eyes_seen.plain(np.array([position]))
        found = exported.run(tensor)
        with torch.inference_mode():
            score, activation = network(torch.from_numpy(tensor))
        assert found.score == pytest.approx(float(score), abs=1e-4)
        assert np.allclose(found.map, activation[0].numpy(), atol=1e-4)
        assert answer(found.score, CARD).grade == answer(float(score), CARD).grade


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_graph_computes_what_the_network_does(architecture: str) -> None:
    network = settled(architecture)
    graph = to_onnx(network, 64)
    tensor = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        score, activation = network(torch.from_numpy(tensor))
    for runner in RUNNERS:
        found = runner(graph, 64, OUTPUTS, threads=1).run(tensor)
        assert found.score == pytest.approx(float(score), abs=1e-4)
        assert np.allclose(found.map, activation[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("architecture", ["efficientnet_lite0", "efficientnet_b0"])
def test_the_fast_gradients_are_those_of_torch(architecture: str) -> None:
    """Both in bfloat16, whose eight bits are what they may differ by."""
    pictures = torch.from_numpy(np.random.default_rng(4).normal(size=(4, 3, 64, 64)).astype(np.float32))
    found = []
    for fast in (False, True):
        network = settled(architecture)
        network.train()
        if fast:
            hasten(network)
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            score = network.train_score(pictures)
        (score - 2).square().sum().backward()
        found.append([weight.grad.double() for weight in network.parameters() if weight.shape[1:2] == (1,)])
    depthwise = 16
    assert len(found[0]) >= depthwise
    for plain, fast in zip(*found, strict=True):
        assert float((plain - fast).norm()) <= 0.05 * float(plain.norm())
