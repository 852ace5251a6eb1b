"""Runs a bundle's network with torch: on a GPU in half precision, several photographs at once.

Only the network process imports this with a GPU in mind; torch is in no default install.
"""

import numpy as np

from casebook.errors import Misconfigured
from inference.runners.runner import Activations, RunnerFailed, Tensor, checked

_GUIDE = "docs/deployment.md, A GPU worker"


class OutOfGpuMemory(RunnerFailed):
    """The GPU has not enough free memory just now."""


class TorchRunner:
    """A network built from the card and filled with the bundle's weights.

    Half precision and channels_last on a GPU; float32 on torch's ``cpu``, which is for tests and comparisons only. The
    head computes in float32 on both, so a map's mean is its score to 1e-3 on both (rule P11).

    Args:
        weights: bytes of a safetensors file, already hashed.
        architecture: the card's.
        size: side of the square input in pixels.
        device: torch's name of what computes, such as ``cuda`` or ``cuda:1``.

    Raises:
        RunnerFailed: torch is not installed, finds no GPU, or the weights are not the architecture's.
    """

    def __init__(self, weights: bytes, architecture: str, size: int, *, device: str = "cuda") -> None:
        try:
            import torch
            from safetensors import SafetensorError
            from safetensors.torch import load
        except ImportError as error:
            raise RunnerFailed(
                f"{error.name or 'torch'} is not installed.", f"Install what a GPU worker needs ({_GUIDE})."
            ) from error
        from inference.network.catalogue import build

        self._torch = torch
        self._device = torch.device(device)
        is_gpu = self._device.type == "cuda"
        if is_gpu and not torch.cuda.is_available():
            raise RunnerFailed("torch finds no GPU.", f"Install NVIDIA's driver and a torch made for CUDA ({_GUIDE}).")
        self._dtype = torch.float16 if is_gpu else torch.float32
        what = torch.cuda.get_device_name(self._device) if is_gpu else "CPU"
        self.name = f"torch {torch.__version__}, {'half precision' if is_gpu else 'float32'} on {what}"
        self._shape = (3, size, size)
        try:
            network = build(architecture)
            network.load_state_dict(load(weights), strict=True)
            network.eval().requires_grad_(False)  # noqa: FBT003 (torch's way)
            self._network = network.to(self._device, self._dtype, memory_format=torch.channels_last)
        except (Misconfigured, SafetensorError, RuntimeError) as error:
            raise RunnerFailed(f"torch cannot load the weights of a network {architecture}.") from error

    def run(self, tensor: Tensor) -> Activations:
        """Answer to one normalised photograph, (1, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation failed or contradicts itself.
        """
        return self.run_batch(tensor)[0]

    def run_batch(self, tensors: Tensor) -> list[Activations]:
        """Answer to several normalised photographs, (n, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation failed, or contradicts itself for one of them.
        """
        return [checked(score, grid) for score, grid in zip(*self.compute(tensors), strict=True)]

    def warm_up(self, most: int) -> None:
        """Compute black pictures, one and as many as there will ever be: kernels are chosen, memory is taken now.

        Raises:
            OutOfGpuMemory: so many do not fit.
        """
        for count in (1, most):
            self.compute(np.zeros((count, *self._shape), np.float32))

    def compute(self, tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (n,) and maps (n, h, w), float32, of photographs (n, 3, size, size) float32, unchecked.

        Raises:
            OutOfGpuMemory: they can be computed later, or fewer of them now.
            RuntimeError: the GPU failed; whatever is computed after that in this process is worth nothing.
        """
        torch = self._torch
        assert tensors.shape[1:] == self._shape, "the bundle's input"
        try:
            with torch.inference_mode():
                pictures = torch.from_numpy(np.ascontiguousarray(tensors))
                pictures = pictures.to(self._device, self._dtype, memory_format=torch.channels_last)
                scores, maps = self._network(pictures)
                return scores.cpu().numpy(), maps.cpu().numpy()
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfGpuMemory("the GPU has not enough free memory.") from error


def count_gpus() -> int:
    """Return how many GPUs torch sees; call it where torch is."""
    import torch

    return int(torch.cuda.device_count())
