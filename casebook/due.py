"""Until when a person should have read a case: working days from when it was answered, by its urgency (ux 4.6)."""

from datetime import datetime, time, timedelta, tzinfo
from typing import Final

CLOSE: Final = time(16)  # of a working day, by the site's clock
_SATURDAY: Final = 5
_WORKING_DAYS: Final = {0: 0, 1: 1, 2: 5, 3: 5, 4: 15}
_OF_NONE: Final = 15


def due_at(urgency: int | None, answered_at: datetime, zone: tzinfo) -> datetime:
    """Return when a case is due.

    What is answered after the close of a working day, or at a weekend, counts from the next working day.

    Args:
        urgency: its class, 0 is most urgent; none needs nobody.
        answered_at: aware.
        zone: the site's.

    Returns:
        The close of a working day, in the site's zone; never before ``answered_at``.
    """
    local = answered_at.astimezone(zone)
    day = local.date()
    if datetime.combine(day, CLOSE, zone) < local:
        day += timedelta(days=1)
    left = _WORKING_DAYS.get(urgency, _OF_NONE) if urgency is not None else _OF_NONE
    while left or day.weekday() >= _SATURDAY:
        left -= day.weekday() < _SATURDAY
        day += timedelta(days=1)
    return datetime.combine(day, CLOSE, zone)
