"""Passwords: hashed with argon2id, two at a time, and none that everybody would try first (security S15, W49)."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

from casebook import words
from casebook.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
_AT_ONCE, _QUEUE = 2, 20
_FEWEST_CHARACTERS = 5  # different ones

# What common passwords are made of; digits and signs around one of these words do not help.
_COMMON: Final = frozenset({
    "admin", "administrator", "azertyuiop", "baseball", "changeme", "charlie", "dragon", "football", "hospital",
    "iloveyou", "klinik", "letmein", "login", "master", "michael", "monkey", "motdepasse", "ophthalmology",
    "password", "passwort", "princess", "qwerty", "qwertyuiop", "qwertz", "qwertzuiop", "retina", "retinagate",
    "secret", "starwars", "summer", "sunshine", "superman", "trustno", "welcome", "willkommen", "winter",
})  # fmt: skip
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm")
_RUNS: Final = frozenset(
    line[start : start + 3] for row in _ROWS for line in (row, row[::-1]) for start in range(len(row) - 2)
)
_LOOKS_LIKE: Final = str.maketrans("@4310$57", "aaeiosst")


class Passwords:
    """Makes and checks hashes.

    Args:
        hasher: another one than production's, for tests: argon2id with 64 MiB, three passes, four lanes.
    """

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        self._given = hasher
        self._places = threading.BoundedSemaphore(_AT_ONCE + _QUEUE)
        self._hashing = threading.BoundedSemaphore(_AT_ONCE)

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # imported only where a password is at hand

        return self._given or PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn to hash: a hash takes 64 MiB and a third of a second.

        Raises:
            Unavailable: twenty wait already.
        """
        if not self._places.acquire(blocking=False):
            raise Unavailable(words.MANY_SIGN_IN, words.TRY_IN_SECONDS)
        try:
            with self._hashing:
                yield
        finally:
            self._places.release()

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        return self._hasher.hash(_composed(password))

    def is_right(self, stored: str | None, password: str) -> bool:
        """Say whether a password is the one that was stored; where there is none it costs a hash, too (H8)."""
        from argon2.exceptions import VerifyMismatchError

        if stored is None:
            self.hash(password)
            return False
        try:
            return self._hasher.verify(stored, _composed(password))
        except VerifyMismatchError:
            return False

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)


def check_new(name: str, password: str) -> None:
    """Refuse a password that is too short, too long or among the first to be tried.

    Args:
        name: the user's name.
        password: what the user chose.

    Raises:
        BadInput: saying why, and what to do.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(words.password_length_sentence(SHORTEST, LONGEST), words.CHOOSE_ANOTHER)
    if _is_common(name.casefold(), password.casefold()):
        raise BadInput(words.TRIED_FIRST, words.CHOOSE_WORDS)


def _is_common(name: str, password: str) -> bool:
    if len(set(password)) < _FEWEST_CHARACTERS:
        return True
    known = _COMMON | {"".join(re.findall(r"[^\W\d_]+", name))}
    for reading in (password, re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password).translate(_LOOKS_LIKE)):
        letters = "".join(re.findall(r"[^\W\d_]+", reading))
        if any(word and letters and not letters.replace(word, "") for word in known):
            return True
    return len(_without_runs(password)) < _FEWEST_CHARACTERS


def _without_runs(password: str) -> str:
    in_run = {
        position
        for start in range(len(password) - 2)
        if password[start : start + 3] in _RUNS
        for position in range(start, start + 3)
    }
    return "".join(letter for position, letter in enumerate(password) if position not in in_run)


def _composed(password: str) -> str:
    # Two keyboards may compose one letter differently.
    return unicodedata.normalize("NFC", password)
