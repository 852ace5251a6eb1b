"""What an answer, or none, means for a delivery, and the remedy in words (reliability R6).

Only a status is a status: nothing counts as sent without one that was read.
"""

from dataclasses import dataclass

from casebook.deliveries import Attempt, Effect
from casebook.settings import Destination

SUCCESS = 0x0000
# Stored, with a warning: coercion, elements discarded, data set does not match (PS3.4 B.2.3)
_STORED_WITH_WARNING = {
    0xB000: "changed some values",
    0xB006: "left some values out",
    0xB007: "finds that the object does not match its kind",
}
_MEANINGS = {
    0x0110: "it failed while processing",
    0x0117: "it calls the object's identity invalid",
    0x0122: "it does not store this kind of object",
    0x0124: "we are not allowed to send it",
    0x0211: "it does not know C-STORE",
}
_PERMANENT_REJECTION = 0x01
_SERVICE_USER = 0x01
_CALLING_NOT_KNOWN = 3
_CALLED_NOT_KNOWN = 7


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ as it came (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int


def judge_status(status: int, comment: str = "") -> Attempt:
    """Judge the status of a C-STORE response.

    Args:
        status: (0000,0900).
        comment: (0000,0902), what the peer wrote beside it.
    """
    said = f" It says: {comment}." if comment else ""
    code = f"status {status:04X}"
    if status == SUCCESS:
        return Attempt(Effect.DELIVERED, "", status)
    if status in _STORED_WITH_WARNING:
        return Attempt(
            Effect.DELIVERED, f"Stored, but the destination {_STORED_WITH_WARNING[status]} ({code}).{said}", status
        )
    if status & 0xFF00 == 0xA700:
        return Attempt(
            Effect.TRANSIENT,
            f"The destination has no room or is too busy ({code}).{said} It will be tried again.",
            status,
        )
    if status & 0xFF00 == 0xA900:
        why = "it says that the object does not match its kind"
    elif status & 0xF000 == 0xC000:
        why = "it cannot understand the object"
    elif status & 0xFF00 in (0x0100, 0x0200):
        why = _MEANINGS.get(status, "it reports a failure")
    else:
        return Attempt(
            Effect.UNKNOWN, f"The destination gave an answer that the standard does not know ({code}).{said}", status
        )
    return Attempt(
        Effect.PERMANENT,
        f"The destination refused the object: {why} ({code}).{said} Ask its administrator, then resend.",
        status,
    )


def judge_empty_status() -> Attempt:
    """Judge an answer without a status."""
    return Attempt(Effect.UNKNOWN, "The destination answered without saying whether it stored the object.")


def judge_silence(destination: Destination, seconds: float) -> Attempt:
    """Judge an object that was not answered in time."""
    return Attempt(
        Effect.TRANSIENT,
        f"{_named(destination)} did not answer within {seconds:.0f} seconds. It will be tried again.",
        breaks_lane=True,
    )


def judge_break(destination: Destination) -> Attempt:
    """Judge an association that the peer or the network ended in the middle."""
    return Attempt(
        Effect.TRANSIENT, f"{_named(destination)} broke off the connection. It will be tried again.", breaks_lane=True
    )


def judge_unreachable(destination: Destination) -> Attempt:
    """Judge a connection that could not be made."""
    return Attempt(
        Effect.TRANSIENT,
        f"{_named(destination)} cannot be reached. It will be tried again; check that it runs, and its host and port.",
        breaks_lane=True,
    )


def judge_rejection(destination: Destination, rejection: Rejection, our_title: str) -> Attempt:
    """Judge an association that was refused: for now, or for good until somebody changes a setting."""
    if rejection.result != _PERMANENT_REJECTION:
        return Attempt(
            Effect.TRANSIENT,
            f"{_named(destination)} is too busy for a connection. It will be tried again.",
            breaks_lane=True,
        )
    if rejection.source == _SERVICE_USER and rejection.reason == _CALLING_NOT_KNOWN:
        remedy = f"It does not know us: add the AE title {our_title} and this host there."
    elif rejection.source == _SERVICE_USER and rejection.reason == _CALLED_NOT_KNOWN:
        remedy = f"It is not called {destination.ae_title}: correct its ae_title in the settings."
    else:
        remedy = f"Check there whether {our_title} may connect."
    return Attempt(Effect.CONFIGURATION, f"{_named(destination)} refuses the connection. {remedy}", breaks_lane=True)


def judge_no_context(destination: Destination, name: str) -> Attempt:
    """Judge that the peer takes no object of this class in this transfer syntax.

    Args:
        destination: the peer.
        name: what the object is called, such as a product.
    """
    return Attempt(
        Effect.CONFIGURATION,
        f"{_named(destination)} does not take this kind of object as it is encoded ({name}). "
        "Allow it there, or remove it from the destination's products in the settings.",
    )


def judge_missing_file() -> Attempt:
    """Judge an object whose file cannot be read here."""
    return Attempt(Effect.PERMANENT, "The object's file cannot be read here. Run: retinagate fsck")


def _named(destination: Destination) -> str:
    return f"{destination.name} ({destination.ae_title} at {destination.host}:{destination.port})"
