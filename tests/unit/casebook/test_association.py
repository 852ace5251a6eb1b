"""However an association ends, its descriptor is given back at once, and what the peer said is heard."""

import contextlib
import gc
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from private_orthanc import free_port
from pynetdicom import AE, evt
from running_service import wait_for

from casebook.association import Caller

VERIFICATION = "1.2.840.10008.1.1"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@pytest.fixture(autouse=True)
def nothing_is_collected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def _sockets() -> set[str]:
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the folder itself
            found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}


def _call(port: int) -> None:
    caller = Caller("CAMERA")
    caller.acse_timeout = 5
    caller.add_requested_context(VERIFICATION)
    assert not caller.associate("127.0.0.1", port).is_established


def test_a_call_that_nobody_takes_leaves_no_descriptor() -> None:
    before = _sockets()
    _call(free_port())
    assert _sockets() == before


def test_a_call_that_the_peer_resets_leaves_no_descriptor() -> None:
    before = _sockets()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            connection, _ = door.accept()
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()

        peer = threading.Thread(target=answer)
        peer.start()
        _call(door.getsockname()[1])
        peer.join()
    wait_for(lambda: _sockets() == before, 5, "the descriptor")


def test_a_rejection_is_one_also_where_it_comes_before_we_look() -> None:
    pacs = AE("PACS")
    pacs.require_called_aet = True
    pacs.add_supported_context(VERIFICATION)
    server = pacs.start_server(("127.0.0.1", 0), block=False)
    assert server is not None

    def be_slow(event: Any) -> None:
        wait_for(lambda: event.assoc.dul.socket.socket is None, 5, "the end of the connection")

    caller = Caller("CAMERA")
    caller.add_requested_context(VERIFICATION)
    port = server.server_address[1]
    association = caller.associate("127.0.0.1", port, ae_title="SOMEBODY", evt_handlers=[(evt.EVT_REQUESTED, be_slow)])
    server.shutdown()
    assert association.is_rejected
    assert association.acceptor.primitive.diagnostic == 7  # Called AE Title not recognised
