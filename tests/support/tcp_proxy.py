"""A door before a server that a test shuts, freezes and opens again: what firewalls, crashes and hung machines do."""

import contextlib
import socket
import struct
import threading
from typing import Self

from private_orthanc import free_port

_CHUNK = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Proxy:
    """Forwards a port of this machine to a server on it; a context manager.

    Args:
        target: the server's port.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._door: socket.socket | None = None
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self.back()
        return self

    def __exit__(self, *_: object) -> None:
        self.away()
        self._flowing.set()

    def away(self) -> None:
        """Be as a server that was killed: connections are reset, new ones refused."""
        with self._lock:
            door, self._door = self._door, None
        if door is not None:
            # Closing alone would leave the accept under way, and with it the port.
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        with self._lock:
            victims, self._open = self._open, set()
        for connection in victims:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def freeze(self) -> None:
        """Be as a server that hangs: everything is taken, nothing goes through and nobody answers."""
        self._flowing.clear()

    def back(self) -> None:
        """Forward again; what a freeze held back goes on its way."""
        self._flowing.set()
        if self._door is None:
            self._door = socket.create_server(("127.0.0.1", self.port), backlog=64)
            threading.Thread(target=self._accept, args=(self._door,), daemon=True).start()

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                if self._door is not door:  # it was shut meanwhile
                    client.close()
                    server.close()
                    return
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                sink.sendall(data)
        self._flowing.wait()  # the end of a connection does not get through either
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
