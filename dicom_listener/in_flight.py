"""Which studies an object is arriving for right now, so that none of them is taken for complete (R16).

An entry lives from the first byte of an object to its answer, and never longer than its association. Between processes
it travels in a heartbeat row: the listener announces every second what is under way, the sweep reads it. An object that
came and went between two announcements needed none.
"""

import json
import threading
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook.models import Heartbeat

PART = "in_flight"
_BELIEVED_FOR = timedelta(seconds=10)


class InFlight:
    """The objects under way in this process, each by whatever identifies it; safe to use from many threads."""

    def __init__(self) -> None:
        self._studies: dict[object, str | None] = {}
        self._lock = threading.Lock()

    def begin(self, key: object) -> None:
        """An object begins; its study is not known yet."""
        with self._lock:
            self._studies[key] = None

    def belongs_to(self, key: object, study_instance_uid: str) -> None:
        """Its study is known now."""
        with self._lock:
            if key in self._studies:
                self._studies[key] = study_instance_uid

    def end(self, key: object) -> None:
        """It was answered, or its association is gone."""
        with self._lock:
            self._studies.pop(key, None)

    def studies(self) -> frozenset[str]:
        """Return the studies that an object is arriving for."""
        with self._lock:
            return frozenset(study for study in self._studies.values() if study is not None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._studies)


def announce(t: Session, studies: frozenset[str], now: datetime, *, host: str, pid: int) -> None:
    """Tell other processes what is under way here."""
    part = f"{PART}:{host}:{pid}"
    row = t.get(Heartbeat, part)
    if row is None:
        row = Heartbeat(part=part, host=host, pid=pid, ready=True, beat_at=now, progress_at=now)
        t.add(row)
    row.detail = json.dumps(sorted(studies))
    row.beat_at = row.progress_at = now


def announced(t: Session, now: datetime) -> frozenset[str]:
    """Return the studies that any listener announced lately; one that died is believed for ten seconds."""
    details = t.scalars(
        select(Heartbeat.detail).where(Heartbeat.part.startswith(f"{PART}:"), Heartbeat.beat_at > now - _BELIEVED_FOR)
    )
    return frozenset(study for detail in details for study in json.loads(detail))
