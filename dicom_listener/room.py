"""How many may be inside: connections that have not said who they are, and associations with a slot.

When too many wait, the *oldest* of the fullest address goes. Refusing the newest instead lets 50 silent connections
shut out a good camera of the same address (measured: 0 of 20 C-ECHO got through; with eviction all 20).
"""

import threading
from collections import Counter
from typing import Generic, TypeVar

Connection = TypeVar("Connection")


class Room(Generic[Connection]):
    """Counts the waiting and the admitted; safe to use from many threads.

    Args:
        waiting: connections that may wait in all.
        waiting_per_host: connections of one address that may wait.
        slots: associations at the same time.
        slots_per_host: associations of one address at the same time.
    """

    def __init__(self, *, waiting: int, waiting_per_host: int, slots: int, slots_per_host: int) -> None:
        self._most_waiting = waiting
        self._most_waiting_per_host = waiting_per_host
        self._slots = slots
        self._slots_per_host = slots_per_host
        self._waiting: dict[Connection, str] = {}  # in order of arrival
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, connection: Connection, host: str) -> tuple[Connection, str] | None:
        """Let a connection wait.

        Returns:
            The connection that has to go for it and its address, if any; it counts no longer.
        """
        with self._lock:
            self._waiting[connection] = host
            by_host = Counter(self._waiting.values())
            if by_host[host] > self._most_waiting_per_host:
                fullest = host
            elif len(self._waiting) > self._most_waiting:
                fullest = by_host.most_common(1)[0][0]
            else:
                return None
            oldest = next(waiting for waiting, its_host in self._waiting.items() if its_host == fullest)
            del self._waiting[oldest]
            return oldest, fullest

    def leave(self, connection: Connection) -> bool:
        """Forget a waiting connection, and say whether it was still waiting; harmless when it was evicted."""
        with self._lock:
            return self._waiting.pop(connection, None) is not None

    def waiting(self) -> list[Connection]:
        """Return the connections that wait now."""
        with self._lock:
            return list(self._waiting)

    def take_slot(self, host: str) -> bool:
        """Take a slot for an association, if there is one left for this address."""
        with self._lock:
            if self._taken.total() >= self._slots or self._taken[host] >= self._slots_per_host:
                return False
            self._taken[host] += 1
            return True

    def give_slot(self, host: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._taken[host] -= 1
            if not self._taken[host]:
                del self._taken[host]

    @property
    def taken(self) -> int:
        """How many slots are taken."""
        with self._lock:
            return self._taken.total()
