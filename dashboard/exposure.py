"""Whether pages and passwords could leave this machine in the clear (security S1)."""

import ipaddress

from casebook.errors import Misconfigured
from casebook.settings import Dashboard


def refuse_exposed(settings: Dashboard) -> None:
    """Refuse to be reachable from other hosts without encryption.

    Raises:
        Misconfigured: it would be.
    """
    if not is_loopback(settings.host) and not settings.behind_proxy:
        raise Misconfigured(
            "dashboard.host is reachable from other machines, but nothing encrypts it.",
            "Put a TLS proxy before it and set dashboard.behind_proxy to true, or keep 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
