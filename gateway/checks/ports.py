"""Our two ports, who may call at them, and who holds them: nobody yet, our own service, or a stranger."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Literal

from sqlalchemy.exc import DBAPIError

from casebook import heartbeats
from casebook.clock import Clock
from casebook.database import Schema
from casebook.errors import Misconfigured, RetinaGateError
from casebook.listening import cannot_listen
from casebook.settings import Settings
from dashboard.exposure import refuse_exposed
from dicom_listener.callers import Callers, resolve
from gateway.checks import sockets
from gateway.checks.finding import Finding, ok, red, refused
from gateway.checks.rows import looking
from gateway.checks.shortly import begin
from gateway.running import Running

_RESOLVE_SECONDS = 6.0


def port(check: Literal["listener", "dashboard"], settings: Settings, running: Running | None, clock: Clock) -> Finding:
    """Look whether a port is free, or held by our own service.

    Args:
        check: which part's.
        settings: where it shall listen.
        running: the service of this home, if one runs.
        clock: for what counts as a fresh sign of life.
    """
    section = settings.listener if check == "listener" else settings.dashboard
    place = f"{section.host}:{section.port}"
    if check == "dashboard":
        try:
            refuse_exposed(settings.dashboard)
        except Misconfigured as error:
            return refused(check, error)
    fault = _try_to_bind(section.host, section.port)
    if fault is None:
        if running is not None and _place_of(check, running) == (section.host, section.port):
            return red(
                check,
                f"the service runs (process {running.process}), but nothing listens at {place}",
                "give it a moment; if it stays so, look into its log and start it again",
            )
        return ok(check, f"{place} is free")
    if fault.errno == errno.EADDRINUSE:
        return _held(check, section.port, place, _own_processes(settings, running, clock))
    return refused(check, cannot_listen(check, section.port, fault))


def callers(settings: Settings, clock: Clock, find: Callable[[str], frozenset[str]] = resolve) -> Finding:
    """Look whether every caller in the list has an address.

    Args:
        settings: whose list.
        clock: what the list is made with.
        find: host name to addresses.
    """
    allowed = settings.listener.allowed_callers
    # All at once, for a name server that is away takes its time over each of them.
    asked = {host: begin(partial(find, host)) for host in {caller.host for caller in allowed}}
    known = {host: answer.within(_RESOLVE_SECONDS) or frozenset() for host, answer in asked.items()}
    try:
        on_loopback = Callers(settings.listener, clock, resolve=lambda host: known[host]).on_loopback
    except Misconfigured as error:
        return refused("callers", error)
    lost = [f"{caller.ae_title} at {caller.host}" for caller in allowed if not known[caller.host]]
    if lost:
        return red(
            "callers",
            f"no address is known for {', '.join(lost)}, so nothing is taken from there",
            "correct the host in listener.allowed_callers, or the name server",
        )
    if not allowed and on_loopback:
        return ok("callers", "anyone on this machine")
    return ok("callers", ", ".join(f"{caller.ae_title} at {caller.host}" for caller in allowed))


def _try_to_bind(host: str, number: int) -> OSError | None:
    """Return why a port cannot be bound; it is let go at once, without ever having listened."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _held(check: str, number: int, place: str, own: frozenset[int]) -> Finding:
    holders = sockets.listeners(number)
    mine = holders & own
    if mine or (not holders and own):
        process = min(mine) if mine else min(own)
        return ok(check, f"{place}, held by our own service (process {process})")
    names = ", ".join(f"{sockets.program(process)} (process {process})" for process in sorted(holders))
    return red(
        check,
        f"port {number} is taken by {names or 'another program'}",
        f"stop that program, or set {check}.port to another one",
    )


def _own_processes(settings: Settings, running: Running | None, clock: Clock) -> frozenset[int]:
    """Return the processes of our own parts on this machine: of ``up``, or of parts run as processes of their own."""
    own = frozenset() if running is None else frozenset({running.process})
    with suppress(RetinaGateError, DBAPIError), looking(settings) as casebook:
        if casebook is not None and casebook.schema() is Schema.CURRENT:
            with casebook.reading() as t:
                own |= heartbeats.processes_here(t, clock.now())
    return own


def _place_of(check: str, running: Running) -> tuple[str, int]:
    if check == "listener":
        return running.dicom_host, running.dicom_port
    return running.dashboard_host, running.dashboard_port
