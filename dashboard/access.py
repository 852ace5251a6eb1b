"""Who asks: tokens of programs, and the headers on every answer (security S12, S16)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response

from casebook import people
from casebook.clock import Clock
from casebook.database import Database
from casebook.models import Token
from dashboard.problems import Problem

_NEEDED = "Send a token: Authorization: Bearer TOKEN. Make one with: retinagate token add NAME --scope read"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; "
        "worker-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
}


async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Put the headers on every answer, errors included; what is not said to be cached is not stored."""
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def bearer(request: Request) -> Token:
    """Return the token of a request that may read.

    Raises:
        Problem: 401 where there is none, or it is unknown or expired.
    """
    database: Database = request.app.state.database
    clock: Clock = request.app.state.clock
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        with database.reading() as t:
            token = people.token(t, secret.strip(), clock.now())
        if token is not None:
            if people.is_stale(token, clock.now()):
                with database.transaction() as t:
                    t.get_one(Token, token.secret_sha256).used_at = clock.now()
            return token
    raise Problem(
        401, "Send a token: Authorization: Bearer TOKEN. Make one with: retinagate token add NAME --scope read"
    )


Reader = Annotated[Token, Depends(bearer)]
