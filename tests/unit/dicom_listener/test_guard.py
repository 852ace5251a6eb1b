"""What an associated peer may send, and for how long; whatever it does, others are served and nothing is left behind."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import raw_association as raw
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import PATIENT, SHORT, Place, until
from pynetdicom.acse import ACSE
from raw_association import (
    COMMAND,
    LAST,
    OPHTHALMIC,
    P_DATA,
    VERIFICATION,
    RawAssociation,
    c_echo,
    c_store,
    fragment,
    pdu,
)

from casebook.archive import Archive
from dicom_listener import guarded_parts
from dicom_listener.limits import Limits
from dicom_listener.wake import LONGEST_SECONDS
from dicom_listener.wire import read_exactly

ABORT_TOO_SLOW = (raw.ABORT, bytes([0, 0, 2, 0]))
ABORT_UNKNOWN = (raw.ABORT, bytes([0, 0, 2, 1]))
ABORT_INVALID = (raw.ABORT, bytes([0, 0, 2, 6]))
STORE = c_store(OPHTHALMIC, "1.2.3.4.5")


def assert_aborted_and_clean(place: Place, peer: RawAssociation) -> None:
    answer = peer.receive()
    assert answer is None or answer[0] == raw.ABORT
    assert until(lambda: place.listener.associations == 0)
    assert place.parts() == []
    assert place.counts() == (0, 0)
    with RawAssociation(place.address) as other:
        other.associate()
        assert other.echo() == 0


def test_security_N19_an_idle_association_is_aborted_after_the_network_timeout(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"network_seconds": 0.3})
    with RawAssociation(place.address) as peer:
        peer.associate()
        assert_aborted_and_clean(place, peer)


@pytest.mark.parametrize("body", [b"", b"\0" * 10])
def test_security_N20_a_pdu_that_stops_half_way_is_aborted_at_the_deadline(hasty: Place, body: bytes) -> None:
    with RawAssociation(hasty.address) as peer:
        peer.associate()
        peer.send(pdu(P_DATA, body, 16384))
        assert peer.receive() == ABORT_TOO_SLOW
        assert until(lambda: hasty.listener.associations == 0)


@pytest.mark.parametrize("kind", [raw.P_DATA, raw.RELEASE_RQ, raw.ABORT, raw.RQ])
def test_security_N21_a_pdu_longer_than_allowed_is_aborted_at_once(place: Place, kind: int) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.send(pdu(kind, b"", SHORT.request_bytes + 1))
        assert peer.receive() == ABORT_INVALID
        assert until(lambda: place.listener.associations == 0)


def test_an_unknown_pdu_is_aborted(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.send(pdu(9, b""))
        assert peer.receive() == ABORT_UNKNOWN


def test_security_N22_an_object_without_end_is_aborted_at_its_limit(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"object_bytes": 100_000})
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, STORE)
        for _ in range(7):
            peer.send(pdu(P_DATA, fragment(3, 0, b"\0" * 16_000)))
        assert_aborted_and_clean(place, peer)


def test_security_N22_W4_a_trickled_object_is_aborted_at_its_deadline(hasty: Place) -> None:
    with RawAssociation(hasty.address) as peer:
        peer.associate()
        peer.message(3, STORE)
        peer.socket.settimeout(0.1)
        answer = None
        for _ in range(100):
            peer.send(pdu(P_DATA, fragment(3, 0, b"\0" * 8)))
            try:
                answer = peer.receive()
                break
            except TimeoutError:
                continue
        assert answer == ABORT_TOO_SLOW
        assert until(lambda: hasty.parts() == [])


def test_security_W4_an_object_that_pauses_between_pdus_is_aborted_at_its_deadline(hasty: Place) -> None:
    with RawAssociation(hasty.address) as peer:
        peer.associate()
        peer.message(3, STORE)
        assert_aborted_and_clean(hasty, peer)


def test_security_W4_a_large_object_has_more_time(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"object_seconds": 0.2, "object_rate": 1000.0})
    data = raw.data_set(pixels=b"\0" * 40_000)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, STORE)
        peer.send(pdu(P_DATA, fragment(3, 0, data[:16000])))
        peer.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):  # 16 KB are worth 16 s at that rate
            peer.receive()
        peer.socket.settimeout(10)
        peer.send(pdu(P_DATA, fragment(3, LAST, data[16000:])))
        assert peer.status() == (0x8001, 0)


def test_security_N23_a_command_without_end_is_aborted(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        for _ in range(6):
            peer.send(pdu(P_DATA, fragment(3, COMMAND, b"\0" * 16_000)))
        assert_aborted_and_clean(place, peer)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        fragment(3, 3, b"", length=0),
        fragment(3, 3, b"", length=1),
        fragment(3, 3, b"", length=2),
        fragment(3, 3, b"\0" * 10, length=0xFFFFFFFF),
        fragment(3, 3, b"\0" * 10, length=100),
        fragment(3, 0xFF, b"\0" * 10),
        fragment(3, 0, b"\0" * 10),
        fragment(3, LAST, b"\0" * 10),
        fragment(0, 3, STORE),
        fragment(7, 3, STORE),
        fragment(3, 3, STORE) + fragment(3, 3, STORE),
        fragment(3, 3, STORE) + fragment(3, 1, STORE),
        fragment(3, 3, STORE) + fragment(1, 0, b"\0" * 10),
        fragment(3, 3, b"rubbish that is no command set"),
        fragment(3, 3, raw.command(0x7777)),
        fragment(3, 3, struct.pack("<HHLH", 0, 0x0800, 2, 1)),
        fragment(3, 3, c_store(OPHTHALMIC, "1." * 60 + "1")),
        fragment(3, 3, raw.command(raw.C_STORE_RQ, e0002=OPHTHALMIC, e0800=0x0101)),
    ],
    ids=[
        "no item", "length 0", "length 1", "length 2", "length 4 GiB", "length beyond", "control 0xFF",
        "data first", "last data first", "context 0", "context unknown", "two commands", "command again",
        "other context", "rubbish", "unknown command", "no field", "UID of 121 characters", "no message id",
    ],
)  # fmt: skip
def test_security_N24_wrong_fragments_end_the_association_and_leave_nothing(hasty: Place, data: bytes) -> None:
    with RawAssociation(hasty.address) as peer:
        peer.associate()
        peer.send(pdu(P_DATA, data))
        if data == b"":
            peer.send(pdu(P_DATA, fragment(3, 0, b"\0")))  # an empty P-DATA alone says nothing wrong
        assert_aborted_and_clean(hasty, peer)


def test_security_N25_W7_what_is_sent_ahead_waits_at_the_sender_and_is_answered_in_order(
    listen: Callable[..., Place],
) -> None:
    place = listen()
    sent = 40
    with RawAssociation(place.address) as peer:
        peer.associate()
        for number in range(sent):
            uid = f"1.2.3.4.{number}"
            peer.message(3, c_store(OPHTHALMIC, uid), raw.data_set(sop_instance=uid))
        assert [peer.status() for _ in range(sent)] == [(0x8001, 0)] * sent
    assert place.counts() == (sent, sent)
    assert place.parts() == []


def test_security_N25_while_a_message_is_served_nothing_more_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = threading.Event()
    keep = Archive.keep

    def slow(archive: Archive, *arguments: Any) -> Any:
        assert keeping.wait(20)
        return keep(archive, *arguments)

    monkeypatch.setattr(Archive, "keep", slow)
    sent = 30
    stream = memoryview(_store_message(raw.data_set(pixels=b"\0" * 1_000_000)) * sent)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.socket.settimeout(0.5)
        taken = 0
        with pytest.raises(TimeoutError):  # TCP holds the sender back
            while True:
                taken += peer.socket.send(stream[taken : taken + 65536])
        assert taken < len(stream) / 2
        peer.socket.settimeout(20)
        keeping.set()
        rest = threading.Thread(target=peer.socket.sendall, args=(stream[taken:],))
        rest.start()
        assert [peer.status() for _ in range(sent)] == [(0x8001, 0)] * sent
        rest.join()


def _store_message(data: bytes) -> bytes:
    parts = [data[at : at + 16_000] for at in range(0, len(data), 16_000)]
    items = [
        fragment(3, COMMAND | LAST, STORE),
        *(fragment(3, LAST if part is parts[-1] else 0, part) for part in parts),
    ]
    return b"".join(pdu(P_DATA, one) for one in items)


def test_security_N26_a_peer_that_does_not_read_its_answers_is_closed(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"send_seconds": 0.5})
    # Else the kernel takes some ten thousand answers before a send waits.
    place.listener._door.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    with RawAssociation(place.address) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        peer.associate()
        echoes = pdu(P_DATA, fragment(1, COMMAND | LAST, c_echo())) * 1000
        peer.socket.settimeout(10)
        with pytest.raises(ConnectionError):
            while True:
                peer.send(echoes)
        assert until(lambda: place.listener.associations == 0)
    with RawAssociation(place.address) as camera:
        camera.associate()
        assert camera.store() == 0


@pytest.mark.parametrize("ending", ["close", "half-close", "reset", "abort", "release"])
@pytest.mark.parametrize("sent", [0, 1, 2], ids=["after the command", "within the object", "before the last byte"])
def test_security_N27_a_peer_that_leaves_half_way_leaves_nothing(place: Place, ending: str, sent: int) -> None:
    data = raw.data_set(pixels=b"\0" * 50_000)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, STORE)
        if sent:
            peer.send(pdu(P_DATA, fragment(3, 0, data[:20_000])))
            assert until(lambda: len(place.parts()) == 1)
        if sent == 2:
            peer.send(pdu(P_DATA, fragment(3, 0, data[20_000:-1])))
        if ending == "abort":
            peer.send(pdu(raw.ABORT, b"\0" * 4))
        elif ending == "release":
            peer.send(pdu(raw.RELEASE_RQ, b"\0" * 4))
        elif ending == "half-close":
            peer.socket.shutdown(socket.SHUT_WR)
            assert peer.is_closed()
        elif ending == "reset":
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert until(lambda: place.listener.associations == 0)
    assert place.parts() == []
    assert place.counts() == (0, 0)


@pytest.mark.parametrize("ending", ["close", "half-close", "reset", "abort"])
@pytest.mark.parametrize("stage", ["connected", "half a request", "requested", "associated"])
def test_security_N27_a_peer_may_leave_at_every_stage(place: Place, ending: str, stage: str) -> None:
    with RawAssociation(place.address) as peer:
        if stage == "half a request":
            peer.send(raw.association_request()[:50])
        elif stage == "requested":
            peer.send(raw.association_request())
        elif stage == "associated":
            peer.associate()
        if ending == "abort":
            peer.send(pdu(raw.ABORT, b"\0" * 4))
        elif ending == "half-close":
            peer.socket.shutdown(socket.SHUT_WR)
        elif ending == "reset":
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert until(lambda: place.listener.associations == 0)
    with RawAssociation(place.address) as other:
        other.associate()
        assert other.echo() == 0


@pytest.mark.parametrize("ending", ["close", "half-close", "reset", "abort", "release"])
def test_security_N27_what_is_committed_stays_when_the_peer_leaves_before_its_answer(place: Place, ending: str) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, STORE, raw.data_set())
        if ending in ("abort", "release"):
            peer.send(pdu(raw.ABORT if ending == "abort" else raw.RELEASE_RQ, b"\0" * 4))
        elif ending == "half-close":
            peer.socket.shutdown(socket.SHUT_WR)
        elif ending == "reset":
            assert until(lambda: bool(place.rings))  # a reset may destroy what was not read yet
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert until(lambda: place.listener.associations == 0)
    assert place.counts() == (1, 1)
    assert place.parts() == []


@pytest.mark.parametrize(
    "unasked",
    [
        pdu(raw.RELEASE_RP, b"\0" * 4),
        raw.association_request(),
        pdu(raw.AC, b"\0" * 70),
        pdu(raw.RJ, b"\0" * 4),
        pdu(P_DATA, fragment(3, 3, raw.command(raw.N_EVENT_REPORT_RQ, e0002=VERIFICATION, e0110=1, e0800=0x0101,
                                               e1000="1.2.3", e1002=1))) * 1000,
        pdu(raw.ABORT, b"\0" * 4),
    ],
    ids=["release answer", "second request", "acceptance", "rejection", "event reports", "abort"],
)  # fmt: skip
def test_security_N27_N28_what_nobody_asked_for_ends_the_association(place: Place, unasked: bytes) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.send(unasked)
        assert_aborted_and_clean(place, peer)


def test_security_W18_a_thousand_event_reports_start_no_thread(place: Place) -> None:
    report = raw.command(raw.N_EVENT_REPORT_RQ, e0002=VERIFICATION, e0110=1, e0800=0x0101, e1000="1.2.3", e1002=1)
    started: list[str] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    with pytest.MonkeyPatch.context() as patch, RawAssociation(place.address) as peer:
        peer.associate()
        patch.setattr(threading.Thread, "start", counted)
        with contextlib.suppress(ConnectionError):  # the first ends the association
            peer.send(pdu(P_DATA, fragment(1, COMMAND | LAST, report)) * 1000)
        assert until(lambda: place.listener.associations == 0)
    assert started == []


def test_security_W18_the_wall_clock_ends_no_association(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        far = time.time() + 1e6
        monkeypatch.setattr(time, "time", lambda: far)
        for _ in range(3):
            assert peer.echo() == 0
            with pytest.raises(TimeoutError):  # long enough for the timers to be looked at
                peer.socket.settimeout(2 * LONGEST_SECONDS)
                peer.receive()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (raw.command(raw.C_FIND_RQ, e0002=OPHTHALMIC, e0110=7, e0700=0, e0800=1), 0x8020),
        (raw.command(0x0021, e0002=OPHTHALMIC, e0110=7, e0600="PACS", e0700=0, e0800=1), 0x8021),
        (raw.command(0x0010, e0002=OPHTHALMIC, e0110=7, e0700=0, e0800=1), 0x8010),
        (raw.command(0x0130, e0003=OPHTHALMIC, e0110=7, e0800=1, e1001="1.2.3", e1008=1), 0x8130),
        (raw.command(0x0150, e0003=OPHTHALMIC, e0110=7, e0800=0x0101, e1001="1.2.3"), 0x8150),
    ],
    ids=["C-FIND", "C-MOVE", "C-GET", "N-ACTION", "N-DELETE"],
)
def test_security_N28_a_service_we_do_not_offer_is_unrecognised_once_and_then_aborted(
    place: Place, request_: bytes, answer: int
) -> None:
    data = None if answer == 0x8150 else b"\0" * 8
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, request_, data)
        assert peer.status() == (answer, 0x0211)
        assert peer.store() == 0
        peer.message(3, request_, data)
        aborted = peer.receive()
        assert aborted is not None
        assert aborted[0] == raw.ABORT


def test_security_N28_answers_that_nobody_waits_for_and_cancellations_are_ignored(place: Place) -> None:
    answer = raw.command(0x8001, e0002=OPHTHALMIC, e0120=1, e0800=0x0101, e0900=0, e1000="1.2")
    cancel = raw.command(0x0FFF, e0120=1, e0800=0x0101)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, answer)
        for _ in range(12):
            peer.message(3, cancel)
        assert peer.echo() == 0


@pytest.mark.parametrize(
    ("context_id", "command", "answer"),
    [
        (3, c_store(VERIFICATION, "1.2.3.4.5"), (0x8001, 0x0122)),
        (3, c_store(raw.SECONDARY_CAPTURE, "1.2.3.4.5"), (0x8001, 0x0122)),
        (3, c_store("1.2.3", "1.2.3.4.5"), (0x8001, 0x0122)),
        (1, c_store(OPHTHALMIC, "1.2.3.4.5"), (0x8001, 0x0122)),
        (1, c_store(VERIFICATION, "1.2.3.4.5"), (0x8001, 0x0211)),
        (3, c_echo(), (0x8030, 0x0122)),
        (3, c_echo(OPHTHALMIC), (0x8030, 0x0211)),
    ],
    ids=["Verification", "another class", "no class", "on Verification", "all Verification", "echo", "echo of a class"],
)
def test_security_W10_W11_a_command_that_does_not_fit_its_context_is_never_success(
    place: Place, context_id: int, command: bytes, answer: tuple[int, int]
) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(context_id, command, None if answer[0] == 0x8030 else raw.data_set())
        assert peer.status() == answer
        assert peer.store() == 0  # the association goes on
    assert place.counts() == (1, 1)
    assert place.parts() == []


def test_a_negotiation_that_breaks_ends_its_association_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def breaks(_acse: ACSE) -> None:
        raise IndexError

    before = set(threading.enumerate())
    with monkeypatch.context() as patch, RawAssociation(place.address) as peer:
        patch.setattr(ACSE, "negotiate_association", breaks)
        answer = peer.associate()
        assert answer is not None
        assert answer[0] == raw.ABORT
        assert peer.is_closed()
        assert until(lambda: place.listener.associations == 0)
    assert until(lambda: set(threading.enumerate()) <= before)
    assert capfd.readouterr().err == ""
    with RawAssociation(place.address) as other:
        other.associate()
        assert other.echo() == 0


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda identifier, control, data: pdu(P_DATA, fragment(identifier, control, data)),
                st.sampled_from([0, 1, 3, 5]),
                st.sampled_from([0, COMMAND, LAST, COMMAND | LAST, 0xFF]),
                st.one_of(
                    st.binary(max_size=60),
                    st.sampled_from([STORE, c_echo(), raw.data_set(), raw.command(raw.C_FIND_RQ), raw.command(0x8001)]),
                ),
            ),
            st.builds(pdu, st.integers(0, 9), st.binary(max_size=80)),
            st.binary(max_size=30),
        ),
        max_size=8,
    )
)
def test_no_pdus_harm_the_listener(crowded: Place, sent: list[bytes]) -> None:
    with RawAssociation(crowded.address) as peer:
        peer.associate()
        with contextlib.suppress(ConnectionError):
            for one in sent:
                peer.send(one)
    with RawAssociation(crowded.address) as camera:
        camera.associate()
        assert camera.echo() == 0
    assert until(lambda: crowded.listener.associations == 0)
    assert crowded.parts() == []


def test_what_follows_an_abort_is_measured_too(hasty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(connection: socket.socket, size: int, left: Callable[[], float]) -> bytearray:
        sizes.append(size)
        return bytearray() if size > PATIENT.request_bytes else read_exactly(connection, size, left)

    monkeypatch.setattr(guarded_parts, "read_exactly", measured)
    with RawAssociation(hasty.address) as peer:
        peer.associate()
        # A wrong fragment ends the association; what is behind it is read all the same, and announces two gigabytes.
        peer.send(pdu(P_DATA, fragment(5, 0xFF, b"wrong")) + b"\x05\x00\x80\x2d\xc1\xc8" * 3)
    assert until(lambda: hasty.listener.associations == 0)
    assert max(sizes) <= PATIENT.request_bytes


def test_security_W3_peers_stuck_in_a_pdu_do_not_keep_a_camera_out(listen: Callable[..., Place]) -> None:
    place = listen(limits=SHORT, max_associations=6)
    stuck = [RawAssociation(place.address) for _ in range(6)]
    try:
        for peer in stuck:
            peer.associate()
            peer.send(pdu(P_DATA, b"\0" * 10, 16384))
        assert until(lambda: place.listener.associations == 0)
        with RawAssociation(place.address) as camera:
            camera.associate()
            assert camera.echo() == 0
    finally:
        for peer in stuck:
            peer.close()


def test_the_limits_are_those_of_the_references() -> None:
    limits = Limits()
    assert (limits.request_seconds, limits.pdu_seconds, limits.object_seconds) == (10, 10, 60)
    assert (limits.request_bytes, limits.pdu_bytes, limits.object_bytes) == (256 << 10, 128 << 10, 512 << 20)
    assert (limits.waiting_per_host, limits.waiting, limits.network_seconds) == (16, 64, 120)
