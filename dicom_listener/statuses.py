"""What a C-STORE is answered: one table from what went wrong to a status (PS3.4 B.2.3, PS3.7 Annex C).

Success only when file, row and job are durable. Never a warning (Bxxx): senders take it for stored. A failure is
answered only where the sender should send again or a person should look, for DCMTK's senders never retry.
"""

from dataclasses import dataclass
from enum import IntEnum

from pydicom.dataset import Dataset
from sqlalchemy.exc import TimeoutError as PoolTimeout

from casebook.errors import BadInput, Refused, Unavailable


class Status(IntEnum):
    """The statuses that leave this listener, and no other."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORISED = 0x0124
    UNRECOGNISED_OPERATION = 0x0211
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DIFFERS = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class NotAsAnnounced(BadInput):
    """Class or UID in the data set are not those of the command, or there is no data set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the Error Comment that goes with it: at most 64 characters, nothing of the peer's in it."""

    status: Status
    comment: str = ""

    def data_set(self) -> Dataset:
        """Return the response's elements for pynetdicom."""
        response = Dataset()
        response.Status = int(self.status)
        if self.comment:
            response.ErrorComment = self.comment[:64]
        return response


STORED = Answer(Status.SUCCESS)
_TABLE: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Status], ...] = (
    (NotAsAnnounced, Status.DATA_SET_DIFFERS),
    ((BadInput, RecursionError), Status.CANNOT_UNDERSTAND),
    (Refused, Status.NOT_AUTHORISED),
    ((Unavailable, OSError, MemoryError, PoolTimeout), Status.OUT_OF_RESOURCES),
)


def answer_to(error: BaseException) -> Answer:
    """Return what the sender is told about an error."""
    status = next((status for kinds, status in _TABLE if isinstance(error, kinds)), Status.PROCESSING_FAILURE)
    if isinstance(error, (BadInput, Refused, Unavailable)):
        return Answer(status, error.message)
    if status is Status.OUT_OF_RESOURCES:
        return Answer(status, "The archive cannot take more now.")
    return Answer(status, "An error of ours; see the log.")
