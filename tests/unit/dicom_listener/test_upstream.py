"""The guard leans on names inside pynetdicom, and exists because of what that library does: both are watched here.

The day one of the weaknesses is gone upstream, its part of the guard can go too.
"""

import inspect
from collections.abc import Iterator

import pytest
import raw_association as raw
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler, ThreadedAssociationServer
from raw_association import P_DATA, VERIFICATION, RawAssociation, c_store, pdu


@pytest.fixture
def stock() -> Iterator[tuple[tuple[str, int], list[str]]]:
    """A stock server with short timeouts: its address, and the UIDs its store handler was called with."""
    called: list[str] = []

    def store(event: evt.Event) -> int:
        called.append(str(event.request.AffectedSOPInstanceUID))  # type: ignore[union-attr]
        return 0

    ae = AE("RETINAGATE")
    ae.acse_timeout = ae.network_timeout = ae.dimse_timeout = 0.5
    ae.add_supported_context(VERIFICATION)
    ae.add_supported_context(raw.OPHTHALMIC, raw.EXPLICIT)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    yield server.server_address[:2], called  # type: ignore[misc]
    ae.shutdown()


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (AssociationServer, ["get_request", "process_request", "active_associations", "server_close", "shutdown"]),
        (ThreadedAssociationServer, ["process_request_thread"]),
        (RequestHandler, ["_create_association", "handle"]),
        (AssociationSocket, ["recv", "ready", "send"]),
        (Association, ["_serve_request", "run", "abort", "unbind", "get_handlers"]),
        (DIMSEServiceProvider, ["receive_primitive", "send_msg"]),
        (DULServiceProvider, ["run", "send_pdu", "stop_dul"]),
    ],
)
def test_the_names_the_guard_overrides_exist(owner: type, names: list[str]) -> None:
    for name in names:
        assert hasattr(owner, name), name


def test_the_attributes_the_guard_reads_exist() -> None:
    association = Association(AE(), "acceptor")
    assert association._accepted_cx == {}
    assert association.dimse.msg_queue.empty()
    assert association.dimse.message is None
    assert association.dul.event_queue.empty()
    assert association.dul.to_user_queue.empty()
    assert association.dul.to_provider_queue.empty()
    assert association.dul.state_machine.current_state == "Sta1"
    assert (association.dul._kill_thread, association._kill) == (False, False)
    assert "self._reactor_checkpoint.wait()" in inspect.getsource(Association._run_reactor)
    assert AE()._servers == []
    assert "_is_connected" in inspect.getsource(AssociationSocket.ready.fget)  # type: ignore[attr-defined]


def test_the_library_asks_for_a_pdu_header_of_six_bytes_and_then_for_its_body() -> None:
    source = inspect.getsource(DULServiceProvider._read_pdu_data)
    assert source.index("recv(6)") < source.index("recv(pdu_length)")


def test_security_W2_the_stock_server_still_waits_for_ever_inside_a_pdu(
    stock: tuple[tuple[str, int], list[str]],
) -> None:
    with RawAssociation(stock[0], timeout=2.0) as peer:
        peer.send(raw.association_request()[:6])
        with pytest.raises(TimeoutError):  # four times its timeout of half a second
            peer.receive()


def test_security_W6_the_stock_server_still_takes_any_pdu_length(stock: tuple[tuple[str, int], list[str]]) -> None:
    with RawAssociation(stock[0], timeout=0.5) as peer:
        peer.associate()
        peer.send(pdu(P_DATA, b"\0" * 100, 0x7FFFFFFF))
        with pytest.raises(TimeoutError):
            peer.receive()


def test_security_W8_the_stock_server_still_shakes_hands_in_its_accept_loop() -> None:
    assert "wrap_socket" in inspect.getsource(AssociationServer.get_request)


def test_security_W10_the_stock_server_still_answers_success_to_a_store_that_names_verification(
    stock: tuple[tuple[str, int], list[str]],
) -> None:
    with RawAssociation(stock[0]) as peer:
        peer.associate()
        peer.message(3, c_store(VERIFICATION, "1.2.3.4.5"), raw.data_set())
        assert peer.status() == (0x8030, 0x0000)
    assert stock[1] == []
