"""What an association may ask of the listener it came in by."""

import socket
from dataclasses import dataclass
from typing import Protocol

from casebook.clock import Clock
from dicom_listener.limits import Limits
from dicom_listener.outcomes import Outcomes
from dicom_listener.room import Room
from dicom_listener.spool import Spool


@dataclass(frozen=True, slots=True)
class Announced:
    """What the command of a C-STORE says of the object that follows, and the context it comes in."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Peer:
    """Who an association is with: the address its slot was taken for, and its name in metrics and logs."""

    host: str
    caller: str


class Reception(Protocol):
    """Who takes the objects."""

    def open(self, announced: Announced) -> Spool:
        """Give what an announced object is written to."""

    def abandon(self, spool: Spool) -> None:
        """Remove what is left of an object that will get no answer any more."""


class Keeper(Protocol):
    """The listener, as its associations see it."""

    reception: Reception
    room: Room[socket.socket]
    outcomes: Outcomes
    limits: Limits
    clock: Clock
