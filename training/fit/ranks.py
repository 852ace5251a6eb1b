"""One process or several: what ``torchrun`` started, and how they keep in step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that fit together.

    Attributes:
        rank: which one this is, from 0.
        count: how many there are.
        device: what this one computes on.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one measures and writes."""
        return self.rank == 0

    @classmethod
    @contextmanager
    def joined(cls) -> Iterator["Ranks"]:
        """Join the processes that ``torchrun`` started (its variables say which one this is), or be alone."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if count == 1:
            yield cls(0, 1, device)
            return
        distributed.init_process_group("nccl" if cuda else "gloo")
        try:
            yield cls(distributed.get_rank(), count, device)
        finally:
            distributed.destroy_process_group()

    def in_step(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients are the mean over all processes."""
        if self.count == 1:
            return module
        return DistributedDataParallel(module, device_ids=[self.device] if self.device.type == "cuda" else None)

    def agreed(self, value: _Value) -> _Value:
        """Return what the first process has found, in all of them."""
        if self.count == 1:
            return value
        answer = [value]
        distributed.broadcast_object_list(answer, src=0, device=self.device)
        return answer[0]
