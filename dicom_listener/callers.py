"""Who may associate: calling title and host together, for titles alone are names, not secrets (security S4)."""

import hmac
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable

from casebook.clock import Clock
from casebook.errors import Misconfigured
from casebook.settings import Listener
from dicom_listener.association_request import DICOM_APPLICATION_CONTEXT, AssociationRequest, Rejection
from dicom_listener.outcomes import UNKNOWN_CALLER

log = logging.getLogger(__name__)

SELF_TEST = "RG_SELFTEST"
SELF_TEST_CALLER = "self-test"  # its label in metrics and logs
_RESOLVE_EVERY = 300.0
_SMALLEST_LENGTH = 1024  # of a peer's PDUs: below 7 the library breaks, and nobody who means well asks for less (N17)
_MOST_NAMES = 50  # callers with a label of their own (ux 3)

Resolve = Callable[[str], frozenset[str]]


def plain_host(address: str) -> str:
    """Return an address without an IPv6 zone, and IPv4 written as IPv4 when it is mapped."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def resolve(host: str) -> frozenset[str]:
    """Return the addresses of a host name or address; none when it is unknown now."""
    try:
        return frozenset(plain_host(str(entry[4][0])) for entry in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return frozenset()


def is_loopback(host: str) -> bool:
    """Say whether a host name or address reaches this machine only."""
    addresses = resolve(host)
    return bool(addresses) and all(ipaddress.ip_address(address).is_loopback for address in addresses)


class Callers:
    """Judges who calls whom.

    Args:
        settings: the listener's section.
        clock: for looking up the names of the list anew every five minutes.
        self_test_secret: this start's secret; without one nobody is the self-test.
        resolve: host name to addresses, replaceable in tests.

    Raises:
        Misconfigured: the listener can be reached from the network and its list of callers is empty.
    """

    def __init__(
        self, settings: Listener, clock: Clock, self_test_secret: str | None = None, resolve: Resolve = resolve
    ) -> None:
        self.on_loopback = is_loopback(settings.host)
        if not self.on_loopback and not settings.allowed_callers:
            raise Misconfigured(
                "listener.host lets the network in, but listener.allowed_callers is empty.",
                "List every camera and PACS as {ae_title, host}, or set listener.host to 127.0.0.1.",
            )
        self._title = settings.ae_title
        self._allowed = settings.allowed_callers
        titles = dict.fromkeys(caller.ae_title for caller in settings.allowed_callers)
        self._named = frozenset(list(titles)[:_MOST_NAMES])
        self._secret = self_test_secret
        self._clock = clock
        self._resolve = resolve
        self._resolving = threading.Lock()
        self._addresses: dict[str, frozenset[str]] = {}
        self._look_up()

    def judge(self, asked: AssociationRequest, host: str) -> Rejection | None:
        """Say why an association is refused, or None when it may be.

        Args:
            asked: the association request.
            host: the caller's address, as ``plain_host`` gives it.
        """
        if asked.version != 1:
            return Rejection.PROTOCOL_VERSION
        if asked.application_context != DICOM_APPLICATION_CONTEXT:
            return Rejection.APPLICATION_CONTEXT
        if asked.called != self._title:
            return Rejection.CALLED_WRONG
        if asked.calling is None or not self._may_call(asked.calling, host):
            return Rejection.CALLER_UNKNOWN
        if 0 < asked.maximum_length < _SMALLEST_LENGTH:
            return Rejection.MAXIMUM_LENGTH
        return None

    def name(self, calling: str | None, host: str) -> str:
        """Return what metrics and logs call a caller: its title if the settings list it, never what a peer made up.

        Args:
            calling: the calling title.
            host: the caller's address, as ``plain_host`` gives it.
        """
        if calling is None or not self._may_call(calling, host):
            return UNKNOWN_CALLER
        if calling == SELF_TEST:
            return SELF_TEST_CALLER
        return calling if calling in self._named else UNKNOWN_CALLER

    def proves_self_test(self, passcode: bytes | None) -> bool:
        """Say whether a passcode is this start's secret."""
        return (
            self._secret is not None
            and passcode is not None
            and hmac.compare_digest(passcode, self._secret.encode("utf-8"))
        )

    def _may_call(self, calling: str, host: str) -> bool:
        if calling == SELF_TEST:
            return ipaddress.ip_address(host).is_loopback
        if not self._allowed:
            return True
        # One looks up while the others go on with what is known: a slow name server holds nobody up.
        if self._clock.monotonic() - self._resolved_at >= _RESOLVE_EVERY and self._resolving.acquire(blocking=False):
            try:
                self._look_up()
            finally:
                self._resolving.release()
        known = self._addresses
        return any(caller.ae_title == calling and host in known[caller.host] for caller in self._allowed)

    def _look_up(self) -> None:
        """Find the addresses of every listed host; a name that is unknown now keeps the ones it had."""
        self._resolved_at = self._clock.monotonic()
        found = {name: self._resolve(name) for name in sorted({caller.host for caller in self._allowed})}
        if not all(found.values()):
            log.warning("a host in listener.allowed_callers cannot be resolved")
        self._addresses = {
            name: addresses or self._addresses.get(name, frozenset()) for name, addresses in found.items()
        }
