"""Whether a part still gets something done: health is progress, not a live socket (R21)."""

import threading

from casebook.clock import Clock


class Progress:
    """A part says that it turned; the supervisor asks how long ago that was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock.monotonic()

    def turn(self) -> None:
        """Say that the loop came round and nothing due was left undone."""
        with self._lock:
            self._last = self._clock.monotonic()

    def silence(self) -> float:
        """Return the seconds since the last turn."""
        with self._lock:
            return self._clock.monotonic() - self._last
