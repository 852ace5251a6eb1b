"""Signs of life of the parts: that they turn, that they are ready, and when they last got something done (R21)."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook.models import Heartbeat

STALE_AFTER = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a part is: ready or not, and why not in one sentence."""

    part: str
    ready: bool
    detail: str
    fresh: bool
    progress_at: datetime


def beat(t: Session, part: str, now: datetime, *, ready: bool, detail: str = "", progressed: bool = True) -> None:
    """Write a part's sign of life; where several processes are the same part, one that is ready speaks for all.

    Args:
        part: its name, such as ``listener`` or ``grade``.
        progressed: whether it got something done since the last beat, or had nothing to do.
    """
    row = t.get(Heartbeat, part) or _first(t, part, now)
    host, pid = socket.gethostname(), os.getpid()
    if not ready and row.ready and (row.host, row.pid) != (host, pid) and row.beat_at > now - STALE_AFTER:
        return
    row.host, row.pid = host, pid
    row.ready, row.detail, row.beat_at = ready, detail, now
    if progressed:
        row.progress_at = now


def _first(t: Session, part: str, now: datetime) -> Heartbeat:
    row = Heartbeat(part=part, host="", pid=0, ready=False, beat_at=now, progress_at=now)
    try:
        with t.begin_nested():
            t.add(row)
    except IntegrityError:
        return t.get_one(Heartbeat, part)  # another process began in this instant
    return row


def pulses(t: Session, now: datetime) -> dict[str, Pulse]:
    """Return how every part is that ever lived."""
    return {
        row.part: Pulse(row.part, row.ready, row.detail, row.beat_at > now - STALE_AFTER, row.progress_at)
        for row in t.scalars(select(Heartbeat))
    }


def processes_here(t: Session, now: datetime) -> frozenset[int]:
    """Return the processes on this host that gave a sign of life just now."""
    here, since = socket.gethostname(), now - STALE_AFTER
    return frozenset(t.scalars(select(Heartbeat.pid).where(Heartbeat.host == here, Heartbeat.beat_at > since)))


def forget(t: Session) -> None:
    """Forget all parts, when a process that owns the whole casebook starts anew."""
    for row in t.scalars(select(Heartbeat)):
        t.delete(row)
