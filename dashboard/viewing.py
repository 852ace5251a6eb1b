"""Looking at a case is an act and stands in the audit (security S17); looking on for minutes is one act."""

import threading
from typing import Final

from fastapi import Request

from casebook import audit, words, worklist
from casebook.clock import Clock
from casebook.database import Database
from casebook.worklist import CaseView
from dashboard.access import Actor
from dashboard.problems import Problem

LARGEST_ID: Final = 2**63 - 1
ONE_LOOK_SECONDS: Final = 300.0
_MOST_REMEMBERED: Final = 10_000


class Viewings:
    """Writes who looked at which case.

    Args:
        database: where the audit is.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._since: dict[tuple[str, str, int], float] = {}

    def note(self, actor: Actor, case_id: int) -> None:
        """Write that somebody looks at a case, unless the same session or token did so in the last five minutes.

        Raises:
            Unavailable: the database is away; then the case is not shown either.
        """
        key, now = (actor.credential, actor.address, case_id), self._clock.monotonic()
        with self._lock:
            if now - self._since.get(key, -ONE_LOOK_SECONDS) < ONE_LOOK_SECONDS:
                return
        with self._database.transaction() as t:
            audit.append(
                t,
                self._clock.now(),
                actor=actor.name,
                action="case.view",
                case_id=case_id,
                address=actor.address,
                detail="by token" if actor.is_token else "",
            )
        with self._lock:
            if len(self._since) >= _MOST_REMEMBERED:
                self._since.clear()  # costs a few rows more than needed
            self._since[key] = now


def note(request: Request, actor: Actor, case_id: int) -> None:
    """Write that whoever asks looks at a case; every route that shows one calls this once the case is found."""
    viewings: Viewings = request.app.state.viewings
    viewings.note(actor, case_id)


def look_at(request: Request, actor: Actor, case_id: int) -> CaseView:
    """Return a case for whoever asks to look at it, and write that down.

    Raises:
        Problem: there is no such case.
    """
    database: Database = request.app.state.database
    with database.reading() as t:
        view = worklist.one(t, case_id) if 0 < case_id <= LARGEST_ID else None
    if view is None:
        raise Problem(404, words.NOT_HERE)
    note(request, actor, case_id)
    return view
