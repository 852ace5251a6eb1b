"""Whether the kernel believes that its clock is right."""

import ctypes

from gateway.checks.finding import Finding, ok, warn

_MAXERROR = 3  # struct timex: modes, offset, freq, maxerror; each fills a long (adjtimex(2))
_UNKNOWN_FROM = 16_000_000  # microseconds; what the kernel says of a clock that nobody disciplines
_ROOM = 64  # longs; the struct has fewer


def clock() -> Finding:
    """Look whether something keeps the clock right; ages of cases and times in reports come from it."""
    return judge(greatest_error())


def judge(microseconds: int | None) -> Finding:
    """Judge the greatest error of the clock, none where the kernel does not say it."""
    remedy = "let chrony or systemd-timesyncd set the clock of this machine"
    if microseconds is None:
        return warn("clock", "whether it is synchronised cannot be known here; case ages may be wrong", remedy)
    if microseconds >= _UNKNOWN_FROM:
        return warn("clock", "not synchronised; case ages may be wrong", remedy)
    return ok("clock", f"synchronised, off by {microseconds / 1e6:.3f} s at most")


def greatest_error() -> int | None:
    """Return by how many microseconds the kernel says that the clock may be wrong, or None."""
    answer = (ctypes.c_long * _ROOM)()  # modes 0: reads only
    try:
        state: int = ctypes.CDLL(None).adjtimex(answer)
    except AttributeError:
        return None
    return None if state < 0 else int(answer[_MAXERROR])
