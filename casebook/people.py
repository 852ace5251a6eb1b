"""Who may look and who may change: users and tokens of programs; of a secret only a hash is stored (S15, S16)."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import sessions
from casebook.errors import BadInput
from casebook.models import Role, Scope, Token, User
from casebook.passwords import Passwords, check_new

LONGEST_NAME = 64
ONE_TIME_LIFE = timedelta(hours=24)
TOKEN_LIFE = timedelta(days=365)
_SEEN_EVERY = timedelta(minutes=1)  # how often the last use of a token is written down
_ARGON2ID = Passwords()


def add_user(
    t: Session,
    name: str,
    role: Role,
    password: str,
    now: datetime,
    *,
    must_change: bool = False,
    passwords: Passwords = _ARGON2ID,
) -> User:
    """Write a new user.

    Args:
        t: the transaction.
        name: as the user types it; case does not matter.
        role: what the user may do.
        password: the first password.
        now: the time.
        must_change: the password is for one time: valid for a day and to be replaced before anything else.
        passwords: what hashes.

    Raises:
        BadInput: the name is taken, empty or too long, or the password is not a good one.
    """
    folded = fold(name)
    if not folded or len(folded) > LONGEST_NAME or not folded.isprintable():
        raise BadInput(f"A user's name has 1 to {LONGEST_NAME} characters.", "Choose another name.")
    if by_name(t, name) is not None:
        raise BadInput("There is a user of that name already.", "Choose another name.")
    check_new(folded, password)
    user = User(
        name=folded,
        display_name=name.strip(),
        role=role,
        password_hash=passwords.hash(password),
        must_change=must_change,
        password_expires_at=now + ONE_TIME_LIFE if must_change else None,
        created_at=now,
    )
    t.add(user)
    t.flush()
    return user


def set_password(t: Session, name: str, password: str, *, passwords: Passwords = _ARGON2ID) -> User:
    """Give a user another password, also one who was disabled, and end the user's sessions.

    Raises:
        BadInput: there is no such user, or the password is not a good one.
    """
    user = _known(t, name)
    check_new(user.name, password)
    user.disabled_at = None
    replace_password(t, user, passwords.hash(password))
    return user


def replace_password(t: Session, user: User, password_hash: str) -> None:
    """Store the hash of a password that the user chose, and end the user's sessions (S10)."""
    user.password_hash = password_hash
    user.must_change = False
    user.password_expires_at = None
    sessions.end_all(t, user)


def set_role(t: Session, name: str, role: Role) -> User:
    """Give a user another role, and end the user's sessions (S10).

    Raises:
        BadInput: there is no such user.
    """
    user = _known(t, name)
    user.role = role
    sessions.end_all(t, user)
    return user


def disable(t: Session, name: str, now: datetime) -> User:
    """Let a user in no more, until another password is set; sessions end at once (S10).

    Raises:
        BadInput: there is no such user.
    """
    user = _known(t, name)
    user.disabled_at = now
    sessions.end_all(t, user)
    return user


def by_name(t: Session, name: str) -> User | None:
    """Return the user of a name, in whatever case it is typed."""
    if "\0" in name:  # which PostgreSQL takes for no text
        return None
    return t.scalar(select(User).where(User.name == fold(name)))


def fold(name: str) -> str:
    """Return a name as it is stored."""
    return name.strip().casefold()


def _known(t: Session, name: str) -> User:
    user = by_name(t, name)
    if user is None:
        raise BadInput("There is no user of that name.", "Check the name, or make one with: retinagate user add")
    return user


def add_token(t: Session, name: str, scope: Scope, now: datetime) -> str:
    """Write a new token and return its secret, which is shown this once.

    Raises:
        BadInput: the name is taken.
    """
    if t.scalar(select(Token.name).where(Token.name == name)) is not None:
        raise BadInput("There is a token of that name already.", "Choose another name.")
    secret = f"rg_{secrets.token_urlsafe(32)}"
    t.add(
        Token(
            secret_sha256=sessions.digest(secret), name=name, scope=scope, created_at=now, expires_at=now + TOKEN_LIFE
        )
    )
    t.flush()
    return secret


def token(t: Session, secret: str, now: datetime) -> Token | None:
    """Return the living token of a secret, or none."""
    row = t.get(Token, sessions.digest(secret))
    return row if row is not None and row.expires_at > now else None


def is_stale(token: Token, now: datetime) -> bool:
    """Say whether the token's last use is long enough ago to be worth writing down again."""
    return token.used_at is None or token.used_at < now - _SEEN_EVERY


def touch(t: Session, secret_sha256: str, now: datetime) -> None:
    """Write down that a token was used; one that has just been removed stays so."""
    row = t.get(Token, secret_sha256)
    if row is not None:
        row.used_at = now
