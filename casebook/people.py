"""Who may look and who may change: users with argon2id passwords, and tokens of programs (security S15, S16)."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook.errors import BadInput
from casebook.models import Role, Scope, Token, User

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
TOKEN_LIFE = timedelta(days=365)
_SEEN_EVERY = timedelta(minutes=1)  # how often the last use of a token is written down


def add_user(t: Session, name: str, role: Role, password: str, now: datetime, *, must_change: bool = False) -> User:
    """Write a new user.

    Raises:
        BadInput: the name is taken or empty, or the password is too short or too long.
    """
    folded = name.strip().casefold()
    if not folded:
        raise BadInput("A user needs a name.", "Give one.")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", "Choose another and try again."
        )
    if t.scalar(select(User.id).where(User.name == folded)) is not None:
        raise BadInput("There is a user of that name already.", "Choose another name.")
    user = User(
        name=folded,
        display_name=name.strip(),
        role=role,
        password_hash=_hasher().hash(password),
        must_change=must_change,
        created_at=now,
    )
    t.add(user)
    t.flush()
    return user


def add_token(t: Session, name: str, scope: Scope, now: datetime) -> str:
    """Write a new token and return its secret, which is shown this once.

    Raises:
        BadInput: the name is taken.
    """
    if t.scalar(select(Token.name).where(Token.name == name)) is not None:
        raise BadInput("There is a token of that name already.", "Choose another name.")
    secret = f"rg_{secrets.token_urlsafe(32)}"
    t.add(Token(secret_sha256=_digest(secret), name=name, scope=scope, created_at=now, expires_at=now + TOKEN_LIFE))
    t.flush()
    return secret


def token(t: Session, secret: str, now: datetime) -> Token | None:
    """Return the living token of a secret, or none."""
    row = t.get(Token, _digest(secret))
    return row if row is not None and row.expires_at > now else None


def is_stale(token: Token, now: datetime) -> bool:
    """Say whether the token's last use is long enough ago to be worth writing down again."""
    return token.used_at is None or token.used_at < now - _SEEN_EVERY


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
