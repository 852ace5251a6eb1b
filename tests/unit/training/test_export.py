"""What is exported is a whole bundle: the service loads it, reproduces its golden pictures and is measured with it."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from casebook.errors import Misconfigured  # noqa: E402
from inference.bundle import SHIPPED, load_bundle  # noqa: E402
from inference.network.catalogue import build  # noqa: E402
from inference.runners.choice import choose  # noqa: E402
from inference.runners.onnx import OnnxRunner  # noqa: E402
from training.calibrate import fit_odds  # noqa: E402
from training.evaluate import evaluate, table  # noqa: E402
from training.export import export, to_onnx  # noqa: E402
from training.loop import Run, fit  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.sources import read_labels  # noqa: E402


@pytest.fixture(scope="module")
def bundle(eyes: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    checkpoint = fit(recipe, Run(read_labels(eyes), folder / "run", stop_after=0.0))
    export(checkpoint, read_labels(eyes), folder / "bundle", created=date(2026, 3, 12))
    return folder / "bundle"


@pytest.mark.parametrize("runner", ["openvino", "onnxruntime"])
def test_each_runner_reproduces_the_golden_pictures(bundle: Path, runner: str) -> None:
    others = frozenset({"openvino", "onnxruntime"} - {runner})
    choice = choose(load_bundle(bundle), device="cpu", threads=1, avoid=others)
    assert choice.runner.name.startswith(runner)


def test_the_card_tells_what_the_bundle_was_made_of(bundle: Path, recipe: Recipe) -> None:
    card = json.loads((bundle / "card.json").read_text())
    assert card["created"] == "2026-03-12"
    assert card["training"]["recipe"] == recipe.text
    assert sum(source["fitted"] + source["calibrated"] for source in card["training"]["data"]) == 20
    assert all(source["terms"] for source in card["training"]["data"])
    assert set(card["scores"]["sources"]) == {"aptos2019", "idrid", "all"}
    assert "Research use" in card["intended_use"]


def test_the_card_holds_what_evaluation_says_of_the_shipped_file(bundle: Path, eyes: Path) -> None:
    found = evaluate(bundle, read_labels(eyes), threads=1)
    assert found == json.loads((bundle / "card.json").read_text())["scores"]
    assert found["sources"]["all"]["photographs"] == 10
    assert "all" in table(found)


def test_an_existing_folder_is_not_overwritten(bundle: Path, eyes: Path) -> None:
    checkpoint = bundle.parent / "run" / "checkpoint.safetensors"
    with pytest.raises(Misconfigured, match="exists"):
        export(checkpoint, read_labels(eyes), bundle, created=date(2026, 3, 12))


def test_the_graph_computes_what_the_network_does() -> None:
    torch.manual_seed(2)
    network = build("efficientnet_lite0").eval()
    runner = OnnxRunner(to_onnx(network, 64), 64, ("score", "activation"), threads=1)
    tensor = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    answer = runner.run(tensor)
    with torch.inference_mode():
        score, activation = network(torch.from_numpy(tensor))
    assert answer.score == pytest.approx(float(score), abs=1e-4)
    assert np.allclose(answer.map, activation[0].numpy(), atol=1e-3)


def test_proportional_odds_are_found_again() -> None:
    random = np.random.default_rng(4)
    scores = random.uniform(-0.5, 4.5, 4000)
    cuts = np.array([0.7, 1.4, 2.6, 3.3])
    noise = random.logistic(0, 1 / 2.5, 4000)
    grades = (scores[:, None] + noise[:, None] > cuts[None, :]).sum(axis=1)
    odds = fit_odds(scores, grades)
    assert odds.slope == pytest.approx(2.5, rel=0.1)
    assert odds.cuts == pytest.approx(cuts, abs=0.1)


def test_a_grade_that_never_occurs_keeps_the_cuts_finite_and_in_order() -> None:
    scores = np.linspace(0, 1, 20)
    odds = fit_odds(scores, np.zeros(20, dtype=int))
    assert np.isfinite(odds.cuts).all()
    assert list(odds.cuts) == sorted(odds.cuts)
    assert odds.slope > 0


def test_the_shipped_bundle_holds_its_goals() -> None:
    card = json.loads((SHIPPED / "card.json").read_text())
    aptos = card["scores"]["sources"]["aptos2019"]
    assert aptos["quadratic_kappa"]["value"] >= 0.85
    assert aptos["referable_auc"]["value"] >= 0.95
    assert card["scores"]["split"] == "valid"
    assert card["files"]["model.onnx"]["size"] < 15 * 2**20


@pytest.mark.photographs
def test_the_shipped_file_scores_what_its_card_says(photographs: Path, tmp_path: Path) -> None:
    """A sixth of its APTOS part, through the service; the bounds leave room for so few photographs."""
    lines = (photographs / "labels.csv").read_text(encoding="utf-8").splitlines()
    valid = [line for line in lines[1:] if line.startswith("aptos2019/") and line.endswith(",valid")][::6]
    (tmp_path / "labels.csv").write_text("\n".join([lines[0], *valid]) + "\n", encoding="utf-8")
    (tmp_path / "aptos2019").symlink_to(photographs / "aptos2019")
    found = evaluate(SHIPPED, read_labels(tmp_path), threads=1)["sources"]["aptos2019"]
    assert found["photographs"] == len(valid) > 50
    assert found["quadratic_kappa"]["value"] > 0.8
    assert found["referable_auc"]["value"] > 0.93
