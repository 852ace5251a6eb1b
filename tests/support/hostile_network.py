"""A network process that obeys its photographs: what a GPU, its driver or torch might do. Named by tests only.

The first number of a tensor says what happens; how many photographs each batch held stands in a file beside the bundle.
"""

import os
import time
from pathlib import Path

import numpy as np

from inference import batches, network_main
from inference.network_main import Watched
from inference.runners.cuda import OutOfGpuMemory
from inference.runners.runner import Tensor
from inference.wire import Message

DIE, HANG, NO_ROOM, NO_NUMBER = 66.0, 67.0, 68.0, 69.0
SIZES = "batches"

_record: list[Path] = []


class Obedient(Watched):
    """Does what a tensor says, or computes it."""

    def compute(self, tensors: Tensor) -> tuple[Tensor, Tensor]:
        with _record[0].open("a") as file:
            file.write(f"{len(tensors)}\n")
        words = set(tensors[:, 0, 0, 0])
        if DIE in words:
            os._exit(1)
        if NO_ROOM in words:
            raise OutOfGpuMemory("the GPU has not enough free memory.")
        if HANG in words:
            self._runner, network_main.COMPUTE_SECONDS = _Hanging(), 1.0
        scores, maps = super().compute(tensors)
        scores[tensors[:, 0, 0, 0] == NO_NUMBER] = np.nan
        return scores, maps


class _Hanging:
    def compute(self, _: Tensor) -> tuple[Tensor, Tensor]:
        time.sleep(1000)
        raise AssertionError


def serve(start: Message, answers: int) -> None:
    _record.append(Path(start["bundle"]).parent / SIZES)
    _serve(start, answers)


_serve, network_main.serve = network_main.serve, serve
network_main.Watched = Obedient  # type: ignore[misc]
network_main.COMPUTE_SECONDS = 300.0  # whatever else this machine has to do
batches.GATHER_SECONDS = 2.0

if __name__ == "__main__":
    network_main.main()
