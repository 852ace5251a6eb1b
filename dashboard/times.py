"""How dates and times are said: the site's zone, months by name, and how long only beside a date (ux U27)."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")  # PS3.5 6.2 DA, and its form of old
_TIME = re.compile(r"(\d{2}):?(\d{2})(:?\d{2}(\.\d+)?)?")  # TM
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Due:
    """Until when somebody should have read a case."""

    words: str
    is_overdue: bool


class Calendar:
    """Says times as people at the site read them.

    Args:
        zone: the site's.
        now: aware.
    """

    def __init__(self, zone: tzinfo, now: datetime) -> None:
        self.zone = zone
        self.now = now.astimezone(zone)

    @property
    def zone_name(self) -> str:
        """The zone's name, such as ``Europe/London``."""
        return str(getattr(self.zone, "key", None) or self.now.tzname()).removeprefix("Etc/")

    @property
    def midnight(self) -> datetime:
        """When today began."""
        return datetime.combine(self.now.date(), datetime.min.time(), self.zone)

    def time(self, moment: datetime) -> str:
        """Say a moment; today's by its time alone, this year's without the year."""
        local = moment.astimezone(self.zone)
        clock = f"{local:%H:%M}"
        if local.date() == self.now.date():
            return clock
        return f"{self._day(local.date())} {clock}"

    def moment(self, moment: datetime) -> str:
        """Say a moment whole: ``12 Mar 2025 08:02``."""
        local = moment.astimezone(self.zone)
        return f"{day(local.date())} {local:%H:%M}"

    def due(self, moment: datetime) -> Due:
        """Say when something is due, and how long that is."""
        local = moment.astimezone(self.zone)
        if local < self.now:
            if local.date() == self.now.date():
                return Due(f"overdue since {local:%H:%M}, {_span(self.now - local)}", is_overdue=True)
            return Due(f"overdue since {self._day(local.date())}", is_overdue=True)
        if local.date() == self.now.date():
            return Due(f"due {local:%H:%M}, {_span(local - self.now)} left", is_overdue=False)
        return Due(f"due {self._day(local.date())}", is_overdue=False)

    def taken(self, study_date: str, study_time: str) -> str:
        """Say when a camera says it took a photograph, this year's without the year; empty where it cannot be read."""
        taken = dicom_date(study_date)
        return f"{self._day(taken)} {dicom_time(study_time)}".rstrip() if taken else ""

    def _day(self, when: date) -> str:
        return f"{when.day} {_MONTHS[when.month - 1]}" if when.year == self.now.year else day(when)


def day(when: date) -> str:
    """Say a date: ``12 Mar 2025``, whatever the language of the machine."""
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year:04d}"


def dicom_date(value: str) -> date | None:
    """Read a DICOM date, or nothing where it is none (D18)."""
    found = _DATE.fullmatch(value.strip())
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def dicom_time(value: str) -> str:
    """Say a DICOM time as hours and minutes, or nothing where it is none."""
    found = _TIME.fullmatch(value.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return ""
    return f"{found[1]}:{found[2]}"


def age(born: date | None, at: date | None) -> int | None:
    """Return whole years between two dates, or nothing where one is not known or they are in the wrong order."""
    if born is None or at is None or at < born:
        return None
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
