"""How often each token asks: 600 requests a minute, counted in this process (security S16)."""

import math
import threading
from typing import Final

from casebook.clock import Clock

PER_MINUTE: Final = 600
_WINDOW: Final = 60.0


class Rates:
    """Counts requests by key in windows of a minute; only keys that are known to us come in, so it stays small."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, key: str) -> int:
        """Count a request; return after how many seconds to ask again where there were too many, else 0."""
        now = self._clock.monotonic()
        with self._lock:
            began, count = self._windows.get(key, (now, 0))
            if now - began >= _WINDOW:
                began, count = now, 0
            self._windows[key] = (began, count + 1)
        return math.ceil(began + _WINDOW - now) if count >= PER_MINUTE else 0
