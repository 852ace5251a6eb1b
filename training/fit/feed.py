"""Makes the batches of an epoch ahead of the network, in threads; seed, epoch and draw decide every pixel, not they."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.fit.ranks import Ranks
from training.photographs.dataset import Crops
from training.recipe import Augment, Fit

_MOST = 8  # threads that make batches for a GPU


@dataclass(frozen=True, slots=True)
class Part:
    """What is computed at once: a part of this process's share of a batch.

    Attributes:
        positions: which photographs, (n,).
        pictures: (n, 3, size, size) float32.
    """

    positions: npt.NDArray[np.int64]
    pictures: torch.Tensor


def workers(device: torch.device) -> int:
    """Return how many threads make batches: on a CPU one, for the network needs the cores itself."""
    return 1 if device.type == "cpu" else min(_MOST, os.cpu_count() or 1)


def batches(
    crops: Crops,
    order: npt.NDArray[np.int64],
    how: Fit,
    augment: Augment | None,
    key: tuple[int, int],
    ranks: Ranks,
    ahead: int,
) -> Iterator[list[Part]]:
    """Yield this process's share of every batch, in the parts it is computed in.

    Args:
        crops: the photographs.
        order: positions in the order they are drawn, a multiple of the batch.
        how: the recipe's batch and parts.
        augment: the recipe's augmentation, or None.
        key: seed and epoch.
        ranks: which process this is.
        ahead: threads, and batches made ahead.
    """
    numbers = np.arange(len(order))

    def part(chosen: npt.NDArray[np.int64]) -> Part:
        return Part(order[chosen], torch.from_numpy(crops.varied(order[chosen], chosen, augment, key)))

    def batch(first: int) -> list[Part]:
        share = numbers[first : first + how.batch][ranks.rank :: ranks.count]
        return [part(chosen) for chosen in np.array_split(share, how.accumulate)]

    coming: deque[Future[list[Part]]] = deque()
    with ThreadPoolExecutor(ahead) as threads:
        try:
            for first in range(0, len(order), how.batch):
                coming.append(threads.submit(batch, first))
                if len(coming) > ahead:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
