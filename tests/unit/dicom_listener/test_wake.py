"""An idle association sleeps, and still answers at once."""

import fcntl
import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import raw_association as raw
from listening import Place, until
from raw_association import RawAssociation

from dicom_listener.guard import GuardedAssociation
from dicom_listener.wake import LONGEST_SECONDS, Checkpoint, TellingQueue, Wake
from dicom_listener.wire import readable


@pytest.fixture
def wake() -> Iterator[Wake]:
    wake = Wake()
    yield wake
    wake.close()


def _seconds(wake: Wake, connection: socket.socket | None, most: float) -> float:
    began = time.monotonic()
    wake.wait(connection, most)
    return time.monotonic() - began


def test_a_wait_ends_when_it_was_set_before(wake: Wake) -> None:
    wake.set()
    wake.set()
    assert _seconds(wake, None, 5) < LONGEST_SECONDS / 2
    assert _seconds(wake, None, 0.05) >= 0.04


def test_a_wait_ends_when_the_connection_can_be_read(wake: Wake) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"x")
        assert _seconds(wake, one, 5) < LONGEST_SECONDS / 2


def test_a_wait_is_never_longer_than_the_timers_allow(wake: Wake) -> None:
    assert _seconds(wake, None, 60) < 2 * LONGEST_SECONDS


def test_descriptors_above_a_thousand_are_waited_for(wake: Wake) -> None:
    one, other = socket.socketpair()
    with one, other, socket.socket(fileno=fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 1500)) as high:
        assert readable([high], 0) == []
        other.send(b"x")
        assert readable([high], 0) == [high]
        assert _seconds(wake, high, 5) < LONGEST_SECONDS / 2


def test_a_closed_connection_or_wake_does_no_harm(wake: Wake) -> None:
    one, other = socket.socketpair()
    one.close()
    other.close()
    wake.wait(one, 0.1)
    wake.close()
    wake.set()
    wake.wait(None, 0.1)


def test_a_checkpoint_holds_until_somebody_tells() -> None:
    pending: list[int] = []
    passed = threading.Event()
    checkpoint = Checkpoint(lambda: bool(pending))
    thread = threading.Thread(target=lambda: (checkpoint.wait(), passed.set()))
    began = time.monotonic()
    thread.start()
    TellingQueue(checkpoint.tell).put(1)
    assert passed.wait(5)
    assert time.monotonic() - began < LONGEST_SECONDS
    thread.join()
    pending.append(1)
    began = time.monotonic()
    assert checkpoint.wait()
    assert time.monotonic() - began < LONGEST_SECONDS / 2


def test_a_closed_checkpoint_holds_until_it_is_opened() -> None:
    checkpoint = Checkpoint(lambda: True)
    checkpoint.clear()
    assert not checkpoint.wait(0.01)
    checkpoint.set()
    assert checkpoint.wait(0.01)


def test_an_idle_association_looks_a_few_times_a_second(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    wait = Wake.wait

    def counted(wake: Wake, connection: socket.socket | None, seconds: float) -> None:
        rounds.append(1)
        wait(wake, connection, seconds)

    monkeypatch.setattr(Wake, "wait", counted)
    with RawAssociation(place.address) as peer:
        peer.associate()
        assert peer.echo() == 0
        before = len(rounds)
        peer.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            peer.receive()
        assert len(rounds) - before < 20  # a thousand without the guard
        peer.socket.settimeout(20)
        times = []
        for _ in range(10):
            began = time.monotonic()
            assert peer.echo() == 0
            times.append(time.monotonic() - began)
        assert sorted(times)[5] < LONGEST_SECONDS / 2
        began = time.monotonic()
        assert peer.release() == (raw.RELEASE_RP, b"\0" * 4)
        assert time.monotonic() - began < LONGEST_SECONDS


def _associations() -> int:
    gc.collect()
    return sum(type(one) is GuardedAssociation for one in gc.get_objects())


def test_ended_associations_are_given_back(place: Place) -> None:
    before = _associations()
    for _ in range(20):
        with RawAssociation(place.address) as peer:
            peer.associate()
            peer.release()
    assert until(lambda: place.listener.associations == 0)
    assert until(lambda: not any(isinstance(thread, GuardedAssociation) for thread in threading.enumerate()))
    assert _associations() - before <= 2
