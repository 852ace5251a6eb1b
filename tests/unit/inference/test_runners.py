import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in_bundle

from casebook.errors import Misconfigured
from inference.bundle import load_bundle
from inference.runners.choice import choose
from inference.runners.onnx import OnnxRunner
from inference.runners.openvino import OpenVinoRunner
from inference.runners.runner import RunnerFailed, checked

OUTPUTS = ("score", "activation")


@pytest.fixture
def folder(stand_in: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stand_in, tmp_path / "bundle"))


def change(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    stand_in_bundle.write_card(folder, card | changes)


def test_both_runners_answer_alike_and_the_map_says_where(stand_in: Path) -> None:
    model = (stand_in / "model.onnx").read_bytes()
    rng = np.random.default_rng(1)
    tensor = rng.normal(0, 0.1, (1, 3, stand_in_bundle.SIZE, stand_in_bundle.SIZE)).astype(np.float32)
    answers = [
        OpenVinoRunner(model, stand_in_bundle.SIZE, OUTPUTS, threads=1).run(tensor),
        OnnxRunner(model, stand_in_bundle.SIZE, OUTPUTS, threads=1).run(tensor),
    ]
    assert answers[0].score == pytest.approx(answers[1].score, abs=1e-3)
    for answer in answers:
        assert answer.map.shape == (stand_in_bundle.GRID, stand_in_bundle.GRID)
        assert answer.map.dtype == np.float32
        assert answer.map.mean() == pytest.approx(answer.score, abs=1e-3)


def test_an_answer_stays_what_it_was_when_the_next_one_comes(stand_in: Path) -> None:
    runner = OpenVinoRunner((stand_in / "model.onnx").read_bytes(), stand_in_bundle.SIZE, OUTPUTS, threads=1)
    shape = (1, 3, stand_in_bundle.SIZE, stand_in_bundle.SIZE)
    first = runner.run(np.zeros(shape, np.float32))
    before = first.map.copy()
    runner.run(np.random.default_rng(1).normal(0, 1, shape).astype(np.float32))
    assert np.array_equal(first.map, before)


@pytest.mark.parametrize("score", [1.01, float("nan"), float("inf")])
def test_performance_P11_a_map_that_contradicts_its_score_is_no_answer(score: float) -> None:
    activation = np.ones((1, 3, 3), np.float32)
    assert checked(np.array([1.0], np.float32), activation).score == 1.0
    with pytest.raises(RunnerFailed, match="contradict"):
        checked(np.array([score], np.float32), activation)


@pytest.mark.parametrize("runner", [OpenVinoRunner, OnnxRunner])
def test_a_file_that_is_no_graph_is_refused(runner: type[OpenVinoRunner] | type[OnnxRunner]) -> None:
    with pytest.raises(RunnerFailed, match="cannot load the graph"):
        runner(b"no graph at all", 288, OUTPUTS, threads=1)


def test_openvino_comes_first_and_says_nothing(stand_in: Path) -> None:
    choice = choose(load_bundle(stand_in), device="auto", threads=1)
    assert choice.runner.name.startswith("openvino ")
    assert choice.fallback == ""


def test_what_openvino_compiled_is_kept_where_it_may(stand_in: Path, tmp_path: Path) -> None:
    choose(load_bundle(stand_in), device="cpu", threads=1, cache=tmp_path)
    assert list(tmp_path.iterdir())


def test_onnx_runtime_takes_over_where_openvino_does_not_answer_as_the_card_says(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    broken = stand_in_bundle.make(folder.parent / "other", gain=500.0) / "model.onnx"
    shutil.copy(broken, folder / "quantised.onnx")
    openvino = card["runners"]["openvino"] | {"file": "quantised.onnx"}
    listing = stand_in_bundle.listing(folder)
    change(folder, files=listing, runners=card["runners"] | {"openvino": openvino})
    choice = choose(load_bundle(folder), device="auto", threads=1)
    assert choice.runner.name.startswith("onnxruntime ")
    assert choice.fallback.startswith("OpenVINO is not used: it scores golden/healthy.png")


def test_a_runner_that_ended_its_process_is_not_tried_again(stand_in: Path) -> None:
    choice = choose(load_bundle(stand_in), device="auto", threads=1, avoid=frozenset({"openvino"}))
    assert choice.runner.name.startswith("onnxruntime ")
    assert "ended the process" in choice.fallback


def test_another_grade_is_refused_even_within_the_tolerance(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    for golden in card["golden"]:
        golden["grade"] = 4
    change(folder, golden=card["golden"])
    with pytest.raises(Misconfigured, match=r"OpenVINO is not used: .*ONNX Runtime is not used: .*differently"):
        choose(load_bundle(folder), device="auto", threads=1)
