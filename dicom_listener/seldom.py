"""Tells a thing that happens a thousand times once a minute, with how often it happened: a flood fills no log (N8)."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass

from casebook.clock import Clock

EVERY_SECONDS = 60.0


@dataclass(slots=True)
class _Told:
    at: float  # monotonic
    untold: int = 0


class Seldom:
    """Remembers what was told lately; safe to use from many threads.

    Args:
        clock: for the minute.
        most: how many different things are remembered; what finds no place is not told, only counted elsewhere.
    """

    def __init__(self, clock: Clock, most: int = 256) -> None:
        self._clock = clock
        self._most = most
        self._told: dict[Hashable, _Told] = {}
        self._lock = threading.Lock()

    def due(self, thing: Hashable) -> int:
        """Count a thing that happened.

        Returns:
            How often it happened since it was told last, this time included; 0 when it is not to be told now.
        """
        with self._lock:
            now = self._clock.monotonic()
            told = self._told.get(thing)
            if told is not None and now - told.at < EVERY_SECONDS:
                told.untold += 1
                return 0
            if told is None and len(self._told) >= self._most:
                self._told = {one: last for one, last in self._told.items() if now - last.at < EVERY_SECONDS}
                if len(self._told) >= self._most:
                    return 0
            self._told[thing] = _Told(now)
            return 1 if told is None else told.untold + 1
