"""Runs a bundle's graph on the CPU with OpenVINO, the fastest runner there (rules P4 to P9, P13)."""

from pathlib import Path
from typing import Any

import numpy as np

from inference.runners.runner import Activations, RunnerFailed, Tensor, checked


class OpenVinoRunner:
    """A compiled graph and its one infer request.

    Args:
        model: bytes of an ONNX file, already hashed.
        size: side of the square input in pixels.
        outputs: names of the score and the activation.
        threads: how many cores may compute.
        cache: folder where compiled graphs may lie; writable by the service's user only. None: compile at every start.
        name: of the runner in the card.

    Raises:
        RunnerFailed: OpenVINO is not installed or cannot load the graph.
    """

    def __init__(
        self,
        model: bytes,
        size: int,
        outputs: tuple[str, str],
        *,
        threads: int,
        cache: Path | None = None,
        name: str = "openvino",
    ) -> None:
        try:
            import openvino
        except ImportError as error:
            raise RunnerFailed("OpenVINO is not installed.") from error
        self.name = f"{name} {openvino.__version__.split('-')[0]}"
        options: dict[str, Any] = {
            # Without the hint OpenVINO computes in bfloat16 where the processor can, and scores move (rule P6).
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
        }
        try:
            core = openvino.Core()
            if cache is not None:
                core.set_property({"CACHE_DIR": str(cache)})
            graph = core.read_model(model, b"")
            graph.reshape([1, 3, size, size])
            compiled = core.compile_model(graph, "CPU", options)
            self._request = compiled.create_infer_request()
            self._score, self._activation = (compiled.output(name) for name in outputs)
        except RuntimeError as error:
            raise RunnerFailed("OpenVINO cannot load the graph.") from error

    def run(self, tensor: Tensor) -> Activations:
        """Answer to one normalised photograph, (1, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation failed or contradicts itself.
        """
        try:
            answers = self._request.infer([tensor])
        except RuntimeError as error:
            raise RunnerFailed("OpenVINO failed to compute the network.") from error
        return checked(np.asarray(answers[self._score]), np.asarray(answers[self._activation]))
