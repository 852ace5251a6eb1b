"""What became of each connection and association: counted always, logged now and then, refusals audited (S4, ux O3)."""

import logging
from enum import StrEnum
from typing import Protocol

from casebook import telemetry
from casebook.clock import Clock
from dicom_listener.association_request import Rejection
from dicom_listener.seldom import Seldom

log = logging.getLogger(__name__)

UNKNOWN_CALLER = "other"  # the label of everybody who is not in the settings


class Outcome(StrEnum):
    """What may become of a connection: the labels of a metric, so the list is closed."""

    ACCEPTED = "accepted"
    EVICTED = "evicted"  # the oldest of too many that had not said who they are
    HANDSHAKE_FAILED = "handshake_failed"  # no TLS, too old a TLS, or a certificate that is none of ours
    GONE = "gone"  # closed, broken or silent before it said who it is
    APPLICATION_CONTEXT = "application_context"
    CALLER_UNKNOWN = "caller_unknown"
    CALLED_WRONG = "called_wrong"
    MAXIMUM_LENGTH = "maximum_length"
    PROTOCOL_VERSION = "protocol_version"
    BUSY = "busy"
    NO_SLOT = "no_slot"
    ABORTED = "aborted"  # by us, for what the peer sent or did not send
    BROKEN = "broken"  # the library broke over what the peer sent, or a thread could not start


class Audit(Protocol):
    """Who writes refusals down."""

    def note(self, outcome: Outcome, host: str, title: str | None) -> None:
        """Take note at once; writing comes later."""


class Outcomes:
    """Counts and tells; safe to use from many threads, and never slow.

    Args:
        clock: a kind of outcome of one address is logged once a minute.
        audit: takes the refusals.
    """

    def __init__(self, clock: Clock, audit: Audit) -> None:
        self._audit = audit
        self._seldom = Seldom(clock)

    def note(
        self, outcome: Outcome, host: str, caller: str = UNKNOWN_CALLER, error: BaseException | None = None
    ) -> None:
        """Count an outcome.

        Args:
            outcome: what became of it.
            host: the peer's address.
            caller: the peer's name in the settings.
            error: of which only the class is told: its text may hold a peer's data.
        """
        telemetry.ASSOCIATIONS.labels(caller=caller, outcome=str(outcome)).inc()
        if outcome is Outcome.ACCEPTED:
            return
        if count := self._seldom.due((outcome, host)):
            told = {"outcome": str(outcome), "address": host, "caller": caller, "count": count}
            if error is not None:
                told["error"] = type(error).__name__
            log.log(logging.WARNING if outcome is Outcome.BROKEN else logging.INFO, "association ended", extra=told)

    def refused(self, rejection: Rejection, host: str, title: str | None, caller: str) -> None:
        """Count a refusal and have it audited.

        Args:
            rejection: why.
            host: the peer's address.
            title: the checked calling title, or None where it was none.
            caller: the peer's name in the settings.
        """
        outcome = Outcome[rejection.name]
        self.note(outcome, host, caller)
        self._audit.note(outcome, host, title)
