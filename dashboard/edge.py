"""The outermost layer of the application: headers on every answer, bounds on every request (security S12, S16).

An ASGI middleware of its own, because an event stream must pass through unbuffered, and because an exception that
nobody foresaw ends here, logged once, with the same headers as every other answer.
"""

from typing import Final

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.problems import Problem, answer, unforeseen

MOST_AT_ONCE: Final = 64
LARGEST_BODY: Final = 1024 * 1024
LARGEST_HEADERS: Final = 64 * 1024
# The one style sheet that OpenSeadragon 6.1.1 puts into the page by itself; another version has another hash (ux F5).
_VIEWER_STYLE: Final = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self'; style-src 'self' {_VIEWER_STYLE}; img-src 'self' blob:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "object-src 'none'; worker-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
    "Cache-Control": "no-store",
}
_LAST: Final = frozenset({400, 413, 431})  # what follows on such a connection cannot be trusted
_OVER_TLS: Final = {"Strict-Transport-Security": "max-age=31536000"}


def headers_for(*, over_tls: bool) -> dict[str, str]:
    """Return the headers of every answer; one that says itself how long it may be kept is believed."""
    return SECURITY_HEADERS | (_OVER_TLS if over_tls else {})


class Edge:
    """Wraps the application.

    Args:
        app: what answers.
        over_tls: whether browsers reach us over TLS.
    """

    def __init__(self, app: ASGIApp, *, over_tls: bool) -> None:
        self._app = app
        self._headers = headers_for(over_tls=over_tls)
        self._under_way = 0  # touched by the event loop alone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(message)
            await send(message)

        self._under_way += 1
        try:
            problem = _fault(scope) if self._under_way <= MOST_AT_ONCE else _TOO_MANY
            if problem is None:
                await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception as error:  # the last border: who asked gets a sentence, never a stack trace
            problem = unforeseen(error)
            if started:
                raise
        finally:
            self._under_way -= 1
        if problem is not None:
            await answer(Request(scope, receive), problem)(scope, receive, send_with_headers)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if message["status"] in _LAST:
            headers["Connection"] = "close"


_TOO_MANY: Final = Problem(503, "Too many ask at this moment. Try again in a few seconds.", retry_after=5)


def _fault(scope: Scope) -> Problem | None:
    headers = Headers(scope=scope)
    length = headers.get("content-length")
    if length is not None and "transfer-encoding" in headers:
        return Problem(400, "A request says its length once: send Content-Length or Transfer-Encoding, not both.")
    if length is not None and length.isdecimal() and int(length) > LARGEST_BODY:
        return Problem(413, "A request has 1 MiB at most. Send less at once.")
    lines = sum(len(name) + len(value) + 4 for name, value in scope["headers"])  # with colon, space and line end
    if lines + len(scope["raw_path"]) + len(scope["query_string"]) > LARGEST_HEADERS:
        return Problem(431, "Headers and address have 64 KiB at most. Remove what is not needed.")
    return None
