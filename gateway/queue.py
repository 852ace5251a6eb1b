"""The doorbell: the only file that knows Celery. A message says which kind of work there is, nothing more.

Rows are the queue; a bell that is lost costs the second until a worker looks by itself. Options as measured for a
broker that refuses, hangs or freezes (reliability R11): nothing here ever holds up the one who rings. Nothing is worked
on inside a Celery task either: RabbitMQ closes the channel of who keeps a message for half an hour, Redis gives it to
another one after two minutes, and an end would wait for both.
"""

import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning
from celery.worker import state

from casebook.words import JobKind

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0  # before listening anew where a broker has thrown us out
_LOOK_SECONDS = 0.5  # how often a consumer whom nobody sends anything sees that it shall end
_TASK = "retinagate.ring"
_RINGER: dict[str, dict[str, Any]] = {
    "memory": {"polling_interval": 0.05},
    "redis": {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0, "visibility_timeout": 120},
    "amqp": {"confirm_publish": True, "read_timeout": 1, "write_timeout": 1, "max_retries": 0},
}
_LISTENER: dict[str, dict[str, Any]] = {
    "memory": {"polling_interval": 0.05},
    "redis": {
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        "visibility_timeout": 120,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    },
    "amqp": {},
}


def _app(url: str, queue: str, options: dict[str, dict[str, Any]]) -> Celery:
    # Without a host kombu warns at every start, also where there is none to have.
    app = Celery("retinagate", broker="memory://here" if url == "memory://" else url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        accept_content=["json"],
        task_serializer="json",
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_default_queue=queue,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=options[_kind(url)],
    )
    return app


def _kind(url: str) -> str:
    """Return which options a URL takes; ``rediss`` and ``amqps`` are the same with TLS."""
    return next((kind for kind in ("memory", "redis") if url.startswith(kind)), "amqp")


@signals.setup_logging.connect
def _leave_the_log_alone(**_: object) -> None:
    """Be there: only where nobody takes this signal does Celery set the root logger's level to its own."""


def queue_of(installation: str) -> str:
    """Return the name of an installation's queue: two that share a broker do not take each other's bells."""
    return f"retinagate.{installation}"


class Doorbell:
    """Rings from a thread of its own: whoever rings owes a peer an answer and must not wait for a broker.

    Args:
        url: the broker's URL.
        installation: whose workers shall hear it.
    """

    def __init__(self, url: str, installation: str) -> None:
        self._app = _app(url, queue_of(installation), _RINGER)
        self._app.conf.broker_connection_timeout = 1
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
                    break
                kind = self._wanted.pop()
            try:
                self._app.send_task(_TASK, args=[str(kind)], retry=False)
            except Exception:  # the ring is a border: whatever the broker does, rows and the workers' look carry on
                log.warning("the broker did not take a bell", extra={"kind": kind}, exc_info=True)
        self._app.close()


class BellListener:
    """Hears the bells, for as long as it lives: a broker that goes away or throws us out is asked again.

    Args:
        url: the broker's URL.
        installation: whose bells.
        answer: called with the kind of work; must return at once.
    """

    def __init__(self, url: str, installation: str, answer: Callable[[JobKind], None]) -> None:
        self._app = _app(url, queue_of(installation), _LISTENER)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell-listener", daemon=True)

        # Shared, it would be the task of every app in this process: a restarted worker's bells would ring at the old.
        @self._app.task(name=_TASK, shared=False)
        def ring(kind: str) -> None:
            answer(JobKind(kind))

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def stop(self) -> None:
        """Stop hearing, soon; nobody waits for it, for a broker may hold it, and it owns nothing."""
        self._stopping.set()
        # A Celery worker ends well only in its own thread, which looks at this; two threads on one connection may hang.
        state.should_terminate = 0  # type: ignore[assignment]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                worker = self._make_worker()
                if worker.use_eventloop:
                    worker.timer.call_repeatedly(_LOOK_SECONDS, lambda: None)
                worker.start()
            except Exception:  # a border too: whatever it says, a broker decides nothing but when we hear of work
                log.warning("the broker lets us hear nothing", exc_info=True)
            self._stopping.wait(AGAIN_SECONDS)
        state.should_terminate = None

    def _make_worker(self) -> Any:
        with warnings.catch_warnings():
            # Celery warns root of pickled messages; these are JSON, and one word long.
            warnings.simplefilter("ignore", SecurityWarning)
            return self._app.Worker(
                pool="solo",
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                quiet=True,
                loglevel="WARNING",
            )
