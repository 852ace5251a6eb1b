"""A bell reaches whoever listens, many melt into few, and ringing never waits."""

import logging
import threading
import time

import pytest
from running_service import wait_for

from casebook.words import JobKind
from gateway.queue import BellListener, Doorbell


def test_R11_a_bell_is_heard_and_ringing_never_waits(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[JobKind] = []
    came = threading.Event()

    def answer(kind: JobKind) -> None:
        heard.append(kind)
        if {JobKind.GRADE, JobKind.DELIVER} <= set(heard):
            came.set()

    ears = BellListener("memory://", "a", answer)
    bell = Doorbell("memory://", "a")
    ears.start()
    began = time.monotonic()
    for _ in range(1000):
        bell.ring(JobKind.GRADE)
    assert time.monotonic() - began < 1.0, "ringing a thousand times cost no more than remembering it"
    bell.ring(JobKind.DELIVER)
    assert came.wait(20)
    assert len(heard) < 1000
    ears.stop()
    ears._thread.join(10)
    bell.close()
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == [], "nothing is wrong"


def test_R11_a_broker_that_is_not_there_holds_nobody_up() -> None:
    bell = Doorbell("redis://127.0.0.1:1/0", "a")
    began = time.monotonic()
    bell.ring(JobKind.GRADE)
    assert time.monotonic() - began < 1.0
    bell.close()


def test_two_installations_on_one_broker_hear_their_own_bells() -> None:
    heard: list[JobKind] = []
    ears = BellListener("memory://", "ours", heard.append)
    theirs, ours = Doorbell("memory://", "theirs"), Doorbell("memory://", "ours")
    ears.start()
    theirs.ring(JobKind.DELIVER)
    theirs.close()
    ours.ring(JobKind.GRADE)
    wait_for(lambda: heard, 20, "the bell")
    assert heard == [JobKind.GRADE]
    ours.close()
    ears.stop()
    ears._thread.join(10)


def test_R11_both_ends_are_set_as_measured() -> None:
    ears = BellListener("amqp://nobody@127.0.0.1:1//", "a", lambda _: None)
    bells = {scheme: Doorbell(f"{scheme}://127.0.0.1:1/0", "a") for scheme in ("amqp", "redis")}
    for app in (ears._app, *(bell._app for bell in bells.values())):
        expected = {
            "task_ignore_result": True,
            "result_backend": None,
            "accept_content": ["json"],
            "task_acks_late": True,
            "task_reject_on_worker_lost": False,
            "worker_prefetch_multiplier": 1,
            "task_time_limit": None,
            "broker_connection_retry_on_startup": True,
            "broker_connection_max_retries": None,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "worker_hijack_root_logger": False,
            "worker_redirect_stdouts": False,
            "worker_enable_remote_control": False,
        }
        assert {key: app.conf[key] for key in expected} == expected
    assert {bell._app.conf.broker_connection_timeout for bell in bells.values()} == {1}
    assert bells["amqp"]._app.conf.broker_transport_options == {
        "confirm_publish": True, "read_timeout": 1, "write_timeout": 1, "max_retries": 0,
    }  # fmt: skip
    assert bells["redis"]._app.conf.broker_transport_options == {
        "socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0, "visibility_timeout": 120,
    }  # fmt: skip
    for bell in bells.values():
        bell.close()


def test_listening_leaves_the_log_as_it_is() -> None:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.INFO)
    heard: list[JobKind] = []
    ears, bell = BellListener("memory://", "log", heard.append), Doorbell("memory://", "log")
    try:
        ears.start()
        bell.ring(JobKind.GRADE)
        wait_for(lambda: heard, 20, "the bell")
        assert root.level == logging.INFO, "what a worker says of its work is not hidden"
        assert root.handlers == handlers
    finally:
        root.setLevel(level)
        bell.close()
        ears.stop()
        ears._thread.join(10)


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "pyamqp", "redis", "rediss"])
def test_R11_ringing_has_its_limits_however_the_url_is_written(scheme: str) -> None:
    bell = Doorbell(f"{scheme}://127.0.0.1:1/0", "a")
    options = bell._app.conf.broker_transport_options
    assert options["max_retries"] == 0
    assert {options.get("socket_timeout"), options.get("read_timeout")} == {1, None}
    bell.close()
