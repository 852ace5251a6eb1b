"""The torch runner, as far as it can be proven without a GPU: in float32 on the CPU."""

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in_bundle
import torch
import torch_bundle
from safetensors.torch import load_file, save_file

from casebook.errors import Misconfigured
from inference.bundle import load_bundle
from inference.runners.choice import choose, load_torch
from inference.runners.cuda import OutOfGpuMemory, TorchRunner
from inference.runners.runner import RunnerFailed

Edit = Callable[[Path], None]


@pytest.fixture
def folder(with_weights: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(with_weights, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def runner(with_weights: Path) -> TorchRunner:
    return load_torch(load_bundle(with_weights), device="cpu")


def test_a_batch_answers_as_each_photograph_alone(runner: TorchRunner) -> None:
    eyes = torch_bundle.tensors(7)
    together = runner.run_batch(eyes)
    alone = [runner.run(eyes[number : number + 1]) for number in range(7)]
    assert np.std([one.score for one in alone]) > 0.1, "the eyes differ"
    for one, other in zip(together, alone, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert np.abs(one.map - other.map).max() < 1e-3
        assert one.map.shape == (2, 2)
        assert one.map.dtype == np.float32


def test_torch_answers_as_the_graph_made_of_the_same_weights(with_weights: Path, runner: TorchRunner) -> None:
    graph = choose(load_bundle(with_weights), device="cpu", threads=1, avoid=frozenset({"openvino"})).runner
    for eye in torch_bundle.tensors(3):
        assert runner.run(eye[None]).score == pytest.approx(graph.run(eye[None]).score, abs=1e-3)


def test_performance_P11_half_precision_keeps_the_maps_mean_the_score(with_weights: Path) -> None:
    weights = (with_weights / "weights.safetensors").read_bytes()
    runner = TorchRunner(weights, torch_bundle.ARCHITECTURE, torch_bundle.SIZE, device="cpu")
    full = runner.run_batch(torch_bundle.tensors(4))
    runner._network.half()
    runner._dtype = torch.float16
    halved = runner.run_batch(torch_bundle.tensors(4))  # fails where map and score part by 1e-3
    for one, other in zip(full, halved, strict=True):
        assert one.score == pytest.approx(other.score, abs=0.2)  # the weights are random, nothing in them is robust
        assert one.score != other.score, "it really was computed in half precision"


def test_the_network_is_laid_out_for_the_gpu_and_keeps_no_gradients(runner: TorchRunner) -> None:
    assert runner._network.backbone.conv_head.weight.is_contiguous(memory_format=torch.channels_last)
    assert not any(weight.requires_grad for weight in runner._network.parameters())
    assert not runner._network.training


def _without_a_key(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    del weights["head.bias"]
    save_file(weights, folder / "weights.safetensors")


def _a_pickle(folder: Path) -> None:
    torch.save({"head.bias": torch.zeros(1)}, folder / "weights.safetensors")


@pytest.mark.parametrize("edit", [_without_a_key, _a_pickle])
def test_weights_that_are_not_the_architectures_are_refused(folder: Path, edit: Edit) -> None:
    edit(folder)
    _change(folder, files=stand_in_bundle.listing(folder))
    with pytest.raises(RunnerFailed, match="torch cannot load the weights of a network efficientnet_lite0"):
        load_torch(load_bundle(folder), device="cpu")


def test_an_architecture_nobody_knows_is_refused(folder: Path) -> None:
    _change(folder, network={"architecture": "../evil", "parameters": 1})
    with pytest.raises(RunnerFailed, match="torch cannot load the weights"):
        load_torch(load_bundle(folder), device="cpu")


def test_security_S21_weights_that_answer_otherwise_than_the_card_says_are_refused(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    weights["head.bias"] += 0.5
    save_file(weights, folder / "weights.safetensors")
    _change(folder, files=stand_in_bundle.listing(folder))
    with pytest.raises(RunnerFailed, match=r"torch does not compute the bundle torch-stand-in .*: it scores golden/"):
        load_torch(load_bundle(folder), device="cpu")


def test_cuda_with_a_bundle_without_weights_is_refused_in_one_sentence(stand_in: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        choose(load_bundle(stand_in), device="cuda", threads=1)
    assert refused.value.message == "model.device is cuda, but the bundle stand-in has no weights for torch."
    assert refused.value.remedy == "Set model.bundle to one that has them, or set model.device to cpu."


def test_cuda_without_a_gpu_is_refused_in_one_sentence(with_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Misconfigured) as refused:
        choose(load_bundle(with_weights), device="cuda", threads=1)
    assert refused.value.message == "model.device is cuda, but torch finds no GPU."
    assert refused.value.remedy == (
        "Install NVIDIA's driver and a torch made for CUDA (docs/deployment.md, A GPU worker), "
        "or set model.device to cpu."
    )


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_cuda_without_torch_is_refused_in_one_sentence(
    with_weights: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    bundle, imports = load_bundle(with_weights), builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ImportError(f"No module named {name!r}", name=name)
        return imports(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Misconfigured) as refused:
        choose(bundle, device="cuda", threads=1)
    assert refused.value.message == f"model.device is cuda, but {missing} is not installed."
    assert refused.value.remedy == (
        "Install what a GPU worker needs (docs/deployment.md, A GPU worker), or set model.device to cpu."
    )


def test_a_gpu_without_room_says_so(runner: TorchRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any) -> None:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_network", full)
        with pytest.raises(OutOfGpuMemory):
            runner.run_batch(torch_bundle.tensors(1))
    assert runner.run_batch(torch_bundle.tensors(1))


def _change(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    stand_in_bundle.write_card(folder, card | changes)
