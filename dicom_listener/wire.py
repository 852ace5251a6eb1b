"""Reads from a socket with a deadline over all of it, not from byte to byte."""

import socket
from collections.abc import Callable


def read_exactly(connection: socket.socket, size: int, left: Callable[[], float]) -> bytearray:
    """Read so many bytes into one buffer (0.65 times the CPU of growing one piece by piece, performance P29).

    Args:
        connection: the socket.
        size: how many; checked against a limit before.
        left: seconds left until the deadline.

    Returns:
        The bytes; fewer when the peer has closed its side.

    Raises:
        TimeoutError: no time is left.
        OSError: the connection is broken.
    """
    data = bytearray(size)
    position = 0
    with memoryview(data) as view:
        while position < size:
            seconds = left()
            if seconds <= 0:
                raise TimeoutError
            connection.settimeout(seconds)
            with view[position:] as rest:
                received = connection.recv_into(rest)
            if not received:
                break
            position += received
    del data[position:]
    return data
