"""Signs of life of parts that may run in several processes beside each other (R21)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete

from casebook import heartbeats
from casebook.database import Database
from casebook.models import Heartbeat


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda number: monkeypatch.setattr("os.getpid", lambda: number)


def _model(database: Database, clock: Any) -> tuple[bool, str, bool]:
    with database.reading() as t:
        pulse = heartbeats.pulses(t, clock.now())["model"]
    return pulse.ready, pulse.detail, pulse.fresh


def test_R21_of_two_workers_the_one_that_is_ready_speaks(database: Database, clock: Any, in_process: Any) -> None:
    def beat(process: int, *, ready: bool, detail: str) -> None:
        in_process(process)
        with database.transaction() as t:
            heartbeats.beat(t, "model", clock.now(), ready=ready, detail=detail)

    beat(1, ready=False, detail="is starting")
    beat(2, ready=True, detail="grades")
    beat(1, ready=False, detail="is starting")
    assert _model(database, clock) == (True, "grades", True), "a photograph could be taken now"
    beat(2, ready=False, detail="is refused")
    assert _model(database, clock) == (False, "is refused", True), "it says so itself"
    beat(2, ready=True, detail="grades")
    clock.move(heartbeats.STALE_AFTER.total_seconds() + 1)
    beat(1, ready=False, detail="is starting")
    assert _model(database, clock) == (False, "is starting", True), "the other is gone"


def test_two_processes_that_begin_in_the_same_instant_both_live(database: Database, clock: Any) -> None:
    together = threading.Barrier(2, timeout=10)

    def begin() -> None:
        for _ in range(20):
            together.wait()
            with database.transaction() as t:
                heartbeats.beat(t, "sweeper", clock.now(), ready=True)
            together.wait()
            with database.transaction() as t:
                t.execute(delete(Heartbeat))

    with ThreadPoolExecutor(2) as both:
        for one in [both.submit(begin) for _ in range(2)]:
            one.result()
