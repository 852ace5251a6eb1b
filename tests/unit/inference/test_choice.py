"""Which file and which runner a bundle is computed with, and what is refused whole."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_in_bundle

from casebook.errors import Misconfigured
from inference.bundle import load_bundle
from inference.runners.choice import Choice, choose


@pytest.fixture
def folder(stand_in: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stand_in, tmp_path / "bundle"))


def chosen(folder: Path, change: Callable[[dict[str, Any]], object]) -> Choice:
    card = json.loads((folder / "card.json").read_text())
    change(card)
    stand_in_bundle.write_card(folder, card | {"files": stand_in_bundle.listing(folder)})
    return choose(load_bundle(folder), device="cpu", threads=1)


def with_two_files(folder: Path, gain: float, *, own_scores: bool) -> Callable[[dict[str, Any]], None]:
    """Give the bundle a second file for OpenVINO, which scores otherwise, and the first one as its fallback."""
    other = stand_in_bundle.make(folder.parent / "other", gain=gain)
    shutil.copy(other / "model.onnx", folder / "model.int8.onnx")
    golden = [one["score"] for one in json.loads((other / "card.json").read_text())["golden"]]

    def change(card: dict[str, Any]) -> None:
        runner = card["runners"]["openvino"]
        card["runners"]["openvino_float"] = runner
        card["runners"]["openvino"] = runner | {"file": "model.int8.onnx", "golden": golden if own_scores else []}

    return change


def test_a_runner_is_held_to_its_own_golden_scores(folder: Path) -> None:
    """Gain 570 moves the scores by 0.12 to 0.14, more than twice the tolerance, and no grade changes."""
    choice = chosen(folder, with_two_files(folder, 570.0, own_scores=True))
    assert choice.runner.name.startswith("openvino ")
    assert choice.card.file == "model.int8.onnx"
    assert choice.fallback == ""


def test_performance_P5_the_float_file_takes_over_where_whole_numbers_round_otherwise(folder: Path) -> None:
    choice = chosen(folder, with_two_files(folder, 570.0, own_scores=False))
    assert choice.runner.name.startswith("openvino_float ")
    assert choice.card.file == "model.onnx"
    assert choice.fallback.startswith("OpenVINO is not used: it scores golden/")


def test_a_process_that_whole_numbers_ended_goes_on_with_the_float_file(stand_in: Path) -> None:
    card = json.loads((stand_in / "card.json").read_text())
    assert "openvino_float" not in card["runners"]
    choice = choose(load_bundle(stand_in), device="cpu", threads=1, avoid=frozenset({"openvino", "openvino_float"}))
    assert choice.runner.name.startswith("onnxruntime ")


def _wrong_golden_score(card: dict[str, Any]) -> None:
    card["golden"][1]["score"] += 0.06


def _too_few_golden_scores(card: dict[str, Any]) -> None:
    card["runners"]["openvino"]["golden"] = [1.0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            _wrong_golden_score,
            r"OpenVINO is not used: it scores golden/few_lesions.png .* ONNX Runtime is not used: it",
        ),
        (_too_few_golden_scores, "does not say what each runner scores"),
    ],
)
def test_security_S21_a_bundle_with_wrong_golden_scores_is_refused_in_one_sentence(
    folder: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    with pytest.raises(Misconfigured, match=says) as refusal:
        chosen(folder, change)
    assert "\n" not in str(refusal.value)
    assert refusal.value.remedy


def test_security_S21_a_pickle_under_a_models_name_is_never_opened(folder: Path, tmp_path: Path) -> None:
    trap = tmp_path / "opened"
    (folder / "model.onnx").write_bytes(pickle.dumps(_Trap(trap)))
    with pytest.raises(Misconfigured, match="cannot load the graph") as refusal:
        chosen(folder, lambda _card: None)
    assert "\n" not in str(refusal.value)
    assert not trap.exists()


class _Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)
