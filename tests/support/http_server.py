"""A real HTTP server of the application on a port of its own, and a raw socket to be rude to it."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from private_orthanc import free_port
from running_service import wait_for

from casebook.settings import Dashboard
from dashboard.connections import Connection, Limits, make_server


class ServedAt:
    """A running server.

    Args:
        port: where it listens, on 127.0.0.1.
        connections: the connections it holds.
    """

    def __init__(self, port: int, connections: set[object]) -> None:
        self.port, self.connections = port, connections

    def connect(self) -> socket.socket:
        """Open a connection; what is awaited on it comes within ten seconds."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, data: bytes) -> bytes:
        """Send bytes and return everything until the server closes."""
        with self.connect() as peer:
            peer.sendall(data)
            return until_closed(peer)

    def healthz_seconds(self) -> float:
        """Return how long a good client waits for its answer."""
        began = time.monotonic()
        answer = self.ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return time.monotonic() - began


def until_closed(peer: socket.socket) -> bytes:
    """Return what comes until the other side closes or resets."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := peer.recv(65536):
            parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def serving(app: FastAPI, limits: Limits, **settings: Any) -> Iterator[ServedAt]:
    """Serve an application with other limits than production's."""

    class Bounded(Connection):
        pass

    Bounded.limits = limits
    port = free_port()
    server = make_server(app, Dashboard(port=port, **settings), Bounded)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, 20, "the server")
        yield ServedAt(port, server.server_state.connections)  # type: ignore[arg-type]
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
