"""Messages between a process and its child: four bytes of length, then JSON. Never pickle, which runs code (S7)."""

import json
import os
import select
import struct
from collections.abc import Callable
from typing import Any

MAX_MESSAGE = 4 << 20

Message = dict[str, Any]


class Closed(Exception):
    """The other side has closed the pipe or died."""


class Garbled(Exception):
    """The other side sent something that is no message."""


class TooLate(Exception):
    """Nothing complete arrived in time."""


def send(descriptor: int, message: Message) -> None:
    """Write a message.

    Raises:
        Closed: nobody reads any more.
    """
    data = json.dumps(message, allow_nan=False).encode()
    rest = memoryview(struct.pack(">I", len(data)) + data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError:
        raise Closed from None


def receive(descriptor: int, seconds_left: Callable[[], float | None] = lambda: None) -> Message:
    """Read a message.

    Args:
        descriptor: the reading end of a pipe.
        seconds_left: how long to wait still; None for ever.

    Raises:
        Closed: the pipe ended before a whole message.
        Garbled: it is too long or no JSON object.
        TooLate: the time is over.
    """
    (length,) = struct.unpack(">I", _exactly(descriptor, 4, seconds_left))
    if length > MAX_MESSAGE:
        raise Garbled
    try:
        message = json.loads(_exactly(descriptor, length, seconds_left))
    except (ValueError, RecursionError):
        raise Garbled from None
    if not isinstance(message, dict):
        raise Garbled
    return message


def waiting(descriptor: int, seconds: float = 0.0) -> bool:
    """Say whether there is something to read, or an end to see."""
    poll = select.poll()  # unlike select, it knows descriptors above 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _exactly(descriptor: int, count: int, seconds_left: Callable[[], float | None]) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        left = seconds_left()
        if left is not None and not waiting(descriptor, max(0.0, left)):
            raise TooLate
        part = os.read(descriptor, count - len(parts))
        if not part:
            raise Closed
        parts += part
    return bytes(parts)
