"""What the owner of a child may be told: that it is ready and with what, or how it ended."""

from pydantic import BaseModel, ConfigDict, Field

from casebook.errors import RetinaGateError, Unavailable
from inference.examination import Stage


class ChildDied(RetinaGateError):
    """The child ended in the middle of a file.

    Attributes:
        stage: what was at work: reading the file, or grading.
    """

    def __init__(self, message: str, stage: Stage) -> None:
        super().__init__(message)
        self.stage = stage


class DeadlinePassed(ChildDied):
    """The child was killed because a picture took too long."""


class NeverTaken(ChildDied):
    """The child ended without a word about the file."""


class ChildStopped(Unavailable):
    """The child was stopped because this process ends; the file is as good as before."""


class Ready(BaseModel):
    """What the child says once its model answers as the card says.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        sha256: of its card.
        card: ``card.json`` as it stands in the bundle.
        runner: what computes.
        fallback: why it is not the first choice, as sentences; empty when it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    card: str
    runner: str
    fallback: str

    @property
    def in_words(self) -> str:
        """What grades, for a person."""
        return f"{self.name} {self.version}, {self.runner}, golden pictures reproduced"
