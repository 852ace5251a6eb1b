"""A fit starts from weights somebody named: a file, torchvision's own, or chance; never from chance by silence."""

import sys
import types
from pathlib import Path
from urllib.error import URLError

import pytest

torch = pytest.importorskip("torch")

from casebook.errors import BadInput, Misconfigured, Unavailable  # noqa: E402
from inference.network.catalogue import ARCHITECTURES, build  # noqa: E402
from training.fit import weights  # noqa: E402
from training.fit.weights import Start, fill, find  # noqa: E402

B0 = "efficientnet_b0_rwightman-7f5810bc.pth"


class Torchvision(types.ModuleType):
    """Stands in for ``torchvision.models``, and answers or raises what it is told to."""

    def __init__(self, answer: object) -> None:
        super().__init__("torchvision.models")
        self.answer, self.asked = answer, []

    def get_weight(self, name: str) -> "Torchvision":
        self.asked.append(name)
        return self

    def get_state_dict(self, **options: bool) -> object:
        self.asked.append(options)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def installed(monkeypatch: pytest.MonkeyPatch, answer: object) -> Torchvision:
    module = Torchvision(answer)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    return module


def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)


def test_the_file_given_goes_before_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.touch()
    assert find("efficientnet_b0", "random", given=path, folders=[]) == path
    with pytest.raises(Misconfigured, match=r"none\.safetensors"):
        find("efficientnet_b0", "random", given=tmp_path / "none.safetensors", folders=[])


def test_the_recipes_file_is_looked_for_beside_the_data(tmp_path: Path) -> None:
    (tmp_path / "two" / "weights").mkdir(parents=True)
    path = tmp_path / "two" / "weights" / "start.safetensors"
    path.touch()
    folders = [tmp_path / "one", tmp_path / "two"]
    assert find("efficientnet_lite0", path.name, given=None, folders=folders) == path
    with pytest.raises(Misconfigured, match=r"other\.safetensors are in none of the data folders.*--weights"):
        find("efficientnet_lite0", "other.safetensors", given=None, folders=folders)


def test_a_file_that_torchvision_would_download_is_taken_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / B0).touch()
    assert find("efficientnet_b0", "torchvision", given=None, folders=[tmp_path]) == tmp_path / B0


def test_without_torchvision_the_sentence_says_what_to_install_or_give(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch)
    with pytest.raises(Misconfigured) as raised:
        find("efficientnet_b0", "torchvision", given=None, folders=[])
    assert "not installed" in str(raised.value)
    assert "Install torchvision" in raised.value.remedy
    assert B0 in raised.value.remedy


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_starts_from_chance_by_silence(architecture: str) -> None:
    with pytest.raises(Misconfigured, match=r"start weights.*--weights.*(torchvision|timm)"):
        find(architecture, "", given=None, folders=[])


def test_what_torchvision_does_not_publish_is_said_with_where_it_is() -> None:
    with pytest.raises(Misconfigured, match=r"no weights for resnext101_32x4d.*resnext101_32x4d\.gluon_in1k"):
        find("resnext101_32x4d", "torchvision", given=None, folders=[])


def test_chance_is_a_start_where_it_is_asked_for() -> None:
    network = build("efficientnet_lite0")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert find("efficientnet_lite0", "random", given=None, folders=[]) is Start.RANDOM
    assert fill(network, "efficientnet_lite0", Start.RANDOM) == ""
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_torchvisions_own_download_is_checked_and_executes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {key: torch.full_like(value, 2) for key, value in build("efficientnet_b0").backbone.state_dict().items()}
    module = installed(monkeypatch, theirs | {"classifier.1.bias": torch.zeros(1000)})
    monkeypatch.setattr(weights, "find_spec", lambda name: name)
    start = find("efficientnet_b0", "torchvision", given=None, folders=[])
    network = build("efficientnet_b0")
    assert fill(network, "efficientnet_b0", start) == B0
    assert module.asked[0] == "EfficientNet_B0_Weights.IMAGENET1K_V1"
    assert module.asked[1]["check_hash"]
    assert module.asked[1]["weights_only"]
    assert all(torch.equal(value, theirs[key]) for key, value in network.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("answer", "error"),
    [(URLError("no route"), Unavailable), (RuntimeError("invalid hash value"), BadInput), ({}, BadInput)],
)
def test_a_download_that_fails_is_one_sentence(
    answer: object, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, answer)
    with pytest.raises(error, match=B0):
        fill(build("efficientnet_b0"), "efficientnet_b0", Start.TORCHVISION)


def test_a_torchvision_for_another_torch_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises RuntimeError when it is imported: its operators do not exist."""

    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "torchvision":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.delitem(sys.modules, "torchvision.models", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(Misconfigured, match="does not fit this torch"):
        fill(build("efficientnet_b0"), "efficientnet_b0", Start.TORCHVISION)
