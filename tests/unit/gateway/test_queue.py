"""A bell reaches whoever listens, many melt into few, and ringing never waits."""

import threading
import time

from casebook.words import JobKind
from gateway.queue import BellListener, Doorbell


def test_R11_a_bell_is_heard_and_ringing_never_waits() -> None:
    heard: list[JobKind] = []
    came = threading.Event()

    def answer(kind: JobKind) -> None:
        heard.append(kind)
        if {JobKind.GRADE, JobKind.DELIVER} <= set(heard):
            came.set()

    ears = BellListener("memory://", answer, threads=2)
    bell = Doorbell("memory://")
    ears.start()
    began = time.monotonic()
    for _ in range(1000):
        bell.ring(JobKind.GRADE)
    assert time.monotonic() - began < 1.0, "ringing a thousand times cost no more than remembering it"
    bell.ring(JobKind.DELIVER)
    assert came.wait(20)
    assert len(heard) < 1000
    ears.stop(5)
    bell.close()


def test_R11_a_broker_that_is_not_there_holds_nobody_up() -> None:
    bell = Doorbell("redis://127.0.0.1:1/0")
    began = time.monotonic()
    bell.ring(JobKind.GRADE)
    assert time.monotonic() - began < 1.0
    bell.close()
