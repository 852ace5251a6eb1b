"""The doorbell: the only file that knows Celery. A message says which kind of work there is, nothing more.

Rows are the queue; a bell that is lost costs one round of the sweep. Options as measured for a broker that refuses,
hangs or freezes (reliability R11): nothing here ever holds up the one who rings.
"""

import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning

from casebook.words import JobKind

log = logging.getLogger(__name__)

_TASK = "retinagate.ring"
_CONSUMER_OPTIONS: dict[str, dict[str, Any]] = {
    "memory": {"polling_interval": 0.05},
    "redis": {"visibility_timeout": 120, "unacked_restore_interval": 10, "unacked_restore_throttle": 1},
    "amqp": {},
}
_RINGER_OPTIONS: dict[str, dict[str, Any]] = {
    "memory": {"polling_interval": 0.05},
    "redis": {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0, "visibility_timeout": 120},
    "amqp": {"confirm_publish": True, "read_timeout": 1, "write_timeout": 1, "max_retries": 0},
}


def _app(url: str, options: dict[str, dict[str, Any]]) -> Celery:
    app = Celery("retinagate", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        accept_content=["json"],
        task_serializer="json",
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_default_queue="retinagate",
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1,
        broker_transport_options=options.get(url.split(":", 1)[0].split("+", maxsplit=1)[0], {}),
    )
    return app


class Doorbell:
    """Rings from a thread of its own: whoever rings owes a peer an answer and must not wait for a broker.

    Args:
        url: the broker's URL.
    """

    def __init__(self, url: str) -> None:
        self._app = _app(url, _RINGER_OPTIONS)
        self._wanted: set[JobKind] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, kind: JobKind) -> None:
        """Say that there is work of a kind; returns at once, and bells of one kind melt into one."""
        with self._changed:
            self._wanted.add(kind)
            self._changed.notify()

    def close(self) -> None:
        """Stop ringing."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                kind = self._wanted.pop()
            try:
                self._app.send_task(_TASK, args=[str(kind)], retry=False)
            except Exception:  # the ring is a border: whatever the broker does, rows and the sweep carry on
                log.warning("the broker did not take a bell", extra={"kind": kind}, exc_info=True)


class BellListener:
    """Hears the bells and answers each in a thread.

    Args:
        url: the broker's URL.
        answer: called with the kind of work; it works until nothing of that kind is left.
        threads: how many kinds of work may go on at once.
    """

    def __init__(self, url: str, answer: Callable[[JobKind], None], threads: int) -> None:
        self._app = _app(url, _CONSUMER_OPTIONS)

        @self._app.task(name=_TASK)
        def ring(kind: str) -> None:
            answer(JobKind(kind))

        with warnings.catch_warnings():
            # Celery warns root of pickled messages; these are JSON, and one word long.
            warnings.simplefilter("ignore", SecurityWarning)
            self._worker: Any = self._app.Worker(
                pool="threads",
                concurrency=threads,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                quiet=True,
                loglevel="WARNING",
            )
        self._thread = threading.Thread(target=self._worker.start, name="bell-listener", daemon=True)

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Say whether it still hears."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Stop hearing.

        Args:
            timeout: seconds to wait for it; a consumer that a broker holds is left behind, for it owns nothing.
        """
        ending = threading.Thread(target=self._worker.stop, name="bell-listener-end", daemon=True)
        ending.start()
        ending.join(timeout)
