"""Signing in and changing the password: every attempt is counted before it is judged, and audited after (S15, S17).

What counts is an account together with an address, and an address as a whole, never an account alone: else whoever
knows a doctor's name could shut her out.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from casebook import audit, people, sessions, words
from casebook.clock import Clock
from casebook.database import Database
from casebook.errors import BadInput, Refused
from casebook.models import FailedLogin, User
from casebook.passwords import Passwords, check_new

WINDOW: Final = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS: Final = 5
PER_ADDRESS: Final = 30
_UNKNOWN: Final = (
    "unknown"  # the actor in the audit; a name that is no user's may be a password typed in the wrong place
)


class TooOften(Refused):
    """Too many passwords were wrong.

    Args:
        retry_after: seconds until the next attempt is judged.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(words.too_often_sentence(math.ceil(retry_after / 60)))
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun."""

    user: User
    secret: str = field(repr=False)


class Desk:
    """Lets people in.

    Args:
        database: where users, sessions and failed attempts are.
        passwords: what hashes.
        clock: the time.
    """

    def __init__(self, database: Database, passwords: Passwords, clock: Clock) -> None:
        self._database, self._passwords, self._clock = database, passwords, clock

    def sign_in(self, name: str, password: str, address: str, *, replaces: str = "") -> SignedIn:
        """Begin a session.

        Args:
            name: as typed.
            password: as typed.
            address: where the attempt comes from.
            replaces: the secret of the browser's session until now, which ends.

        Raises:
            Refused: name and password do not belong together, or the password was for one time and is too old.
            TooOften: too many attempts failed.
            Unavailable: too many sign in at this moment.
        """
        with self._passwords.turn():
            user = self._attempt(name, address)
            right = self._passwords.is_right(user.password_hash if user else None, password)
            if user is None or not right:
                raise self._failed(user, "login", address, words.NOT_TOGETHER)
            renewed = None
            if self._passwords.is_outdated(user.password_hash):
                renewed = self._passwords.hash(password)
        now = self._clock.now()
        if user.password_expires_at is not None and user.password_expires_at <= now:
            raise self._failed(user, "login", address, words.ONE_TIME_IS_OVER)
        with self._database.transaction() as t:
            checked, user = user.password_hash, t.get_one(User, user.id)
            if user.password_hash != checked:  # another password was set in this moment
                raise Refused(words.NOT_TOGETHER)
            if renewed is not None:
                user.password_hash = renewed
            _forget(t, user.name, address)
            sessions.end(t, sessions.digest(replaces))
            secret = sessions.begin(t, user, now)
            audit.append(t, now, actor=user.name, action="login", address=address)
        return SignedIn(user, secret)

    def change_password(self, name: str, current: str, new: str, address: str) -> SignedIn:
        """Give a user the password he or she chose; all sessions end, and a new one begins (S10).

        Raises:
            BadInput: the new password is not a good one.
            Refused: the current one is wrong.
            TooOften: too many attempts failed.
            Unavailable: too many sign in at this moment.
        """
        check_new(name, new)
        if new == current:
            raise BadInput(words.NOT_NEW)
        with self._passwords.turn():
            user = self._attempt(name, address)
            if user is None or not self._passwords.is_right(user.password_hash, current):
                raise self._failed(user, "password.change", address, words.WRONG_NOW)
            hashed = self._passwords.hash(new)
        now = self._clock.now()
        with self._database.transaction() as t:
            user = t.get_one(User, user.id)
            _forget(t, user.name, address)
            people.replace_password(t, user, hashed)
            secret = sessions.begin(t, user, now)
            audit.append(t, now, actor=user.name, action="password.change", address=address)
        return SignedIn(user, secret)

    def sign_out(self, name: str, secret_sha256: str, address: str) -> None:
        """End a session."""
        with self._database.transaction() as t:
            sessions.end(t, secret_sha256)
            audit.append(t, self._clock.now(), actor=name, action="logout", address=address)

    def _attempt(self, name: str, address: str) -> User | None:
        """Count an attempt as failed until it turns out right, so that many at once do not slip through."""
        now = self._clock.now()
        with self._database.transaction() as t:
            _count(t, name, address, now)
            user = people.by_name(t, name)
        return user if user is not None and user.disabled_at is None else None

    def _failed(self, user: User | None, action: str, address: str, why: str) -> Refused:
        with self._database.transaction() as t:
            audit.append(
                t, self._clock.now(), actor=user.name if user else _UNKNOWN, action=action, address=address,
                outcome="refused",
            )  # fmt: skip
        return Refused(why)


def _count(t: Session, name: str, address: str, now: datetime) -> None:
    if t.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        t.execute(text("LOCK TABLE failed_logins IN SHARE ROW EXCLUSIVE MODE"))
    t.execute(delete(FailedLogin).where(FailedLogin.at <= now - WINDOW))
    account = _account(name)
    here = t.execute(
        select(FailedLogin.account_sha256, FailedLogin.at)
        .where(FailedLogin.address == address)
        .order_by(FailedLogin.at)
    ).all()
    for limit, times in (
        (PER_ACCOUNT_AND_ADDRESS, [at for of, at in here if of == account]),
        (PER_ADDRESS, [at for _, at in here]),
    ):
        if len(times) >= limit:
            raise TooOften(max(1, math.ceil((times[-limit] + WINDOW - now).total_seconds())))
    t.add(FailedLogin(account_sha256=account, address=address, at=now))


def _forget(t: Session, name: str, address: str) -> None:
    t.execute(delete(FailedLogin).where(FailedLogin.address == address, FailedLogin.account_sha256 == _account(name)))


def _account(name: str) -> str:
    return sessions.digest(people.fold(name))
