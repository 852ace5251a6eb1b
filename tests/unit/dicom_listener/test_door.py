"""A connection says who it is in time, or goes; until then it costs nobody anything (security S2, N1-N18)."""

import logging
import threading
from collections.abc import Callable

import pytest
import raw_association as raw
from listening import SHORT, Place, until
from raw_association import RawAssociation, association_request, item, pdu

from casebook import telemetry
from casebook.archive import Archive

ABORT_UNEXPECTED = (raw.ABORT, bytes([0, 0, 2, 2]))
ABORT_INVALID = (raw.ABORT, bytes([0, 0, 2, 6]))


def rejected(result: int, source: int, reason: int) -> tuple[int, bytes]:
    return raw.RJ, bytes([0, result, source, reason])


@pytest.mark.parametrize(
    "beginning",
    [b"", b"\x01", b"\x01\0\0\0\0", association_request()[:6], association_request()[:-1]],
    ids=["nothing", "one byte", "half a header", "a header alone", "all but one byte"],
)
def test_security_N1_N2_N3_a_silent_connection_goes_at_the_deadline(hasty: Place, beginning: bytes) -> None:
    with RawAssociation(hasty.address) as peer:
        peer.send(beginning)
        assert peer.is_closed()
    assert hasty.listener.associations == 0


def test_security_N4_a_trickled_request_has_one_deadline_over_all(hasty: Place) -> None:
    with RawAssociation(hasty.address) as peer:
        closed = False
        for byte in association_request():
            try:
                peer.send(bytes([byte]))
                peer.socket.settimeout(0.02)
                closed = peer.socket.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
            if closed:
                break
        assert closed


@pytest.mark.parametrize("length", [0xFFFFFFFF, SHORT.request_bytes + 1])
def test_security_N5_a_request_that_promises_too_much_is_aborted_at_once(place: Place, length: int) -> None:
    with RawAssociation(place.address) as peer:
        peer.send(pdu(raw.RQ, b"", length))
        assert peer.receive() == ABORT_INVALID
        assert peer.is_closed()


@pytest.mark.parametrize(
    "first",
    [pdu(raw.P_DATA, b"\0" * 20), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ids=["data", "HTTP", "TLS"],
)
def test_security_N6_what_is_no_association_request_is_aborted(place: Place, first: bytes) -> None:
    with RawAssociation(place.address) as peer:
        peer.send(first)
        assert peer.receive() == ABORT_UNEXPECTED
        assert peer.is_closed()


def test_security_N7_silent_connections_do_not_keep_a_camera_out(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"request_seconds": 30.0})
    silent = [RawAssociation(place.address) for _ in range(50)]
    try:
        for _ in range(5):
            with RawAssociation(place.address) as camera:
                assert camera.associate() is not None
                assert camera.echo() == 0
        # The oldest went for the younger ones: 16 of one address may wait.
        assert until(lambda: sum(_is_open(peer) for peer in silent) <= SHORT.waiting_per_host)
    finally:
        for peer in silent:
            peer.close()


@pytest.mark.parametrize("stays", [False, True], ids=["closed at once", "left"])
def test_security_N8_many_short_connections_make_few_log_lines(
    place: Place, caplog: pytest.LogCaptureFixture, stays: bool
) -> None:
    caplog.set_level(logging.INFO)
    before = _ended()
    peers = []
    for _ in range(100):
        peers.append(RawAssociation(place.address))
        if not stays:
            peers[-1].close()
    expected = 100 - (SHORT.waiting_per_host if stays else 0)
    assert until(lambda: _ended() - before == expected)
    assert 1 <= len([record for record in caplog.records if record.name == "dicom_listener.outcomes"]) <= 2
    with RawAssociation(place.address) as camera:
        camera.associate()
        assert camera.echo() == 0
    for peer in peers:
        peer.close()


def _ended() -> float:
    return sum(outcomes(caller="other", outcome=outcome) for outcome in ("gone", "evicted"))


def outcomes(**labels: str) -> float:
    return telemetry.REGISTRY.get_sample_value("retinagate_associations_total", labels) or 0.0


def test_a_thread_that_cannot_start_costs_one_connection_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = outcomes(caller="other", outcome="broken")

    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with RawAssociation(place.address) as peer:
            assert peer.is_closed()
    assert outcomes(caller="other", outcome="broken") == before + 1
    assert capfd.readouterr().err == ""
    with RawAssociation(place.address) as camera:
        camera.associate()
        assert camera.echo() == 0


def test_ux_O3_O4_associations_are_counted_by_configured_name(listen: Callable[..., Place]) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    labels = [
        ("CAMERA", "accepted"),
        ("self-test", "accepted"),
        ("CAMERA", "called_wrong"),
        ("other", "caller_unknown"),
    ]
    before = [outcomes(caller=caller, outcome=outcome) for caller, outcome in labels]
    with RawAssociation(place.address) as camera, RawAssociation(place.address) as self_test:
        camera.associate()
        self_test.associate(calling=b"RG_SELFTEST")
        assert telemetry.REGISTRY.get_sample_value("retinagate_associations_open") == 2
    for request_ in ({"called": b"WRONG"}, {"calling": b"STRANGER"}):
        with RawAssociation(place.address) as peer:
            peer.associate(**request_)
    after = [outcomes(caller=caller, outcome=outcome) for caller, outcome in labels]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1, 1]
    assert until(lambda: telemetry.REGISTRY.get_sample_value("retinagate_associations_open") == 0)


