"""The parts of the service; each blocks until told to stop, and is the same in every shape.

``up`` runs them as threads of one process, ``listen``, ``work`` and ``dashboard`` as processes of their own; only
settings differ.
"""

import logging
import threading
from collections.abc import Callable

from casebook import cases, heartbeats
from casebook.errors import Unavailable
from casebook.words import JobKind
from gateway.house import House, bundle_folder
from gateway.progress import Progress

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
BEAT_EVERY = 5.0
# How long a picture or an object in hand may go on when the service stops; with what follows it stays below 25 s (R19).
IN_HAND_SECONDS = 15.0

Part = Callable[[House, threading.Event, Progress], None]


def run_listener(house: House, stop: threading.Event, progress: Progress) -> None:
    """Take objects from peers, and mark studies ready that have fallen quiet.

    The listener marks them, because only its process knows what is in flight (R16).
    """
    from dicom_listener.server import make_server

    bell = house.doorbell()
    secret = None if house.self_test is None else house.self_test.secret
    listener = make_server(
        house.settings.listener, house.database, house.archive, house.clock, bell.ring, self_test_secret=secret
    )
    listener.start()
    timing = house.settings.cases
    pulse = _Pulse(house, "listener")
    # A camera cut off by our end sends again once we are back: until then nothing counts as quiet.
    earliest = house.clock.monotonic() + timing.quiet_seconds
    try:
        while True:
            if not listener.is_alive:
                raise Unavailable("The listener has stopped accepting.", "It is started again.")
            with _patience():
                if house.clock.monotonic() >= earliest and cases.close_all_quiet(
                    house.database,
                    house.clock.now(),
                    quiet_seconds=timing.quiet_seconds,
                    force_seconds=timing.force_seconds,
                    in_flight=listener.in_flight,
                ):
                    bell.ring(JobKind.REPORT)
                answers = listener.answers()
                pulse.beat(ready=answers, detail="" if answers else "does not answer a C-ECHO")
            progress.turn()
            if stop.wait(LOOK_EVERY):
                return
    finally:
        listener.stop()
        bell.close()


def run_worker(house: House, stop: threading.Event, progress: Progress) -> None:
    """Grade, report and send: hear bells, look for what is due, work off jobs, keep leases alive."""
    from gateway.queue import BellListener
    from gateway.stations import Stations
    from gateway.worker import RENEW_EVERY, Worker

    stations = Stations(house, bundle_folder(house.settings))
    worker = Worker(house, stations.all())
    ears = BellListener(house.settings.broker.url, house.identity, worker.wake)
    alive, model = _Pulse(house, "worker"), _Pulse(house, "model")
    renewed = house.clock.monotonic()
    stations.start()
    ears.start()
    try:
        while True:
            with _patience():
                if house.clock.monotonic() - renewed >= RENEW_EVERY:
                    renewed = house.clock.monotonic()
                    worker.renew_leases()
                worker.look()
                alive.beat(ready=True)
                model.beat(ready=stations.model_ready(), detail=stations.model_detail())
            progress.turn()
            if stop.wait(LOOK_EVERY):
                return
    finally:
        worker.stopping.set()
        ears.stop()
        stations.stop(worker.wait_until_idle, IN_HAND_SECONDS)


def run_dashboard(house: House, stop: threading.Event, progress: Progress) -> None:
    """Answer HTTP."""
    from dashboard.app import make_app
    from dashboard.connections import make_server

    settings = house.settings.dashboard
    app = make_app(
        settings,
        house.database,
        house.archive,
        house.clock,
        listener=house.settings.listener,
        destinations=house.settings.destinations,
    )
    server = make_server(app, settings)
    thread = threading.Thread(target=_serve, args=(server, settings.port), name="http", daemon=True)
    thread.start()
    pulse = _Pulse(house, "dashboard")
    try:
        while True:
            if not thread.is_alive():
                raise Unavailable("The dashboard has stopped answering.", "It is started again.")
            with _patience():
                pulse.beat(ready=server.started)
            progress.turn()
            if stop.wait(LOOK_EVERY):
                return
    finally:
        app.state.live.close()  # an open page's stream would hold up the end
        server.should_exit = True
        thread.join(timeout=10)


def _serve(server: object, port: int) -> None:
    import uvicorn

    assert isinstance(server, uvicorn.Server)
    try:
        server.run()
    except SystemExit:  # how uvicorn says that it cannot listen
        log.exception("the dashboard cannot listen on port %d", port)


class _patience:  # noqa: N801 - reads as a statement
    """A database or disk that is away is waited for, not a reason to stop."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Unavailable):
            log.warning("waiting", extra={"error": str(error)})
            return True
        return False


class _Pulse:
    """Writes a part's sign of life now and then, and at once when its readiness changes."""

    def __init__(self, house: House, part: str) -> None:
        self._house, self._part = house, part
        self._last: tuple[float, bool, str] | None = None

    def beat(self, *, ready: bool, detail: str = "") -> None:
        now = self._house.clock.monotonic()
        if self._last is not None and self._last[1:] == (ready, detail) and now - self._last[0] < BEAT_EVERY:
            return
        with self._house.database.transaction() as t:
            heartbeats.beat(t, self._part, self._house.clock.now(), ready=ready, detail=detail)
        self._last = (now, ready, detail)
