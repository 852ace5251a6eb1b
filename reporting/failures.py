"""What an answer, or none, means for a delivery, and the remedy in words (reliability R6).

Only a status is a status: nothing counts as sent without one that was read.
"""

from dataclasses import dataclass

from casebook.deliveries import Attempt, Effect
from casebook.settings import Destination
from casebook.words import Unreachable, unreachable_remedy, unreachable_sentence

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
_TRANSFER_SYNTAX_NOT_SUPPORTED = 0x04
_CALLING_NOT_KNOWN = 3
_CALLED_NOT_KNOWN = 7


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ as it came (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a destination does not work: for now, or until somebody changes a setting.

    Attributes:
        effect: what it means for a delivery.
        what: half a sentence that stands behind the destination's name and a colon.
        remedy: an imperative clause without capital letter and full stop.
    """

    effect: Effect
    what: str
    remedy: str


def named(destination: Destination) -> str:
    """Return how a sentence names a destination."""
    return f"{destination.name} ({destination.ae_title} at {destination.host}:{destination.port})"


def unreachable(why: Unreachable) -> Fault:
    """Say that no connection, or no answer to it, could be had."""
    return Fault(Effect.TRANSIENT, unreachable_sentence(why), unreachable_remedy(why))


def rejected(destination: Destination, rejection: Rejection, our_title: str) -> Fault:
    """Say that the association was refused: for now, or for good until somebody changes a setting."""
    if rejection.result != _PERMANENT_REJECTION:
        return Fault(
            Effect.TRANSIENT, "it is too busy for a connection", "let it take more associations if that stays so"
        )
    what = "it refuses the connection"
    if rejection.source == _SERVICE_USER and rejection.reason == _CALLING_NOT_KNOWN:
        what += f", for it does not know {our_title}"
        remedy = f"add the AE title {our_title} and this host there"
    elif rejection.source == _SERVICE_USER and rejection.reason == _CALLED_NOT_KNOWN:
        what += f", for it is not called {destination.ae_title}"
        remedy = "correct its ae_title in the settings"
    else:
        remedy = f"check there whether {our_title} may connect"
    return Fault(Effect.CONFIGURATION, what, remedy)


def not_taken(name: str, sop_class: str, transfer_syntax: str, result: int) -> Fault:
    """Say that the peer takes no object of this class in this transfer syntax.

    Args:
        name: what the object is called, such as a product.
        sop_class: its class in words.
        transfer_syntax: how it is encoded, in words.
        result: of the presentation context (PS3.8 9.3.3.2).
    """
    encoded = f" in {transfer_syntax}" if result == _TRANSFER_SYNTAX_NOT_SUPPORTED else ""
    what = f"it does not take {sop_class}{encoded} ({name})"
    return Fault(
        Effect.CONFIGURATION, what, "allow it there, or remove it from the destination's products in the settings"
    )


def echo_refused(status: int | None) -> Fault:
    """Say that a C-ECHO was not answered with Success.

    Args:
        status: (0000,0900) of the answer; none where none came.
    """
    what = "it does not answer an echo" if status is None else f"it answers an echo with status {status:04X}"
    return Fault(Effect.TRANSIENT, what, "ask its administrator")


def judge(destination: Destination, fault: Fault, *, breaks_lane: bool) -> Attempt:
    """Judge a fault of a destination.

    Args:
        destination: the peer.
        fault: what is wrong with it.
        breaks_lane: whether the destination itself does not work, and not only one kind of object.
    """
    if fault.effect is Effect.TRANSIENT:
        remedy = f"It will be tried again; {fault.remedy}"
    else:
        remedy = fault.remedy[0].upper() + fault.remedy[1:]
    return Attempt(fault.effect, f"{named(destination)}: {fault.what}. {remedy}.", breaks_lane=breaks_lane)


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
        f"{named(destination)} did not answer within {seconds:.0f} seconds. It will be tried again.",
        breaks_lane=True,
    )


def judge_break(destination: Destination) -> Attempt:
    """Judge an association that the peer or the network ended in the middle."""
    return Attempt(
        Effect.TRANSIENT, f"{named(destination)} broke off the connection. It will be tried again.", breaks_lane=True
    )


def judge_missing_file() -> Attempt:
    """Judge an object whose file cannot be read here."""
    return Attempt(Effect.PERMANENT, "The object's file cannot be read here. Run: retinagate fsck")
