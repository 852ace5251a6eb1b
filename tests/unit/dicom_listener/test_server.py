"""The listener starts with one sentence when it cannot, and ends in time without breaking what is under way (R19)."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import raw_association as raw
from listening import Place, until
from raw_association import OPHTHALMIC, RawAssociation, c_store, data_set, fragment, pdu

from casebook.archive import Archive
from casebook.database import Database
from casebook.errors import Misconfigured
from casebook.settings import Listener as Settings
from dicom_listener.server import make_server


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_named_with_the_remedy(taken: int, database: Database, archive: Archive) -> None:
    listener = make_server(Settings(port=taken), database, archive)
    with pytest.raises(Misconfigured, match=rf"Port {taken} is taken\. Stop the program"):
        listener.start()


def test_a_foreign_address_is_named_with_the_remedy(database: Database, archive: Archive) -> None:
    settings = Settings(host="192.0.2.1", allowed_callers=[{"ae_title": "A", "host": "192.0.2.2"}])
    with pytest.raises(Misconfigured, match=r"listener\.host"):
        make_server(settings, database, archive).start()


def test_stopping_what_was_never_started_is_harmless(database: Database, archive: Archive) -> None:
    make_server(Settings(), database, archive).stop()


def _stop(place: Place) -> threading.Thread:
    stopping = threading.Thread(target=place.listener.stop)
    stopping.start()
    return stopping


def test_R19_an_idle_association_is_aborted_soon(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        assert peer.echo() == 0
        stopping = _stop(place)
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == raw.ABORT
    stopping.join(timeout=5)
    assert not stopping.is_alive()
    assert not place.listener.is_alive


def test_R19_an_object_under_way_arrives_and_then_the_association_ends(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"stop_idle_seconds": 0.1, "stop_busy_seconds": 10.0, "object_seconds": 60.0})
    data = data_set(pixels=b"\0" * 50_000)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"))
        peer.send(pdu(raw.P_DATA, fragment(3, 0, data[:20_000])))
        assert until(lambda: len(place.parts()) == 1)
        stopping = _stop(place)
        with RawAssociation(place.address) as late:
            assert late.associate() == (raw.RJ, bytes([0, 2, 3, 1]))
        peer.send(pdu(raw.P_DATA, fragment(3, raw.LAST, data[20_000:])))
        assert peer.status() == (0x8001, 0)
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == raw.ABORT
    stopping.join(timeout=5)
    assert not stopping.is_alive()
    assert place.counts() == (1, 1)


def test_R19_an_object_that_takes_too_long_is_aborted_and_leaves_nothing(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"stop_busy_seconds": 0.5, "object_seconds": 60.0})
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"))
        peer.send(pdu(raw.P_DATA, fragment(3, 0, data_set())))
        assert until(lambda: len(place.parts()) == 1)
        stopping = _stop(place)
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == raw.ABORT
    stopping.join(timeout=5)
    assert not stopping.is_alive()
    assert place.parts() == []
    assert place.counts() == (0, 0)


def test_R19_a_connection_that_says_nothing_does_not_hold_the_end_up(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"request_seconds": 60.0})
    with RawAssociation(place.address) as peer:
        assert peer.associate() is not None
        with RawAssociation(place.address) as silent:
            silent.send(b"\x01")
            assert peer.release() is not None
            stopping = _stop(place)
            assert silent.is_closed()
            stopping.join(timeout=5)
            assert not stopping.is_alive()


def test_R21_a_listener_answers_its_own_echo(listen: Callable[..., Place], clock: Any) -> None:
    hosts = [{"ae_title": "CAMERA", "host": "127.0.0.1"}]
    for settings in ({}, {"host": "0.0.0.0", "allowed_callers": hosts}, {"ae_title": "EYES"}):
        place = listen(clock=clock, **settings)
        assert place.listener.answers()
        assert until(lambda where=place: where.listener.associations == 0)
        place.listener.stop()
        assert not place.listener.answers()


def test_R21_a_listener_without_a_free_slot_does_not_answer_and_then_does_again(
    listen: Callable[..., Place], clock: Any
) -> None:
    place = listen(clock=clock, max_associations=1)
    with RawAssociation(place.address) as camera:
        camera.associate()
        assert not place.listener.answers()
        camera.release()
    assert until(lambda: place.listener.associations == 0)
    assert not place.listener.answers()  # it asks every five seconds
    clock.move(5)
    assert place.listener.answers()


def test_no_thread_is_left_after_the_end(listen: Callable[..., Place]) -> None:
    before = set(threading.enumerate())
    place = listen()
    peers = [RawAssociation(place.address) for _ in range(5)]
    for peer in peers:
        peer.associate()
    place.listener.stop()
    assert until(lambda: set(threading.enumerate()) <= before)
    for peer in peers:
        peer.close()


def test_security_S18_no_text_of_a_peer_reaches_the_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    canary = "CANARY7F3A"
    caplog.set_level(logging.DEBUG)
    with RawAssociation(place.address) as peer:
        peer.associate(calling=canary.encode())
        assert peer.store(data=data_set(name=canary.encode())) == 0
        assert peer.store(data=data_set(name=canary.encode(), study=canary)) == 0xC000
        assert peer.store(sop_instance=canary) == 0xC000
        peer.message(3, raw.command(raw.C_FIND_RQ, e0002=OPHTHALMIC, e0110=1, e0700=0, e0800=1), canary.encode() * 2)
        assert peer.status() == (0x8020, 0x0211)
        peer.message(3, canary.encode())
        assert peer.receive() is not None
    with RawAssociation(place.address) as peer:
        peer.associate(called=canary.encode())
    assert until(lambda: place.listener.associations == 0)
    assert place.parts() == []
    for record in caplog.records:
        assert canary not in record.getMessage()
        assert canary not in str(record.__dict__)
