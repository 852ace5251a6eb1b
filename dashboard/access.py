"""Who asks and what that person or program may do: every route declares it, none is reached without (S10-S13, S16).

A person comes with a session's cookie, a program with a bearer token; who sends a token is judged by it alone.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from casebook import people, sessions, words
from casebook.clock import Clock
from casebook.database import Database
from casebook.models import Role, Scope, Session, Token
from dashboard.cookies import Cookies, form_token, is_form_token
from dashboard.problems import Problem


class Permission(StrEnum):
    """What a route asks of whoever calls it."""

    PUBLIC = "public"  # nothing
    METRICS = "metrics"  # nothing on loopback, elsewhere as VIEW (S1)
    VIEW = "view"  # a viewer, or a token that reads
    ACT = "act"  # a grader, or a token that writes
    SELF = "self"  # a signed-in person, also one who must choose a new password first


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks: a person with a session, or a program with a token."""

    name: str
    display_name: str
    role: Role
    address: str
    is_token: bool
    must_change: bool  # a one-time password, to be replaced before anything else
    csrf: str = field(repr=False)  # for forms (``csrf``) and ``X-CSRF-Token``; empty for a token
    credential: str = field(repr=False)  # the hash under which session or token is stored

    def may(self, permission: Permission) -> bool:
        """Say whether a page should offer what needs this permission."""
        return _RANK[self.role] >= _RANK[_LOWEST[permission]]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}
_LOWEST: Final = dict.fromkeys(Permission, Role.VIEWER) | {Permission.ACT: Role.GRADER}
_ROLE_OF: Final = {Scope.READ: Role.VIEWER, Scope.WRITE: Role.GRADER}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def needs(permission: Permission) -> Any:
    """Return the dependency that lets a request pass or refuses it.

    A route takes it as ``actor: Annotated[Actor, needs(Permission.VIEW)]``, or, where it does not care who asks, as
    ``dependencies=[needs(Permission.PUBLIC)]``. ``request.state.actor`` is set, too.
    """
    return Depends(_Gate(permission))


async def _sent_token(request: Request) -> str:
    """Return the form token of an unsafe request: a header of our scripts, or the hidden field of a form."""
    if request.method in _SAFE:
        return ""
    sent = request.headers.get("x-csrf-token", "")
    if not sent and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        hidden = (await request.form()).get("csrf")
        sent = hidden if isinstance(hidden, str) else ""
    return sent


@dataclass(frozen=True, slots=True)
class _Gate:
    permission: Permission

    def __call__(self, request: Request, sent: Annotated[str, Depends(_sent_token)]) -> Actor | None:
        if self.permission is Permission.PUBLIC:
            return None
        if self.permission is Permission.METRICS and not request.app.state.metrics_need_token:
            return None
        actor = self._program(request) if _bearer(request) is not None else self._person(request, sent)
        request.state.actor = actor
        if actor.must_change and self.permission is not Permission.SELF:
            raise Problem(403, words.CHOOSE_ANOTHER_FIRST, go_to="/password")
        if not actor.may(self.permission):
            raise Problem(403, words.MAY_ONLY_READ if actor.is_token else words.LOOK_ONLY)
        return actor

    def _program(self, request: Request) -> Actor:
        database, now = _database(request), _clock(request).now()
        secret = _bearer(request) or ""
        with database.reading() as t:
            token = people.token(t, secret, now)
        if token is None:
            raise Problem(401, words.HOW_TO_ASK)
        if self.permission is Permission.SELF:
            raise Problem(403, words.PERSON_NEEDED)
        if wait := request.app.state.rates.count(token.secret_sha256):
            raise Problem(429, words.TOO_MANY_REQUESTS, retry_after=wait)
        if people.is_stale(token, now):
            with database.transaction() as t:
                people.touch(t, token.secret_sha256, now)
        return Actor(
            name=token.name,
            display_name=token.name,
            role=_ROLE_OF[token.scope],
            address=address(request),
            is_token=True,
            must_change=False,
            csrf="",
            credential=token.secret_sha256,
        )

    def _person(self, request: Request, sent: str) -> Actor:
        cookies: Cookies = request.app.state.cookies
        secret = request.cookies.get(cookies.session, "")
        session = _session(request, secret) if secret else None
        if session is None:
            raise Problem(401, words.HOW_TO_ASK, go_to=_login_first(request))
        if request.method not in _SAFE and not (cookies.is_own_origin(request) and is_form_token(secret, sent)):
            raise Problem(403, words.FORM_TOO_OLD)
        user = session.user
        return Actor(
            name=user.name,
            display_name=user.display_name,
            role=user.role,
            address=address(request),
            is_token=False,
            must_change=user.must_change,
            csrf=form_token(secret),
            credential=session.secret_sha256,
        )


def still_welcome(request: Request, actor: Actor) -> bool:
    """Say whether an actor's session or token still lives; event streams ask every 30 s (S10).

    This blocks on the database, so call it in a thread. It does not count as use: an open page keeps nobody signed in.
    """
    now = _clock(request).now()
    with _database(request).reading() as t:
        if actor.is_token:
            token = t.get(Token, actor.credential)
            return token is not None and token.expires_at > now
        session = sessions.find(t, actor.credential, now)
        return session is not None and not session.user.must_change


def address(request: Request) -> str:
    """Return where a request comes from; an IPv4 address mapped into IPv6 as IPv4."""
    host = request.client.host if request.client is not None else ""
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Refuse to start with a route that does not declare exactly one permission (S13).

    Raises:
        RuntimeError: naming the route.
    """
    for route in routes:
        if not isinstance(route, APIRoute) or len(declared(route)) != 1:
            raise RuntimeError(f"the route {getattr(route, 'path', route)} does not declare what it needs")


def declared(route: APIRoute) -> list[Permission]:
    """Return the permissions a route declares."""
    return [gate.permission for gate in _calls(route.dependant) if isinstance(gate, _Gate)]


def _calls(dependant: Dependant) -> Iterable[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)


def _bearer(request: Request) -> str | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _session(request: Request, secret: str) -> Session | None:
    database, now = _database(request), _clock(request).now()
    digest = sessions.digest(secret)
    with database.reading() as t:
        session = sessions.find(t, digest, now)
    # What a page asks by itself says so, or is an event stream, and keeps nobody signed in.
    attended = "x-unattended" not in request.headers and request.headers.get("accept") != "text/event-stream"
    if session is not None and attended and sessions.is_stale(session, now):
        with database.transaction() as t:
            sessions.touch(t, digest, now)
    return session


def _login_first(request: Request) -> str:
    if request.method != "GET":
        return "/login"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/login?next={quote(request.url.path + query, safe='/')}"


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _clock(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock
