"""A bundle with weights for torch, made in a temporary folder: EfficientNet-Lite0 with random weights that tell eyes apart."""

from pathlib import Path
from typing import Any

import numpy as np
import stand_in_bundle
import torch
from PIL import Image
from safetensors.torch import save_file

from inference import phantom, preprocess, retina
from inference.network.catalogue import build
from inference.network.head import Grader
from inference.preprocess import Preprocessing
from inference.runners.runner import Tensor
from training.bundle.export import to_onnx

ARCHITECTURE = "efficientnet_lite0"
SIZE = 64
CARD = {
    "size": SIZE,
    "margin": 1.0,
    "mask": 0.98,
    "ben_graham": None,
    "mean": [127, 127, 127],
    "scale": [128, 128, 128],
}
_PREPROCESSING = Preprocessing.from_card(CARD)
_EYES = 12


def make(folder: Path, **changes: Any) -> Path:
    """Write a bundle that torch and the CPU runners compute alike, and return its folder.

    Args:
        folder: made if it is not there.
        changes: keys of the card to set otherwise.
    """
    stand_in_bundle.make(folder)
    network = _network()
    half = {
        name: weight.half() if weight.is_floating_point() else weight for name, weight in network.state_dict().items()
    }
    save_file(half, folder / "weights.safetensors")
    network.load_state_dict(half)  # what stands in the file is what the graph computes
    (folder / "model.onnx").write_bytes(to_onnx(network, SIZE))
    scores = {}
    for path in sorted((folder / "golden").iterdir()):
        with torch.inference_mode():
            scores[f"golden/{path.name}"] = float(network(torch.from_numpy(tensor(np.asarray(Image.open(path)))))[0])
    low, middle, high = sorted(scores.values())
    cuts = (
        (low + middle) / 2,
        (middle + high) / 2,
        high + 1,
        high + 2,
    )  # far from all of them: rounding moves no grade
    golden = [{"file": file, "score": score, "grade": sum(c <= score for c in cuts)} for file, score in scores.items()]
    runner = {"file": "model.onnx", "thresholds": cuts, "calibration": {"slope": 4.0, "cuts": cuts}}
    stand_in_bundle.write_card(
        folder,
        stand_in_bundle.card_of(folder)
        | {
            "name": "torch-stand-in",
            "network": {"architecture": ARCHITECTURE, "parameters": sum(p.numel() for p in network.parameters())},
            "preprocessing": CARD,
            "files": stand_in_bundle.listing(folder),
            "runners": {
                "openvino": runner,
                "onnxruntime": runner,
                "torch": runner | {"file": "weights.safetensors"},
            },
            "golden": golden,
        }
        | changes,
    )
    return folder


def tensor(picture: Any) -> Tensor:
    """Return the network's input for a photograph (H, W, 3) uint8 that shows a retina."""
    circle = retina.find_circle(picture)
    assert circle is not None
    return preprocess.normalise(preprocess.prepare(picture, circle, _PREPROCESSING), _PREPROCESSING)


def tensors(count: int) -> Tensor:
    """Return the inputs of so many different synthetic eyes, (count, 3, SIZE, SIZE) float32."""
    kinds = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.PROLIFERATIVE)
    return np.concatenate([tensor(phantom.draw(n, lesions=kinds[n % 4], size=160)) for n in range(count)])


def _network() -> Grader:
    """Build a network whose norms have seen eyes, so that its scores differ from eye to eye."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = build(ARCHITECTURE)
        torch.nn.init.normal_(network.head.weight, std=0.1)
    seen = torch.from_numpy(tensors(_EYES))
    network.train()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        network(seen)
        network.eval()
        scores = network(seen)[0]
        network.head.weight /= scores.std()
        network.head.bias += 2.0 - network(seen)[0].mean()
    return network