def _is_open(peer: RawAssociation) -> bool:
    peer.socket.settimeout(0.001)
    try:
        return peer.socket.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("called", "calling", "answer"),
    [
        (b"RETINAGATE", b"STRANGER", rejected(1, 1, 3)),
        (b"RETINAGATE", b"camera", rejected(1, 1, 3)),
        (b"WRONG", b"CAMERA", rejected(1, 1, 7)),
        (b"retinagate", b"CAMERA", rejected(1, 1, 7)),
        (b"WRONG", b"STRANGER", rejected(1, 1, 7)),
        (b"RETINAGATE", b"CAM\nERA", rejected(1, 1, 3)),
        (b"RETINAGATE", b"CAM\\ERA", rejected(1, 1, 3)),
        (b"RETINAGATE", b"CAM\xe9RA", rejected(1, 1, 3)),
        (b"RETINAGATE", b"", rejected(1, 1, 3)),
        (b"", b"CAMERA", rejected(1, 1, 7)),
    ],
)
def test_security_N11_N12_N14_titles_are_compared_exactly(
    listen: Callable[..., Place], called: bytes, calling: bytes, answer: tuple[int, bytes]
) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    with RawAssociation(place.address) as peer:
        assert peer.associate(called=called, calling=calling) == answer
        assert peer.is_closed()


@pytest.mark.parametrize("pad", [b" ", b"\0"])
def test_security_N14_spaces_and_nuls_are_padding(listen: Callable[..., Place], pad: bytes) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    with RawAssociation(place.address) as peer:
        answer = peer.associate(pad=pad)
        assert answer is not None
        assert answer[0] == raw.AC
        assert peer.echo() == 0


def test_security_N13_the_right_title_from_another_host_is_rejected(listen: Callable[..., Place]) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    with RawAssociation(place.address, source="127.0.0.2") as peer:
        assert peer.associate() == rejected(1, 1, 3)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"version": 0}, rejected(1, 2, 2)),
        ({"version": 2}, rejected(1, 2, 2)),
        ({"version": 3}, rejected(1, 2, 2)),
        ({"version": 0xFFFF}, rejected(1, 2, 2)),
        ({"application_context": "1.2.3"}, rejected(1, 1, 2)),
    ],
)
def test_security_N15_another_protocol_is_rejected(
    place: Place, request_: dict[str, object], answer: tuple[int, bytes]
) -> None:
    with RawAssociation(place.address) as peer:
        assert peer.associate(**request_) == answer


@pytest.mark.parametrize(
    "contexts",
    [
        [(2, raw.VERIFICATION, [raw.IMPLICIT])],
        [(1, raw.VERIFICATION, [raw.IMPLICIT]), (1, raw.OPHTHALMIC, [raw.EXPLICIT])],
        [(number % 256, raw.VERIFICATION, [raw.IMPLICIT]) for number in range(1, 259, 2)],
        [(1, raw.VERIFICATION, [raw.IMPLICIT])] * 5000,
        [(1, raw.VERIFICATION, [])],
        [],
    ],
    ids=["even", "twice", "129", "5000", "no transfer syntax", "none"],
)
def test_security_N16_wrongly_numbered_contexts_are_aborted(
    place: Place, contexts: list[tuple[int, str, list[str]]]
) -> None:
    with RawAssociation(place.address) as peer:
        peer.send(association_request(contexts=contexts))
        assert peer.receive() == ABORT_INVALID


def test_security_N16_128_contexts_are_taken(place: Place) -> None:
    contexts = [(number, raw.VERIFICATION, [raw.IMPLICIT]) for number in range(1, 257, 2)]
    with RawAssociation(place.address) as peer:
        answer = peer.associate(*contexts)
        assert answer is not None
        assert set(_results(answer[1]).values()) == {(0, raw.IMPLICIT)}
        assert peer.echo() == 0


@pytest.mark.parametrize(
    ("context", "reason"),
    [((1, "1.2.3", [raw.IMPLICIT]), 3), ((1, raw.OPHTHALMIC, ["1.2.3"]), 4)],
    ids=["unknown class", "unknown syntax"],
)
def test_security_N16_what_we_do_not_know_is_refused_context_by_context(
    place: Place, context: tuple[int, str, list[str]], reason: int
) -> None:
    with RawAssociation(place.address) as peer:
        answer = peer.associate(context)
        assert answer is not None
        assert (answer[0], _results(answer[1])) == (raw.AC, {1: (reason, "")})
        assert peer.release() is not None


