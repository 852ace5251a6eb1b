import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_in_bundle

from casebook.errors import Misconfigured
from inference.bundle import load_bundle


@pytest.fixture
def folder(stand_in: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stand_in, tmp_path / "bundle"))


def card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "card.json").read_text()))


def test_security_S21_a_bundle_is_its_card_and_exactly_the_files_it_lists(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.sha256 == hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    assert bundle.card.name == "stand-in"
    assert bundle.preprocessing.size == stand_in_bundle.SIZE
    assert bundle.files["model.onnx"] == (folder / "model.onnx").read_bytes()
    assert set(bundle.files) == set(card(folder)["files"])


def _without_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _without_card(folder: Path) -> None:
    (folder / "card.json").unlink()


def _without_model(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def _changed_model(folder: Path) -> None:
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)


def _longer_model(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as stream:
        stream.write(b"x")


def _unlisted_file(folder: Path) -> None:
    (folder / "golden" / "more.png").write_bytes(b"x")


def _link_to_a_file(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "model.onnx")
    (folder / "model.onnx").symlink_to(folder.parent / "model.onnx")


def _link_to_a_folder(folder: Path) -> None:
    (folder / "golden").rename(folder.parent / "golden")
    (folder / "golden").symlink_to(folder.parent / "golden")


def _pipe_instead_of_a_file(folder: Path) -> None:
    (folder / "LICENSE").unlink()
    os.mkfifo(folder / "LICENSE")


def _card(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        changed = card(folder)
        change(changed)
        stand_in_bundle.write_card(folder, changed)

    return spoil


def _listed_under(name: str) -> Callable[[Path], None]:
    return _card(lambda card: card["files"].update({name: card["files"]["model.onnx"]}))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (_without_folder, "There is no bundle at"),
    "no card": (_without_card, "holds no card.json"),
    "no model": (_without_model, "model.onnx is missing"),
    "changed model": (_changed_model, "model.onnx is not the one"),
    "longer model": (_longer_model, "model.onnx is not the one"),
    "unlisted file": (_unlisted_file, "does not list: golden/more.png"),
    "link to a file": (_link_to_a_file, "a link: model.onnx"),
    "link to a folder": (_link_to_a_folder, "a link: golden"),
    "pipe": (_pipe_instead_of_a_file, "LICENSE is no regular file"),
    "no JSON": (lambda folder: (folder / "card.json").write_text("{"), "no JSON"),
    "no object": (lambda folder: (folder / "card.json").write_text("[1]"), "format"),
    "newer format": (_card(lambda card: card.update(format=2)), "format this version does not know"),
    "key missing": (_card(lambda card: card.pop("runners")), "wrong at runners"),
    "no runner": (_card(lambda card: card.update(runners={})), "wrong at runners"),
    "no golden picture": (_card(lambda card: card.update(golden=[])), "wrong at golden"),
    "three thresholds": (_card(lambda card: card["runners"]["openvino"].update(thresholds=[1, 2, 3])), "thresholds"),
    "other model": (_card(lambda card: card["runners"]["openvino"].update(file="a.onnx")), "a.onnx but does not list"),
    "other golden": (_card(lambda card: card["golden"][0].update(file="golden/a.png")), "does not list it"),
    "no size": (_card(lambda card: card["preprocessing"].pop("size")), "section preprocessing"),
    "two channels": (_card(lambda card: card["preprocessing"].update(mean=[1, 2])), "section preprocessing"),
    "name outside": (_listed_under("../model.onnx"), "a name that is not allowed"),
    "absolute name": (_listed_under("/etc/model.onnx"), "a name that is not allowed"),
    "crooked name": (_listed_under("golden//a.png"), "a name that is not allowed"),
    "pickle": (_listed_under("weights.pickle"), "a name that is not allowed"),
    "torch's pickle": (_listed_under("model.pt"), "a name that is not allowed"),
}


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS)
def test_security_S21_every_fault_of_a_bundle_is_one_sentence(
    folder: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(folder)
    with pytest.raises(Misconfigured) as refusal:
        load_bundle(folder)
    assert says in refusal.value.message
    assert "\n" not in str(refusal.value)
    assert refusal.value.remedy


def test_a_card_may_say_more_than_we_read(folder: Path) -> None:
    _card(lambda card: card.update(colophon="set in Garamond"))(folder)
    assert load_bundle(folder).card.name == "stand-in"
