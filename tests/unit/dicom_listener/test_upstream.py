"""The guard leans on names inside pynetdicom, and exists because of what that library does: both are watched here.

The day one of the weaknesses is gone upstream, its part of the guard can go too.
"""

import inspect
import ssl
import time
from collections.abc import Iterator

import pytest
import raw_association as raw
from certificates import Certificates
from listening import until
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.presentation import build_context, negotiate_as_acceptor
from pynetdicom.timer import Timer
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
        (AssociationSocket, ["recv", "ready", "send", "_shutdown_socket", "event_queue"]),
        (Association, ["_serve_request", "run", "abort", "unbind", "get_handlers"]),
        (Timer, ["remaining", "start", "stop", "timeout"]),
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
    for timer in (association.dul.artim_timer, association.dul._idle_timer):
        assert type(timer) is Timer
        assert (timer._start_time, timer._end_time) == (None, None)
    assert "self._reactor_checkpoint.wait()" in inspect.getsource(Association._run_reactor)
    assert AE()._servers == []
    assert "_is_connected" in inspect.getsource(AssociationSocket.ready.fget)  # type: ignore[attr-defined]
    # None ends the wait for the request, as a time-out does.
    assert "if primitive is None:" in inspect.getsource(Association.run_reactor)


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


def test_security_W8_one_silent_tls_client_still_shuts_the_stock_server(certified: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.listener.certificate, certified.listener.key)
    ae = AE("RETINAGATE")
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    assert server is not None
    address = server.server_address[:2]
    try:
        with RawAssociation(address), pytest.raises(TimeoutError):  # type: ignore[arg-type]
            RawAssociation(address, timeout=1.0, tls=certified.client())  # type: ignore[arg-type]
    finally:
        ae.shutdown()


def test_security_W1_a_silent_connection_still_takes_a_slot_of_the_stock_server() -> None:
    ae = AE("RETINAGATE")
    ae.acse_timeout = 2.0
    ae.maximum_associations = 1
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    address = server.server_address[:2]
    try:
        with RawAssociation(address), RawAssociation(address) as camera:  # type: ignore[arg-type]
            assert until(lambda: len(server.active_associations) == 2)
            assert camera.associate((1, VERIFICATION, [raw.IMPLICIT])) == (raw.RJ, bytes([0, 2, 3, 2]))
        assert until(lambda: not server.active_associations)
    finally:
        ae.shutdown()


def test_security_W18_the_stock_timers_still_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Timer(10.0)
    timer.start()
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert timer.expired


def test_the_stock_acceptor_still_hangs_on_a_context_without_a_transfer_syntax() -> None:
    # Its thread dies of it and leaves connection and reactor behind; ours is refused before, and ends whatever happens.
    assert "except" not in inspect.getsource(Association.run_reactor)
    context = build_context(VERIFICATION)
    context.context_id, context.transfer_syntax = 1, []
    with pytest.raises(IndexError):
        negotiate_as_acceptor([context], [build_context(VERIFICATION)])


def test_security_W10_the_stock_server_still_answers_success_to_a_store_that_names_verification(
    stock: tuple[tuple[str, int], list[str]],
) -> None:
    with RawAssociation(stock[0]) as peer:
        peer.associate()
        peer.message(3, c_store(VERIFICATION, "1.2.3.4.5"), raw.data_set())
        assert peer.status() == (0x8030, 0x0000)
    assert stock[1] == []