@pytest.mark.parametrize(
    "request_",
    [
        association_request(contexts=[(1, "1.2.\xff", [raw.IMPLICIT])]),
        association_request(contexts=[(1, raw.VERIFICATION, [""])]),
        pdu(raw.RQ, association_request()[6:] + item(0x99, b"\0" * 4)),
        pdu(raw.RQ, association_request()[6:] + item(0x50, item(0x58, b"\x09\0\0\x01a\0\0"))),
        pdu(raw.RQ, association_request()[6:] + item(0x50, item(0x54, b"\0"))),
    ],
    ids=["no UID", "empty syntax", "unknown item", "unknown identity", "cut role"],
)
def test_a_request_that_the_library_cannot_decode_holds_no_slot(place: Place, request_: bytes) -> None:
    with RawAssociation(place.address) as peer:
        peer.send(request_)
        answer = peer.receive()
        assert answer is None or answer[0] in (raw.ABORT, raw.AC)
    assert until(lambda: place.listener.associations == 0, seconds=2.0)  # and not for the 10 s of its own timer


@pytest.mark.parametrize("length", [1, 6, 7, 1023])
def test_security_N17_a_peer_that_takes_hardly_anything_is_rejected(place: Place, length: int) -> None:
    with RawAssociation(place.address) as peer:
        assert peer.associate(maximum_length=length) == rejected(1, 1, 1)


@pytest.mark.parametrize("length", [0, 1024, 16384, 0xFFFFFFFF])
def test_security_N17_any_other_maximum_length_works(place: Place, length: int) -> None:
    with RawAssociation(place.address) as peer:
        answer = peer.associate(maximum_length=length)
        assert answer is not None
        assert answer[0] == raw.AC
        assert peer.echo() == 0
        assert peer.store() == 0


def test_security_N28_an_ordinary_callers_user_identity_is_ignored(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        answer = peer.associate(identity=("user", "passcode"))
        assert answer is not None
        assert answer[0] == raw.AC
        assert peer.store() == 0


def test_security_N16_only_our_classes_are_accepted(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        answer = peer.associate(
            (1, "1.2.840.10008.5.1.4.1.1.2", [raw.IMPLICIT]),
            (3, raw.OPHTHALMIC, ["1.2.840.10008.1.2.4.102"]),
            (5, raw.OPHTHALMIC, [raw.IMPLICIT, raw.EXPLICIT, "1.2.840.10008.1.2.4.50"]),
        )
        assert answer is not None
        assert answer[0] == raw.AC
        assert _results(answer[1]) == {1: (3, ""), 3: (4, ""), 5: (0, "1.2.840.10008.1.2.4.50")}


def _results(body: bytes) -> dict[int, tuple[int, str]]:
    found, position = {}, 68
    while position < len(body):
        kind, length = body[position], int.from_bytes(body[position + 2 : position + 4], "big")
        value = body[position + 4 : position + 4 + length]
        if kind == 0x21:
            found[value[0]] = (value[2], value[8:].decode() if value[2] == 0 else "")
        position += 4 + length
    return found


def test_security_N18_no_slot_is_left_for_one_more_and_the_next_works_when_one_ends(
    listen: Callable[..., Place],
) -> None:
    place = listen(max_associations=2)
    with RawAssociation(place.address) as first, RawAssociation(place.address) as second:
        for peer in (first, second):
            answer = peer.associate()
            assert answer is not None
            assert answer[0] == raw.AC
        with RawAssociation(place.address) as third:
            assert third.associate() == rejected(2, 3, 2)
        assert first.release() is not None
        assert until(lambda: place.listener.associations == 1)
        with RawAssociation(place.address) as third:
            answer = third.associate()
            assert answer is not None
            assert answer[0] == raw.AC


def test_security_N18_one_host_of_the_network_leaves_half_of_the_slots_to_the_others(
    listen: Callable[..., Place],
) -> None:
    hosts = [{"ae_title": "CAMERA", "host": f"127.0.0.{number}"} for number in (1, 2)]
    place = listen(host="0.0.0.0", allowed_callers=hosts, max_associations=4)
    address = ("127.0.0.1", place.address[1])
    peers = [RawAssociation(address) for _ in range(3)]
    answers = [peer.associate() for peer in peers]
    assert [answer and answer[0] for answer in answers] == [raw.AC, raw.AC, raw.RJ]
    with RawAssociation(address, source="127.0.0.2") as other:
        answer = other.associate()
        assert answer is not None
        assert answer[0] == raw.AC
    for peer in peers:
        peer.close()


def test_R18_below_the_reserve_storage_is_rejected_for_now_and_an_echo_is_answered(
    listen: Callable[..., Place], archive: Archive
) -> None:
    place = listen(archive=Archive(archive.root, reserve_mb=1 << 40))
    with RawAssociation(place.address) as peer:
        assert peer.associate() == rejected(2, 3, 1)
    with RawAssociation(place.address) as peer:
        answer = peer.associate((1, raw.VERIFICATION, [raw.IMPLICIT]))
        assert answer is not None
        assert answer[0] == raw.AC
        assert peer.echo() == 0
