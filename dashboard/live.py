"""The event stream of open pages: tells that the list has changed, and nothing about whom."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from casebook import changes
from casebook.clock import Clock
from casebook.database import Database
from casebook.errors import RetinaGateError
from dashboard.access import Actor, Permission, needs, still_welcome
from dashboard.problems import Problem

router = APIRouter(include_in_schema=False)
MOST_STREAMS: Final = 32  # whoever comes later asks every 15 s instead
LOOK_EVERY: Final = 1.0
RECHECK_EVERY: Final = 30.0  # of who looks on (security S10)
BREATHE_EVERY: Final = 15.0  # so that proxies keep the connection
_PAUSE: Final = 0.2


class Live:
    """Watches for all open pages together.

    Args:
        database: the rows.
        clock: monotonic seconds.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._lock = threading.Lock()
        self._looked: tuple[float, str] | None = None
        self._streams = 0
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether the service stops, so that streams end."""
        return self._closed.is_set()

    @property
    def streams(self) -> int:
        """How many pages are listening."""
        return self._streams

    def close(self) -> None:
        """End all streams, and take no more."""
        self._closed.set()

    def enter(self) -> bool:
        """Take one more stream, if there is room."""
        with self._lock:
            if self.is_closed or self._streams >= MOST_STREAMS:
                return False
            self._streams += 1
            return True

    def leave(self) -> None:
        """Give a stream's place back."""
        with self._lock:
            self._streams -= 1

    def stamp(self) -> str:
        """Return what is another text after every change; asked once a second at most."""
        with self._lock:
            now = self._clock.monotonic()
            if self._looked is None or now - self._looked[0] >= LOOK_EVERY:
                try:
                    with self._database.reading() as t:
                        self._looked = now, changes.stamp(t)
                except RetinaGateError:  # away; the pages learn of what changed when it is back
                    self._looked = now, self._looked[1] if self._looked is not None else ""
            return self._looked[1]


class _Stream(StreamingResponse):
    """A stream that gives its place back, however it ends."""

    def __init__(self, live: Live, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.leave()


@router.get("/live", response_class=StreamingResponse)
async def live(request: Request, actor: Annotated[Actor, needs(Permission.VIEW)]) -> StreamingResponse:
    """Tell of changes until the page is closed, the session ends or the service stops."""
    watched: Live = request.app.state.live
    if not watched.enter():
        raise Problem(503, "Too many pages listen already. This one asks now and then instead.", retry_after=15)
    return _Stream(watched, _events(request, actor, watched))


async def _events(request: Request, actor: Actor, watched: Live) -> AsyncIterator[str]:
    clock: Clock = request.app.state.clock
    told, breathed, checked = "", clock.monotonic(), clock.monotonic()
    while not watched.is_closed:
        now = clock.monotonic()
        if now - checked >= RECHECK_EVERY:
            checked = now
            if not await run_in_threadpool(_is_welcome, request, actor):
                return
        stamp = await run_in_threadpool(watched.stamp)
        if stamp != told:
            told, breathed = stamp, now
            yield f"event: changed\ndata: {stamp}\n\n"
        elif now - breathed >= BREATHE_EVERY:
            breathed = now
            yield ": still here\n\n"
        await asyncio.sleep(_PAUSE)


def _is_welcome(request: Request, actor: Actor) -> bool:
    try:
        return still_welcome(request, actor)
    except RetinaGateError:
        return True  # a database that is away ends nobody's session
