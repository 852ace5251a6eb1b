"""Runs a bundle's graph on the CPU with ONNX Runtime: what remains when OpenVINO does not answer as the card says."""

import numpy as np

from inference.runners.runner import Activations, RunnerFailed, Tensor, checked


class OnnxRunner:
    """An inference session over a graph in memory.

    Args:
        model: bytes of an ONNX file, already hashed; loaded from bytes, it can name no file outside (security W42).
        size: side of the square input in pixels.
        outputs: names of the score and the activation.
        threads: how many cores may compute.

    Raises:
        RunnerFailed: ONNX Runtime is not installed or cannot load the graph.
    """

    def __init__(self, model: bytes, size: int, outputs: tuple[str, str], *, threads: int) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise RunnerFailed("ONNX Runtime is not installed.") from error
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self._failures = (
            state.EPFail, state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel,
            state.NotImplemented, state.RuntimeException, RuntimeError,
        )  # fmt: skip
        self._outputs = list(outputs)
        self._size = size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except self._failures as error:
            raise RunnerFailed("ONNX Runtime cannot load the graph.") from error
        self._input = self._session.get_inputs()[0].name

    def run(self, tensor: Tensor) -> Activations:
        """Answer to one normalised photograph, (1, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation failed or contradicts itself.
        """
        try:
            score, activation = self._session.run(self._outputs, {self._input: tensor})
        except self._failures as error:
            raise RunnerFailed("ONNX Runtime failed to compute the network.") from error
        return checked(np.asarray(score), np.asarray(activation))
