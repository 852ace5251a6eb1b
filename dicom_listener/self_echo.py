"""The listener asks itself whether it answers (R21): a thread that lives may still let nobody in."""

from casebook.association import Caller
from dicom_listener.callers import SELF_TEST
from dicom_listener.contexts import VERIFICATION

EVERY_SECONDS = 5.0
_SECONDS = 3.0
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what reaches a listener of all addresses from this machine


def is_answered(host: str, port: int, ae_title: str) -> bool:
    """Say whether a C-ECHO of the self-test caller, which may associate from loopback alone, is answered in time.

    Args:
        host: where the listener listens: an address of loopback, or all addresses.
        port: its port.
        ae_title: its title.
    """
    ae = Caller(SELF_TEST)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = _SECONDS
    ae.add_requested_context(VERIFICATION)
    try:
        association = ae.associate(_HERE.get(host, host), port, ae_title=ae_title)
    except OSError:  # no descriptor is left
        return False
    if not association.is_established:
        return False
    try:
        return bool(association.send_c_echo().get("Status") == 0)
    except (RuntimeError, ValueError):  # it ended meanwhile
        return False
    finally:
        association.release()


def can_ask(host: str, *, on_loopback: bool) -> bool:
    """Say whether a call from loopback reaches the listener."""
    return on_loopback or host in _HERE
