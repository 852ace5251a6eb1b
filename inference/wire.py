"""Messages between processes of ours: four bytes of length, then JSON. Never pickle, which runs code (S7)."""

import json
import os
import select
import struct
from collections.abc import Callable
from typing import Any

MAX_MESSAGE = 4 << 20

Message = dict[str, Any]


class Closed(Exception):
    """The other side has closed the pipe or socket, or died."""


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
    send_bytes(descriptor, struct.pack(">I", len(data)) + data)


def send_bytes(descriptor: int, data: bytes) -> None:
    """Write bytes whose number the other side knows.

    Raises:
        Closed: nobody reads any more.
        TooLate: a socket with a time limit took no more for that long.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None
    except BlockingIOError:
        raise TooLate from None


def receive(descriptor: int, seconds_left: Callable[[], float | None] = lambda: None) -> Message:
    """Read a message.

    Args:
        descriptor: the reading end of a pipe, or a socket.
        seconds_left: how long to wait still; None for ever.

    Raises:
        Closed: the pipe ended before a whole message.
        Garbled: it is too long or no JSON object.
        TooLate: the time is over.
    """
    (length,) = struct.unpack(">I", receive_bytes(descriptor, 4, seconds_left))
    if length > MAX_MESSAGE:
        raise Garbled
    try:
        message = json.loads(receive_bytes(descriptor, length, seconds_left))
    except (ValueError, RecursionError):
        raise Garbled from None
    if not isinstance(message, dict):
        raise Garbled
    return message


def receive_bytes(descriptor: int, count: int, seconds_left: Callable[[], float | None] = lambda: None) -> bytes:
    """Read as many bytes as that.

    Raises:
        Closed: there were fewer.
        TooLate: the time is over.
    """
    parts = bytearray()
    while len(parts) < count:
        left = seconds_left()
        if left is not None and not waiting(descriptor, max(0.0, left)):
            raise TooLate
        try:
            part = os.read(descriptor, count - len(parts))
        except ConnectionResetError:
            raise Closed from None
        if not part:
            raise Closed
        parts += part
    return bytes(parts)


def waiting(descriptor: int, seconds: float = 0.0) -> bool:
    """Say whether there is something to read, or an end to see."""
    poll = select.poll()  # unlike select, it knows descriptors above 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
