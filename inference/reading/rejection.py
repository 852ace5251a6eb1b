"""Why a file is answered without the network ever seeing it."""

from casebook.errors import BadInput
from casebook.words import Gradability, Reason

# What a header may promise before anything is decoded (rules S7, S8).
MAX_PIXELS = 100_000_000
MAX_FRAMES = 1000


class Rejected(BadInput):
    """The file holds no photograph that could be graded.

    Attributes:
        gradability: ``unreadable`` or ``not_applicable``.
        reason: the word that says why.
    """

    def __init__(self, gradability: Gradability, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.gradability = gradability
        self.reason = reason


def damaged(message: str) -> Rejected:
    """Return the refusal of a file that is cut, damaged or contradicts itself."""
    return Rejected(Gradability.UNREADABLE, Reason.DAMAGED, message)


def over_limit(message: str) -> Rejected:
    """Return the refusal of a file that promises more than we are willing to decode."""
    return Rejected(Gradability.UNREADABLE, Reason.LIMITS, message)


def unknown_syntax(message: str) -> Rejected:
    """Return the refusal of a file in a form we do not read."""
    return Rejected(Gradability.UNREADABLE, Reason.SYNTAX, message)


def not_applicable(reason: Reason, message: str) -> Rejected:
    """Return the answer to an object that is whole but never graded."""
    return Rejected(Gradability.NOT_APPLICABLE, reason, message)
