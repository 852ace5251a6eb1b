"""Cookies and the tokens derived from them (security S10, S11)."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Cookies:
    """The two cookies we set: one for a session, one for a login form that is open.

    Args:
        over_tls: whether browsers reach us over TLS; on plain-http loopback ``Secure`` and the prefix are left out,
            for browsers would drop the cookie.
    """

    over_tls: bool

    @property
    def session(self) -> str:
        """The name of the session's cookie."""
        return "__Host-retinagate" if self.over_tls else "retinagate"

    @property
    def login(self) -> str:
        """The name of the cookie that a login form's token is bound to."""
        return f"{self.session}-login"

    def put(self, response: Response, name: str, secret: str) -> None:
        """Set a cookie that ends with the browser."""
        response.set_cookie(name, secret, path="/", secure=self.over_tls, httponly=True, samesite="strict")

    def drop(self, response: Response, name: str) -> None:
        """Make the browser forget a cookie."""
        response.delete_cookie(name, path="/", secure=self.over_tls, httponly=True, samesite="strict")

    def is_own_origin(self, request: Request) -> bool:
        """Say whether a request comes from a page of ours (the host itself was checked before)."""
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site") == "same-origin"
        scheme = "https" if self.over_tls else request.url.scheme
        return origin == f"{scheme}://{request.headers.get('host', '')}"


def new_secret() -> str:
    """Return 32 random bytes as text."""
    return secrets.token_urlsafe(32)


def form_token(secret: str) -> str:
    """Return the token that forms carry under a cookie's secret; it does not give the secret away."""
    return hmac.new(secret.encode(), b"retinagate form", hashlib.sha256).hexdigest()


def is_form_token(secret: str, sent: str) -> bool:
    """Say whether a form carries the token of this cookie."""
    return hmac.compare_digest(form_token(secret).encode(), sent.encode())
