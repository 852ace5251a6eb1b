"""The network process, as a runner: sends it the prepared tensor over a socket and reads what it says (P7).

Whoever dies over a photograph is told apart here. A network process that ends is asked again once it is back: at once
for a photograph that it had not begun with, by itself for one that it was computing. Only when it ends twice while it
computes this photograph and no other is that this photograph's fault.
"""

import socket
import struct
import time
from typing import NoReturn

import numpy as np

from casebook.errors import RetinaGateError
from inference import wire
from inference.runners.runner import Activations, RunnerFailed, Tensor
from inference.wire import Message

SECONDS = 100.0  # for an answer, a restart of the network process included; below what the parent grants
_DEATHS_ALONE = 2


class NetworkAway(RetinaGateError):
    """The network process does not answer now; that is no photograph's fault."""


class RemoteRunner:
    """A connection to a network process; it is made anew when that process was.

    Attributes:
        name: of what computes there.

    Args:
        address: path of the socket it answers on.
        size: side of the square input in pixels.
        bundle: the card's SHA-256: both sides must run the same.
        seconds: how long to wait for an answer.

    Raises:
        NetworkAway: it does not answer in time, or runs another bundle.
    """

    def __init__(self, address: str, size: int, *, bundle: str, seconds: float = SECONDS) -> None:
        self._address = address
        self._shape = (1, 3, size, size)
        self._bundle = bundle
        self._seconds = seconds
        self._connection: socket.socket | None = None
        self.name = ""
        self._until_it_answers(time.monotonic() + seconds)

    def run(self, tensor: Tensor) -> Activations:
        """Answer to one normalised photograph, (1, 3, size, size) float32.

        Raises:
            RunnerFailed: the computation contradicts itself, or ended the network process twice.
            NetworkAway: there is no answer in time.
        """
        assert tensor.shape == self._shape, "both sides know the length"
        data = np.ascontiguousarray(tensor, np.float32).tobytes()
        end = time.monotonic() + self._seconds
        alone, deaths = False, 0
        while True:
            self._until_it_answers(end)
            beside = 0  # how many photographs it computes, this one among them; 0 while it has not begun
            try:
                self._send({"alone": alone}, data)
                said = self._receive(end)
                if "computing" in said:
                    beside = int(said["computing"])
                    said = self._receive(end)
                return _activations(said)
            except wire.Closed:
                self.close()
            alone |= beside > 0
            deaths += beside == 1
            if deaths == _DEATHS_ALONE:
                raise RunnerFailed("The network process ended twice over this photograph alone.")

    def close(self) -> None:
        """Hang up; the next photograph makes a new connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _until_it_answers(self, end: float) -> None:
        """Have a connection; while the network process starts, the parent keeps the door and we wait before it."""
        while self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                # A stopped process must not hold us for ever while we write.
                limit = struct.pack("ll", int(self._seconds), 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
                connection.connect(self._address)
                self._connection = connection
                greeting = self._receive(end)
            except wire.Closed:
                self.close()
                if time.monotonic() > end:
                    raise NetworkAway("The network process does not stay up.") from None
                continue
            except OSError as error:
                connection.close()
                raise NetworkAway(f"The network process cannot be reached ({type(error).__name__}).") from error
            if greeting.get("bundle") != self._bundle:
                self.close()
                raise NetworkAway("The network process runs another bundle.")
            self.name = str(greeting["runner"])

    def _send(self, request: Message, data: bytes) -> None:
        assert self._connection is not None
        try:
            wire.send(self._connection.fileno(), request)
            wire.send_bytes(self._connection.fileno(), data)
        except wire.TooLate:
            self._give_up()

    def _receive(self, end: float) -> Message:
        assert self._connection is not None
        try:
            return wire.receive(self._connection.fileno(), lambda: end - time.monotonic())
        except (wire.TooLate, wire.Garbled):
            self._give_up()

    def _give_up(self) -> NoReturn:
        self.close()
        raise NetworkAway("The network process does not answer in time.")


def _activations(said: Message) -> Activations:
    """Read an answer.

    Raises:
        RunnerFailed: it computed something that contradicts itself.
        NetworkAway: the GPU could not take it now.
    """
    if "failed" in said:
        raise RunnerFailed(str(said["failed"]))
    if "away" in said:
        raise NetworkAway(str(said["away"]))
    return Activations(float(said["score"]), np.array(said["map"], np.float32))
