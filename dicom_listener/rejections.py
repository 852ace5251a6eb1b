"""Writes who was refused into the audit, behind the back of those who answer (security S4).

The door only notes. A thread writes what was noted: the first refusal at once, what comes within the next minute
together at its end, one row for each address and title. So a flood costs one transaction of a few rows a minute.
"""

import logging
import threading
from dataclasses import dataclass

from casebook import audit, telemetry
from casebook.clock import Clock
from casebook.database import Database
from dicom_listener.outcomes import Outcome

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
MOST_ROWS = 64


@dataclass(slots=True)
class _Refused:
    outcome: Outcome  # of the first
    count: int = 1


class Rejections:
    """Collects refusals and writes them.

    Args:
        database: the casebook.
        clock: for what is written down.
        every_seconds: how long refusals are collected before they are written again.
    """

    def __init__(self, database: Database, clock: Clock, every_seconds: float = EVERY_SECONDS) -> None:
        self._database = database
        self._clock = clock
        self._every = every_seconds
        self._noted: dict[tuple[str, str | None], _Refused] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rejections", daemon=True)

    def note(self, outcome: Outcome, host: str, title: str | None) -> None:
        """Take note of a refusal; one that finds no place is counted as lost."""
        with self._lock:
            known = self._noted.get((host, title))
            if known is not None:
                known.count += 1
            elif len(self._noted) < MOST_ROWS:
                self._noted[host, title] = _Refused(outcome)
            else:
                telemetry.REJECTIONS_LOST.inc()
                return
        self._news.set()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was noted, and end."""
        self._stopping.set()
        self._news.set()
        self._thread.join(timeout=5.0)

    def write(self) -> None:
        """Write what was noted; where the database is away it is lost, and counted."""
        with self._lock:
            noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            with self._database.transaction() as t:
                for (host, title), refused in noted.items():
                    called = "without a calling title" if title is None else f"calling title {title}"
                    audit.append(
                        t,
                        self._clock.now(),
                        actor="listener",
                        action="association.refuse",
                        outcome=str(refused.outcome),
                        address=host,
                        detail=f"{called}, {refused.count} x",
                    )
        except Exception as error:  # noqa: BLE001 - the thread's border: refusals go on being written later
            telemetry.REJECTIONS_LOST.inc(sum(refused.count for refused in noted.values()))
            log.warning("refusals could not be audited", extra={"error": type(error).__name__})

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.wait()
            self._news.clear()
            self.write()
            self._stopping.wait(self._every)
        self.write()
