"""What is done in fresh processes: each imports only what it needs, and says how large it was before the real work."""

from pathlib import Path

import numpy as np

from benchmarks.fresh import memory


def torch_eager(architecture: str, size: str, weights: str) -> int:
    """Load a network into torch and run it once."""
    import torch

    from benchmarks.weights import load

    torch.set_num_threads(1)
    before = memory()["now"]
    network = load(architecture, Path(weights))
    with torch.inference_mode():
        network(torch.zeros(1, 3, int(size), int(size)))
    return before


def torch_gradcam(architecture: str, size: str, weights: str) -> int:
    """Load a network into torch and make one map with Grad-CAM."""
    import torch

    from benchmarks.gradcam import gradcam
    from benchmarks.weights import load

    torch.set_num_threads(1)
    before = memory()["now"]
    network = load(architecture, Path(weights))
    gradcam(network, torch.zeros(1, 3, int(size), int(size)))
    return before


def open_vino(graph: str, size: str, cache: str) -> int:
    """Load a graph as the service's child does, with everything else the child has imported, and run it once."""
    import cv2

    from inference import examine  # noqa: F401 (a worker holds all of it)
    from inference.runners.openvino import OpenVinoRunner

    cv2.setNumThreads(1)
    before = memory()["now"]
    runner = OpenVinoRunner(
        Path(graph).read_bytes(), int(size), ("score", "activation"), threads=1, cache=Path(cache) if cache else None
    )
    runner.run(np.zeros((1, 3, int(size), int(size)), np.float32))
    return before
