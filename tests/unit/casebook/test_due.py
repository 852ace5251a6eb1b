"""Until when a case should be read: working days by urgency, by the site's clock, whatever the zone (ux 4.6)."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebook.clock import site_zone
from casebook.due import CLOSE, due_at
from casebook.follow_up import ADA_2017

LONDON = ZoneInfo("Europe/London")
ZONES = st.sampled_from(["Europe/London", "Asia/Tokyo", "America/St_Johns", "Pacific/Apia", "UTC"]).map(ZoneInfo)
MOMENTS = st.integers(0, 15 * 366 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
CLASSES = st.sampled_from([0, 1, 2, 3, 4, None])


def london(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=LONDON)


@pytest.mark.parametrize(
    ("urgency", "answered", "due"),
    [
        (0, london(12, 8), 12),  # Thursday
        (0, london(12, 16), 12),
        (0, london(12, 16, 1), 13),
        (0, london(13, 17), 16),  # over the weekend
        (0, london(14, 9), 16),
        (1, london(12, 8), 13),
        (1, london(13, 8), 16),
        (2, london(12, 8), 19),
        (3, london(12, 8), 19),
        (3, london(15, 8), 23),  # a Sunday counts from Monday
    ],
)
def test_ux_U1_a_case_is_due_at_the_close_of_a_working_day(urgency: int, answered: datetime, due: int) -> None:
    assert due_at(urgency, answered, LONDON) == london(due, 16)


def test_ux_U1_normal_eyes_and_failed_deliveries_have_fifteen_working_days() -> None:
    assert due_at(4, london(12, 8), LONDON) == due_at(None, london(12, 8), LONDON)
    assert due_at(None, london(12, 8), LONDON).date() == date(2026, 4, 2)


@given(CLASSES, MOMENTS, ZONES)
def test_ux_U1_due_is_a_working_days_close_never_before_the_answer(
    urgency: int | None, answered: datetime, zone: ZoneInfo
) -> None:
    due = due_at(urgency, answered, zone)
    assert due >= answered
    assert due.timetz().replace(tzinfo=None) == CLOSE
    assert due.weekday() < 5
    assert due - answered <= timedelta(days=25)


@given(MOMENTS, ZONES)
def test_ux_U1_what_is_more_urgent_is_never_due_later(answered: datetime, zone: ZoneInfo) -> None:
    dues = [due_at(urgency, answered, zone) for urgency in (0, 1, 2, 3, 4, None)]
    assert dues == sorted(dues)


@given(CLASSES, MOMENTS, st.integers(0, 10**6), ZONES)
def test_ux_U1_what_is_answered_later_is_never_due_earlier(
    urgency: int | None, answered: datetime, seconds: int, zone: ZoneInfo
) -> None:
    assert due_at(urgency, answered + timedelta(seconds=seconds), zone) >= due_at(urgency, answered, zone)


def test_the_policy_is_named_beside_what_it_asks_for() -> None:
    assert [ADA_2017.action(grade) for grade in range(5)] == [
        "Eye examination within 1 year, then every 1-2 years (ADA-2017)",
        "Eye examination within 1 year, then yearly (ADA-2017)",
        "Refer within 3-6 months (ADA-2017)",
        "Refer immediately (ADA-2017)",
        "Refer immediately (ADA-2017)",
    ]


@pytest.mark.parametrize(
    ("setting", "name", "hours"),
    [("Asia/Tokyo", "Asia/Tokyo", 9), (":Asia/Tokyo", "Asia/Tokyo", 9), ("JST-9", None, 9), ("Nowhere/City", None, 0)],
)
def test_the_sites_zone_is_the_machines_and_never_stops_anybody(
    monkeypatch: pytest.MonkeyPatch, setting: str, name: str | None, hours: int
) -> None:
    monkeypatch.setattr("tzlocal.unix._cache_tz", None)
    monkeypatch.setenv("TZ", setting)
    time.tzset()
    try:
        zone = site_zone()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert getattr(zone, "key", None) == name
    assert datetime(2026, 3, 12, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=hours)
