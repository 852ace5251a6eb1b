"""Sessions of browsers: a row each, found by the hash of a random secret, ended by idleness or a long day (S10)."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session as Transaction

from casebook.models import Session, User

IDLE = timedelta(minutes=30)
LIFE = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=1)  # how often the last use is written down


def begin(t: Transaction, user: User, now: datetime) -> str:
    """Write a new session and return its secret, which only the browser keeps; rows of ended ones are removed."""
    t.execute(delete(Session).where(or_(Session.expires_at <= now, Session.seen_at <= now - IDLE)))
    secret = secrets.token_urlsafe(32)
    t.add(Session(secret_sha256=digest(secret), user_id=user.id, created_at=now, seen_at=now, expires_at=now + LIFE))
    t.flush()
    return secret


def find(t: Transaction, secret_sha256: str, now: datetime) -> Session | None:
    """Return the living session, with its user, of a secret's hash; none where it ended or the user was disabled."""
    session = t.get(Session, secret_sha256)
    if session is None or session.expires_at <= now or session.seen_at <= now - IDLE:
        return None
    return session if session.user.disabled_at is None else None


def is_stale(session: Session, now: datetime) -> bool:
    """Say whether the session's last use is long enough ago to be worth writing down again."""
    return session.seen_at <= now - _SEEN_EVERY


def touch(t: Transaction, secret_sha256: str, now: datetime) -> None:
    """Write down that a session was used; one that has just been ended stays so."""
    session = t.get(Session, secret_sha256)
    if session is not None:
        session.seen_at = now


def end(t: Transaction, secret_sha256: str) -> None:
    """Remove a session."""
    t.execute(delete(Session).where(Session.secret_sha256 == secret_sha256))


def end_all(t: Transaction, user: User) -> None:
    """Remove every session of a user: the password or the role changed, or the user was disabled."""
    t.execute(delete(Session).where(Session.user_id == user.id))


def digest(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
