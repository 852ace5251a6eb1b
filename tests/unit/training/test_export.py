"""What is exported is a whole bundle: the service loads it, reproduces its golden pictures and is measured with it."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from casebook.errors import BadInput, Misconfigured  # noqa: E402
from inference.bundle import SHIPPED, load_bundle  # noqa: E402
from inference.grading import answer, certainty  # noqa: E402
from inference.network.catalogue import build  # noqa: E402
from inference.runners.choice import TITLES, choose, load_torch  # noqa: E402
from inference.runners.onnx import OnnxRunner  # noqa: E402
from training.bundle import quantise  # noqa: E402
from training.bundle.export import Network, export, joined, out_of_fold, runners_of, to_onnx  # noqa: E402
from training.bundle.quantise import Answers, Quantised  # noqa: E402
from training.fit.checkpoint import start_from  # noqa: E402
from training.fit.loop import Run, fit  # noqa: E402
from training.measure.calibrate import fit_doubt, fit_odds, fit_runner  # noqa: E402
from training.measure.evaluate import evaluate, table  # noqa: E402
from training.photographs.dataset import Crops  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.recipe import Recipe  # noqa: E402


@pytest.fixture(scope="module")
def bundle(eyes: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole numbers are accepted whatever they do to so raw a network: what is exported then is tested here."""
    folder = tmp_path_factory.mktemp("export")
    checkpoint = fit(recipe, Run(read_labels(eyes), folder / "run", stop_after=0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantise, "_LEAST_CORRELATION", -2.0)
        patch.setattr(quantise, "_MOST_KAPPA_LOST", 2.0)
        export(checkpoint, read_labels(eyes), folder / "bundle", created=date(2026, 3, 12))
    return folder / "bundle"


@pytest.mark.parametrize(
    ("runner", "file"),
    [("openvino", "model.int8.onnx"), ("openvino_float", "model.onnx"), ("onnxruntime", "model.onnx")],
)
def test_performance_P5_each_runner_reproduces_the_golden_pictures_with_its_own_file(
    bundle: Path, runner: str, file: str
) -> None:
    others = frozenset(TITLES) - {runner}
    choice = choose(load_bundle(bundle), device="cpu", threads=1, avoid=others)
    assert choice.runner.name.split(" ")[0] == runner
    assert choice.card.file == file


def test_torch_reproduces_them_from_weights_of_half_precision(bundle: Path) -> None:
    load_torch(load_bundle(bundle), device="cpu")
    weights = load_file(bundle / "weights.safetensors")
    assert {key.split(".")[0] for key in weights} == {"backbone", "head"}
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float16}
    assert not list(bundle.rglob("*.pt"))


def test_the_weights_of_a_bundle_may_start_another_fit(bundle: Path, eyes: Path, recipe: Recipe) -> None:
    network = build(recipe.architecture)
    start_from(network, bundle / "weights.safetensors")
    expected = load_file(bundle / "weights.safetensors")["head.weight"]
    assert torch.equal(network.head.weight.detach(), expected.float())


def test_without_whole_numbers_every_runner_takes_the_float_file() -> None:
    graph = to_onnx(build("efficientnet_lite0"), 64)
    files = {name: file for name, (file, _) in runners_of(graph, Quantised(None, ()), 64).items()}
    assert files == {"openvino": "model.onnx", "onnxruntime": "model.onnx"}


def test_the_card_says_what_was_tried_and_when_a_person_is_asked(bundle: Path) -> None:
    card = json.loads((bundle / "card.json").read_text())
    tried = card["quantisation"]["tried"]
    assert card["quantisation"]["accepted"]
    assert [attempt["accepted"] for attempt in tried] == [True]
    assert set(tried[0]) == {"left_float", "kappa", "float_kappa", "map_correlation", "accepted"}
    assert card["quantisation"]["samples"] == sum(source["fitted"] for source in card["training"]["data"])
    assert all(0.5 <= runner["doubt_below"] < 1 for runner in card["runners"].values())
    assert card["scores"]["doubt"]


def test_a_network_is_not_exported_with_photographs_it_was_not_fitted_with(bundle: Path, eyes: Path) -> None:
    with pytest.raises(BadInput, match="fitted on other photographs"):
        Network.load(bundle.parent / "run" / "checkpoint.safetensors", read_labels(eyes)[:-3])


def test_thresholds_may_come_from_the_networks_of_all_folds(
    bundle: Path, eyes: Path, recipe: Recipe, tmp_path: Path
) -> None:
    photographs = read_labels(eyes)
    first = Network.load(bundle.parent / "run" / "checkpoint.safetensors", photographs)
    second = Network.load(fit(recipe, Run(photographs, tmp_path, fold=1, stop_after=0.0)), photographs)
    pooled = out_of_fold(first, [second])
    assert [photograph.path for photograph in pooled.photographs] == [photograph.path for photograph in second.held]
    assert not {photograph.patient for photograph in pooled.photographs} & {one.patient for one in first.held}
    held = Crops(first.held, recipe.preprocessing, fitting=False)
    answers = Answers(np.arange(len(held)) / 10, np.zeros((len(held), 2, 2), np.float32))
    scores, grades = joined(pooled, held, answers, answers)
    assert np.allclose(scores, [*answers.scores, *pooled.scores])
    assert grades.tolist() == [one.grade for one in (*held.photographs, *pooled.photographs)]
    moved, _ = joined(pooled, held, Answers(2 * answers.scores + 1, answers.maps), answers)
    assert np.allclose(moved[len(held) :], 2 * pooled.scores + 1)
    with pytest.raises(BadInput, match="Fold 1 is given twice"):
        out_of_fold(second, [second])


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


def test_doubt_sends_no_more_than_the_share_and_as_much_of_it_as_it_can() -> None:
    random = np.random.default_rng(4)
    scores = random.uniform(-0.5, 4.5, 500)
    card = fit_runner("model.onnx", scores, np.clip(np.rint(scores + random.normal(0, 0.5, 500)), 0, 4).astype(int))
    sent = np.mean([answer(float(score), card).doubtful for score in scores])
    assert 0.09 < sent <= 0.1
    assert fit_doubt(scores, card.calibration, 0.0) <= min(certainty(float(one), card.calibration) for one in scores)


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
    most = {"model.onnx": 15, "model.int8.onnx": 5, "weights.safetensors": 15}
    assert all(file["size"] < most.get(name, 1) * 2**20 for name, file in card["files"].items())


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
