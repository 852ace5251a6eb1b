"""Whether each destination would take what we make: it answers, knows us, and takes every product."""

import ipaddress
import socket

from casebook.settings import Destination, Settings
from dicom_listener.callers import resolve
from gateway.checks.finding import Finding, ok, red, unreached
from gateway.checks.reach import reach
from gateway.running import Running
from reporting.failures import named
from reporting.probe import probe
from reporting.store import Limits

_CHECK = "destination"
LIMITS = Limits(connect=3.0, associate=5.0, answer=4.0)


def destination(settings: Settings, running: Running | None, asked: Destination, limits: Limits = LIMITS) -> Finding:
    """Associate with a destination as a delivery would, sending it nothing.

    Args:
        settings: who we are.
        running: the service of this home, if one runs.
        asked: the destination.
        limits: how long it may take.
    """
    name = named(asked)
    if (part := _own_part(settings, running, asked)) is not None:
        return red(_CHECK, f"{name}: that is {part} of this service itself", "set host and port of the PACS")
    if (why := reach(asked.host, asked.port, limits.connect)) is not None:
        return unreached(_CHECK, name, why)
    faults = probe(asked, settings.listener.ae_title, limits)
    if faults:
        return red(_CHECK, f"{name}: {'; '.join(fault.what for fault in faults)}", faults[0].remedy)
    return ok(_CHECK, f"{name}: takes {' and '.join(asked.products) or 'nothing, for it has no products'}")


def none_set() -> Finding:
    """Find that there is no destination, which is how every house begins."""
    return ok(_CHECK, "none is set; results stay here")


def _own_part(settings: Settings, running: Running | None, asked: Destination) -> str | None:
    """Say which of our own parts a destination names, or None: a report must not come back as a photograph (S20)."""
    own = [
        (settings.listener.host, settings.listener.port, "the listener"),
        (settings.dashboard.host, settings.dashboard.port, "the dashboard"),
    ]
    if running is not None:
        own += [
            (running.dicom_host, running.dicom_port, "the listener"),
            (running.dashboard_host, running.dashboard_port, "the dashboard"),
            ("127.0.0.1", running.loopback_port, "the loop-back PACS"),
        ]
    theirs = resolve(asked.host)
    for host, port, part in own:
        if port == asked.port and _meet(resolve(host), theirs):
            return part
    return None


def _meet(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    everywhere = any(ipaddress.ip_address(address).is_unspecified for address in ours)
    return any(address in ours or (everywhere and _is_here(address)) for address in theirs)


def _is_here(address: str) -> bool:
    """Say whether an address is one of this machine's: no other can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe_socket:
        try:
            probe_socket.bind((address, 0))
        except OSError:
            return False
    return True
