"""What a check found: one line of what is true and, where that is not well, one of what to do."""

from dataclasses import dataclass
from enum import StrEnum

from casebook.errors import RetinaGateError
from casebook.words import Unreachable, unreachable_remedy, unreachable_sentence


class Status(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: its subject, one word.
        status: how it stands.
        what: what is true, a clause without full stop, secrets or patient data.
        remedy: what to do about it, an imperative clause without full stop; empty where all is well.
    """

    check: str
    status: Status
    what: str
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    """Find that all is well."""
    return Finding(check, Status.OK, what)


def warn(check: str, what: str, remedy: str) -> Finding:
    """Find something a person should know, which keeps nothing from working."""
    return Finding(check, Status.WARN, what, remedy)


def red(check: str, what: str, remedy: str) -> Finding:
    """Find something that keeps the service, or a part of it, from working."""
    return Finding(check, Status.RED, what, remedy)


def refused(check: str, error: RetinaGateError) -> Finding:
    """Find what an error of ours says."""
    return red(check, clause(error.message), clause(error.remedy) or "run it again, and look into the log")


def unreached(check: str, name: str, why: Unreachable) -> Finding:
    """Find that a host does not answer."""
    return red(check, f"{name}: {unreachable_sentence(why)}", unreachable_remedy(why))


def clause(sentence: str) -> str:
    """Return a sentence as a clause: without its full stop, and its first word small unless it is a name."""
    first, space, rest = sentence.removesuffix(".").partition(" ")
    return f"{first.lower() if first[1:].islower() or first == 'A' else first}{space}{rest}"


def size(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
