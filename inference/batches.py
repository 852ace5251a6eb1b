"""Photographs that wait at the network process, and the batches they are computed in.

Each reading child has a connection and one photograph under way; what waits when the network is free becomes a batch.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from inference import wire
from inference.runners.cuda import OutOfGpuMemory
from inference.runners.runner import RunnerFailed, Tensor, checked
from inference.wire import Message

MOST = 16
GATHER_SECONDS = 0.005  # how long the first of a batch waits for company


class Computes(Protocol):
    """What computes several photographs at once."""

    def compute(self, tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (n,) and maps (n, h, w) of (n, 3, size, size), unchecked."""
        ...


@dataclass(eq=False, slots=True)
class _Asked:
    """A photograph that waits for its answer, or is being computed."""

    tensor: Tensor
    alone: bool
    connection: int
    answered: threading.Event = field(default_factory=threading.Event)

    def tell(self, message: Message) -> None:
        with suppress(wire.Closed, wire.TooLate):  # who has died needs no answer
            wire.send(self.connection, message)


class Batches:
    """Takes photographs from connections, computes them in batches, and answers each.

    Args:
        runner: computes.
        size: side of the square input in pixels.
        greeting: what everyone who connects is told first.
    """

    def __init__(self, runner: Computes, size: int, greeting: Message) -> None:
        self._runner = runner
        self._shape = (1, 3, size, size)
        self._greeting = greeting
        self._waiting: list[_Asked] = []
        self._connected = 0
        self._changed = threading.Condition()

    def let_in(self, door: socket.socket) -> None:
        """Serve everyone who connects, each in a thread of its own; returns when the door is closed."""
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def compute_next(self) -> None:
        """Wait for photographs, compute a batch of them and answer.

        Raises:
            RuntimeError: the GPU failed, and this process with it.
        """
        batch = self._next_batch()
        for asked in batch:
            # Before it begins: should this process die now, they know whose fault it may be.
            asked.tell({"computing": len(batch)})
        try:
            scores, maps = self._runner.compute(np.concatenate([asked.tensor for asked in batch]))
            answers = [_answer(score, grid) for score, grid in zip(scores, maps, strict=True)]
        except OutOfGpuMemory:
            answers = [{"away": "The GPU has not enough free memory."}] * len(batch)
        for asked, answer in zip(batch, answers, strict=True):
            asked.tell(answer)
            asked.answered.set()

    def _next_batch(self) -> list[_Asked]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            if self._waiting[0].alone:
                return [self._waiting.pop(0)]
            end = time.monotonic() + GATHER_SECONDS
            # Nobody else can come where everyone who is connected waits already.
            while len(self._waiting) < min(MOST, self._connected) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            batch = [asked for asked in self._waiting if not asked.alone][:MOST]
            self._waiting = [asked for asked in self._waiting if asked not in batch]
            return batch

    def _serve(self, connection: socket.socket) -> None:
        """Take one photograph after another from a connection until it ends."""
        with connection, suppress(wire.Closed, wire.Garbled, wire.TooLate):
            with self._changed:
                self._connected += 1
            try:
                wire.send(connection.fileno(), self._greeting)
                while True:
                    self._take(connection.fileno())
            finally:
                with self._changed:
                    self._connected -= 1
                    self._changed.notify()

    def _take(self, connection: int) -> None:
        request = wire.receive(connection)
        data = wire.receive_bytes(connection, 4 * int(np.prod(self._shape)))
        tensor = np.frombuffer(data, np.float32).reshape(self._shape)
        asked = _Asked(tensor, bool(request.get("alone")), connection)
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify()
        asked.answered.wait()


def _answer(score: Tensor, grid: Tensor) -> Message:
    try:
        activations = checked(score, grid)
    except RunnerFailed as failure:
        return {"failed": failure.message}
    return {"score": activations.score, "map": activations.map.tolist()}
