"""A bundle without training, made in a temporary folder: its score grows with what stands out from the background.

Input to grid: local contrast of the green channel, averaged over a 9 x 9 grid, scaled; the score is the grid's mean.
Tests, and a route that must run before anything is trained, grade with it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from inference import phantom, preprocess, retina
from inference.preprocess import Preprocessing

SIZE = 288
GRID = 9
_PREPROCESSING = {
    "size": SIZE,
    "margin": 1.0,
    "mask": 0.98,
    "ben_graham": None,
    "mean": [127, 127, 127],
    "scale": [128, 128, 128],
}
_GOLDEN = {"healthy": phantom.HEALTHY, "few_lesions": phantom.FEW, "many_lesions": phantom.MANY}


def make(folder: Path, *, gain: float = 575.0, offset: float = -12.5, **changes: Any) -> Path:
    """Write a bundle that ``load_bundle`` accepts and return its folder.

    Args:
        folder: made if it is not there.
        gain: how fast the score grows with local contrast.
        offset: the score of a picture without any.
        changes: keys of the card to set otherwise.
    """
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    model = _graph(gain, offset).SerializeToString()
    (folder / "model.onnx").write_bytes(model)
    for name, lesions in _GOLDEN.items():
        Image.fromarray(phantom.draw(11, lesions=lesions, size=512)).save(folder / "golden" / f"{name}.png")
    (folder / "LICENSE").write_text("Made by a test; Apache-2.0 like the program.\n")
    thresholds = (0.5, 1.5, 2.5, 3.5)
    golden = []
    for name in _GOLDEN:
        score = _score(model, folder / "golden" / f"{name}.png")
        golden.append({"file": f"golden/{name}.png", "score": score, "grade": sum(cut <= score for cut in thresholds)})
    runner = {"file": "model.onnx", "thresholds": thresholds, "calibration": {"slope": 4.0, "cuts": thresholds}}
    card: dict[str, Any] = {
        "format": 1,
        "name": "stand-in",
        "version": "0.0.0",
        "created": "2026-01-01",
        "network": {"architecture": "stand-in", "parameters": 0},
        "preprocessing": _PREPROCESSING,
        "outputs": {"score": "score", "activation": "activation"},
        "files": listing(folder),
        "runners": {"openvino": runner, "onnxruntime": runner},
        "golden": golden,
        "golden_tolerance": 0.05,
        "training": {"recipe": "none", "data": [], "weights": "none"},
        "scores": {},
        "licence": "Apache-2.0",
        "intended_use": "A stand-in for tests. It grades nothing.",
    }
    write_card(folder, card | changes)
    return folder


def card_of(folder: Path) -> dict[str, Any]:
    """Return a bundle's card."""
    card: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return card


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write a card as it is, right or wrong."""
    (folder / "card.json").write_text(json.dumps(card, indent=1))


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a card says about the files of a folder."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "card.json"
    }


def _graph(gain: float, offset: float) -> onnx.ModelProto:
    contrast = np.zeros((1, 3, 5, 5), np.float32)
    contrast[0, 1] = -1 / 25
    contrast[0, 1, 2, 2] += 1
    constants = {
        "contrast": contrast,
        "gain": np.full((1, 1, 1, 1), gain, np.float32),
        "offset": np.full((1,), offset, np.float32),
        "channel": np.array([1], np.int64),
        "one": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["photograph", "contrast"], ["edges"], pads=[2, 2, 2, 2]),
        helper.make_node("Abs", ["edges"], ["strength"]),
        helper.make_node(
            "AveragePool", ["strength"], ["grid"], kernel_shape=[SIZE // GRID] * 2, strides=[SIZE // GRID] * 2
        ),
        helper.make_node("Conv", ["grid", "gain", "offset"], ["map"]),
        helper.make_node("Squeeze", ["map", "channel"], ["activation"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "one"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("photograph", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("activation", TensorProto.FLOAT, [1, GRID, GRID]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _score(model: bytes, golden: Path) -> float:
    import onnxruntime

    preprocessing = Preprocessing.from_card(_PREPROCESSING)
    picture = np.asarray(Image.open(golden).convert("RGB"))
    circle = retina.find_circle(picture)
    assert circle is not None
    tensor = preprocess.normalise(preprocess.prepare(picture, circle, preprocessing), preprocessing)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return float(session.run(["score"], {"photograph": tensor})[0][0])
