"""A part that ends or stands still is restarted, three times in five minutes; then the service ends and names it."""

import threading
from typing import Any

import pytest

from gateway import supervisor
from gateway.progress import Progress
from gateway.supervisor import Supervisor


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOOK_EVERY", 0.002)
    monkeypatch.setattr(supervisor, "DELAYS", (0.0, 0.0, 0.0))


def test_a_part_that_always_fails_ends_the_service_and_is_named(clock: Any) -> None:
    starts: list[int] = []

    def fails(stop: threading.Event, progress: Progress) -> None:
        starts.append(1)
        raise RuntimeError("broken")

    def fine(stop: threading.Event, progress: Progress) -> None:
        while not stop.wait(0.001):
            progress.turn()

    parts = Supervisor(clock)
    parts.start("fine", fine)
    parts.start("sweeper", fails)
    assert parts.watch(threading.Event()) == "sweeper"
    assert len(starts) == 1 + supervisor.RESTARTS
    assert parts.stop() == []


def test_failures_far_apart_are_forgiven(clock: Any) -> None:
    starts: list[int] = []
    over = threading.Event()

    def fails_rarely(stop: threading.Event, progress: Progress) -> None:
        starts.append(1)
        clock.move(supervisor.WITHIN_SECONDS)
        if len(starts) == 8:
            over.set()
            stop.wait()

    parts = Supervisor(clock)
    parts.start("worker", fails_rarely)
    assert parts.watch(over) is None
    assert len(starts) == 8
    parts.stop()


def test_R21_a_part_that_stands_still_is_replaced(clock: Any) -> None:
    threads: list[threading.Event] = []
    over = threading.Event()

    def stands_still_once(stop: threading.Event, progress: Progress) -> None:
        threads.append(stop)
        if len(threads) == 1:
            clock.move(supervisor.STILL_AFTER + 1)
        else:
            over.set()
        stop.wait()

    parts = Supervisor(clock)
    parts.start("listener", stands_still_once)
    assert parts.watch(over) is None
    assert len(threads) == 2
    assert threads[0].is_set(), "the one left behind was told to stop"
    assert parts.stop() == []


def test_R19_a_part_that_does_not_stop_in_time_is_named(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.0)
    release = threading.Event()
    parts = Supervisor(clock)
    parts.start("stubborn", lambda stop, progress: release.wait() and None)
    assert parts.stop() == ["stubborn"]
    release.set()


def test_a_part_that_fails_again_at_once_is_given_a_moment(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "DELAYS", (0.0, 5.0, 5.0))
    starts: list[float] = []
    over = threading.Event()

    def fails(stop: threading.Event, progress: Progress) -> None:
        starts.append(clock.seconds)

    parts = Supervisor(clock)
    parts.start("listener", fails)
    ticker = threading.Thread(target=lambda: [clock.move(1) for _ in iter(lambda: over.wait(0.01), True)])
    ticker.start()
    assert parts.watch(threading.Event()) == "listener"
    over.set()
    ticker.join()
    assert len(starts) == 4
    assert starts[2] - starts[1] >= 5
