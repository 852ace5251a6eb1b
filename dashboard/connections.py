"""HTTP connections with deadlines and bounds of their own: uvicorn waits for a peer without end (security S16, W43).

Whoever makes us wait longest goes first when too many do: refusing the newest would let a few silent peers shut out
everybody else.
"""

import asyncio
import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from casebook.settings import Dashboard
from dashboard.edge import LARGEST_HEADERS, SECURITY_HEADERS

_UNREADABLE: Final = json.dumps(
    {
        "type": "about:blank",
        "title": "The request cannot be understood",
        "status": 400,
        "detail": "This is not HTTP/1.1 as it is written down, or its headers are too long.",
    }
).encode()


class Awaited(Enum):
    """What a peer still owes us."""

    HEADERS = auto()
    BODY = auto()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may take, in seconds, and how many may make us wait at once."""

    header_seconds: float = 20.0
    body_seconds: float = 60.0
    reading_seconds: float = 60.0  # a peer that does not read what it asked for
    waiting_for_headers: int = 128  # idle connections of browsers are among them
    waiting_for_bodies: int = 32

    def of(self, awaited: Awaited) -> tuple[float, int]:
        """Return how long something may take, and for how many peers we wait."""
        if awaited is Awaited.HEADERS:
            return self.header_seconds, self.waiting_for_headers
        return self.body_seconds, self.waiting_for_bodies


_AWAITED: Final = {h11.IDLE: Awaited.HEADERS, h11.SEND_BODY: Awaited.BODY}


class Connection(H11Protocol):
    """One connection; uvicorn makes it."""

    limits: ClassVar = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.awaits: tuple[Awaited | None, object] = (None, None)  # and the request before it
        self.awaits_since = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._reading_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Handle what has arrived, and see what is still owed."""
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request; a body that nobody wanted is not waited for."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        self._watch()

    def pause_writing(self) -> None:
        """Give a peer that does not read a while."""
        super().pause_writing()
        self._reading_deadline = self.loop.call_later(self.limits.reading_seconds, self.end)

    def resume_writing(self) -> None:
        """See that the peer reads again."""
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()
            self._reading_deadline = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence
        """Answer what cannot be read, with the headers of every answer, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = SECURITY_HEADERS | {
                "Content-Type": "application/problem+json",
                "Content-Length": str(len(_UNREADABLE)),
                "Connection": "close",
            }
            response = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
            for event in (response, h11.Data(data=_UNREADABLE), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def end(self) -> None:
        """Close at once, whatever the peer still has to read."""
        self._cancel()
        self.transport.abort()

    def _watch(self) -> None:
        awaited = _AWAITED.get(self.conn.their_state)
        if (awaited, self.cycle) == self.awaits:
            return  # a byte now and then moves no deadline
        self._cancel()
        self.awaits = (awaited, self.cycle)
        if awaited is None or self.transport.is_closing():
            return
        seconds, most = self.limits.of(awaited)
        self.awaits_since = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self.end)
        waiting = [one for one in self.connections if isinstance(one, Connection) and one.awaits[0] is awaited]
        if len(waiting) > most:
            min(waiting, key=lambda one: one.awaits_since).end()

    def _cancel(self) -> None:
        self.awaits = (None, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def make_server(app: FastAPI, settings: Dashboard, connection: type[Connection] = Connection) -> uvicorn.Server:
    """Return the server of the application; its ``run`` blocks.

    Args:
        app: as ``make_app`` makes it.
        settings: where it listens, and which proxy stands before it.
        connection: another class than production's, for tests with short deadlines.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=connection,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=settings.behind_proxy,
            forwarded_allow_ips=[str(host) for host in settings.proxy_hosts] if settings.behind_proxy else None,
            timeout_graceful_shutdown=5,
        )
    )
