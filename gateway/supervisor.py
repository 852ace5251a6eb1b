"""Keeps the parts going: one that ends or stands still is restarted, and one that will not stay up ends the service."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from casebook.clock import Clock
from gateway.progress import Progress

log = logging.getLogger(__name__)

RESTARTS = 3
DELAYS = (0.0, 2.0, 10.0)  # before each restart: what fails at once may only need a moment
WITHIN_SECONDS = 300.0
STILL_AFTER = 60.0
LOOK_EVERY = 0.5
STOP_SECONDS = 25.0

Run = Callable[[threading.Event, Progress], None]


@dataclass(slots=True)
class _Part:
    name: str
    run: Run
    stop: threading.Event
    progress: Progress
    thread: threading.Thread | None = None
    restarts: deque[float] = field(default_factory=deque)
    restart_at: float | None = None


class Supervisor:
    """Runs parts as threads of this process.

    Args:
        clock: for the time between restarts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parts: list[_Part] = []

    def start(self, name: str, run: Run) -> None:
        """Start a part; it runs until its event is set, and calls ``turn`` whenever its loop comes round."""
        part = _Part(name, run, threading.Event(), Progress(self._clock))
        self._parts.append(part)
        self._launch(part)

    def watch(self, stop: threading.Event) -> str | None:
        """Restart parts that end or stand still until told to stop.

        Returns:
            The name of the part that would not stay up, or none when it was told to stop.
        """
        while not stop.wait(LOOK_EVERY):
            for part in self._parts:
                assert part.thread is not None
                ended = not part.thread.is_alive()
                if not ended and part.progress.silence() < STILL_AFTER:
                    continue
                if part.restart_at is None:
                    log.error("a part %s", "ended" if ended else "stands still", extra={"part": part.name})
                    if not self._plan_restart(part):
                        return part.name
                if part.restart_at is not None and self._clock.monotonic() >= part.restart_at:
                    self._restart(part)
        return None

    def stop(self) -> list[str]:
        """Tell all parts to stop, the latest started first, and wait for them.

        Returns:
            The names of those that did not stop in time.
        """
        deadline = self._clock.monotonic() + STOP_SECONDS
        for part in reversed(self._parts):
            part.stop.set()
        for part in reversed(self._parts):
            assert part.thread is not None
            part.thread.join(max(0.0, deadline - self._clock.monotonic()))
        return [part.name for part in self._parts if part.thread is not None and part.thread.is_alive()]

    def _plan_restart(self, part: _Part) -> bool:
        now = self._clock.monotonic()
        while part.restarts and now - part.restarts[0] > WITHIN_SECONDS:
            part.restarts.popleft()
        if len(part.restarts) >= RESTARTS:
            return False
        part.restart_at = now + DELAYS[len(part.restarts)]
        part.restarts.append(now)
        return True

    def _restart(self, part: _Part) -> None:
        # A thread cannot be killed: one that stands still is told to stop and left behind, its leases run out.
        part.stop.set()
        part.stop, part.progress, part.restart_at = threading.Event(), Progress(self._clock), None
        self._launch(part)

    def _launch(self, part: _Part) -> None:
        stop, progress = part.stop, part.progress

        def run() -> None:
            try:
                part.run(stop, progress)
            except Exception:  # a thread's end is a border: the supervisor sees it and starts the part again
                log.exception("a part failed", extra={"part": part.name})

        part.thread = threading.Thread(target=run, name=part.name, daemon=True)
        part.thread.start()
