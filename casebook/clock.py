"""Time: aware UTC for what is written down, monotonic seconds for durations, both replaceable in tests."""

import time
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfoNotFoundError

import tzlocal


class Clock:
    """The one source of time. Tests hand in a subclass that is moved by hand."""

    def now(self) -> datetime:
        """Return the wall clock as an aware datetime in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for durations only."""
        return time.monotonic()


def site_zone() -> tzinfo:
    """Return the zone the clinic lives in, by its name: the one this machine is set to (``TZ``, else its own).

    What cannot be named, such as a rule instead of a name, is today's distance from UTC: no case waits for a name.
    """
    try:
        return tzlocal.get_localzone()
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


SYSTEM = Clock()
