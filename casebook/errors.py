"""The error tree: what went wrong, and what a person can do about it.

RetinaGateError
├── Misconfigured   a setting is wrong: stop, exit 2
├── BadInput        the peer's or the user's data is at fault: permanent, the reason is shown
├── Unavailable     disk, database or network is away: try again later
├── Refused         policy says no
└── LostLease       another worker owns the job now: throw the results away
"""


class RetinaGateError(Exception):
    """An error with one sentence for a person and, where there is one, the remedy.

    Args:
        message: what is wrong, in one sentence, without patient data or secrets.
        remedy: what to do about it, as an imperative sentence.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Misconfigured(RetinaGateError):
    """A setting, file or argument is wrong; nothing starts until it is mended."""


class BadInput(RetinaGateError):
    """What was handed in cannot be understood; trying again does not help."""


class Unavailable(RetinaGateError):
    """Disk, database or network is away for now; trying again later helps."""


class Refused(RetinaGateError):
    """Policy does not allow it."""


class LostLease(RetinaGateError):
    """The job was taken over by another worker; everything done under the old lease is thrown away."""
