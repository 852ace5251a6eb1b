"""A real broker that goes away, hangs, resets or throws us out decides only when a bell is heard, never whether we live."""

import gc
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis
from running_service import wait_for
from tcp_proxy import Proxy

from casebook.words import JobKind
from gateway import queue
from gateway.queue import BellListener, Doorbell

pytestmark = [
    pytest.mark.peer("rabbitmq"),
    # Celery leaves the connections of a consumer that was stopped to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def what_celery_left_is_collected() -> Iterator[None]:
    """Collect it here: later it would be another test's fault."""
    yield
    gc.collect()


class Ears:
    """A listener that counts what it hears."""

    def __init__(self, url: str, installation: str = "a") -> None:
        self.heard: list[JobKind] = []
        self._listener = BellListener(url, installation, self.heard.append)
        self._listener.start()

    def hear_again(self, bell: Doorbell, seconds: float) -> None:
        """Wait until a bell rung from now on is heard; one that was rung too early may be lost."""
        before = len(self.heard)

        def rings() -> bool:
            bell.ring(JobKind.GRADE)
            threading.Event().wait(0.2)
            return len(self.heard) > before

        wait_for(rings, seconds, "a bell")

    def stop(self) -> None:
        self._listener.stop()
        wait_for(lambda: not self._listener._thread.is_alive(), 10, "its end")


@pytest.fixture(params=["rabbitmq", "redis"])
def proxied(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, str]]:
    """Give a door before each broker in turn, and the URL that leads through it."""
    url = urlsplit(request.getfixturevalue(f"{request.param}_url"))
    assert url.port is not None
    with Proxy(url.port) as proxy:
        yield proxy, url._replace(netloc=url.netloc.replace(str(url.port), str(proxy.port))).geturl()


def test_R11_bells_are_heard_again_after_whatever_a_broker_does(proxied: tuple[Proxy, str]) -> None:
    proxy, url = proxied
    ears, bell = Ears(url), Doorbell(url, "a")
    ears.hear_again(bell, 20)
    proxy.cut()
    ears.hear_again(bell, 20)
    proxy.away()
    bell.ring(JobKind.GRADE)
    proxy.back()
    ears.hear_again(bell, 20)
    proxy.freeze()
    began = time.monotonic()
    bell.ring(JobKind.GRADE)
    assert time.monotonic() - began < 0.5, "whoever rings is not held up"
    wait_for(lambda: not bell._wanted, 5, "the ringer's turn")
    proxy.back()
    ears.hear_again(bell, 20)
    ears.stop()
    bell.close()
    again = Ears(url)
    bell = Doorbell(url, "a")
    again.hear_again(bell, 20)
    again.stop()
    bell.close()


def test_R11_an_end_waits_for_no_broker(proxied: tuple[Proxy, str]) -> None:
    proxy, url = proxied
    ears, bell = Ears(url), Doorbell(url, "a")
    ears.hear_again(bell, 20)
    proxy.freeze()
    bell.ring(JobKind.GRADE)
    began = time.monotonic()
    bell.close()
    ears._listener.stop()
    assert time.monotonic() - began < 6
    proxy.back()
    ears.stop()


def test_two_installations_on_one_broker_hear_their_own_bells(rabbitmq_url: str) -> None:
    ears = Ears(rabbitmq_url, "ours")
    theirs, ours = Doorbell(rabbitmq_url, "theirs"), Doorbell(rabbitmq_url, "ours")
    for _ in range(3):
        theirs.ring(JobKind.DELIVER)
        wait_for(lambda: not theirs._wanted, 5, "the ringer's turn")
    theirs.close()
    ears.hear_again(ours, 20)
    assert set(ears.heard) == {JobKind.GRADE}
    ours.close()
    ears.stop()


@pytest.mark.peer("redis")
def test_a_broker_that_refuses_us_is_asked_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "AGAIN_SECONDS", 0.2)
    keeper = redis.Redis.from_url(redis_url)
    keeper.config_set("requirepass", "another")
    ears, bell = Ears(redis_url), Doorbell(redis_url, "a")
    try:
        bell.ring(JobKind.GRADE)
        wait_for(lambda: not bell._wanted, 10, "the ringer's turn")
    finally:
        keeper.config_set("requirepass", "")
        keeper.close()
    ears.hear_again(bell, 20)
    ears.stop()
    bell.close()
