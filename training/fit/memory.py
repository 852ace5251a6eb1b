"""Says in one sentence that memory ran out, wherever it did."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from casebook.errors import Misconfigured

# What torch's allocator on the CPU says; it raises a bare RuntimeError.
_CPU_ALLOCATOR = ("DefaultCPUAllocator", "not enough memory")


@contextmanager
def enough_for(what: str, remedy: str) -> Iterator[None]:
    """Turn every form of "out of memory" inside into one sentence.

    Args:
        what: was being computed or held, e.g. ``16 photographs of 512 pixels at once``.
        remedy: as an imperative sentence.

    Raises:
        Misconfigured: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        raise Misconfigured(f"Memory ran out with {what}.", remedy) from error


def _is_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(sign in str(error) for sign in _CPU_ALLOCATOR)
