"""Dates and times as a reader meets them (ux U27, D18, T28)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.times import Calendar, Due, age, day, dicom_date, dicom_time

NOW = datetime(2026, 7, 9, 10, 4, tzinfo=UTC)  # 11:04 in London
LONDON = Calendar(ZoneInfo("Europe/London"), NOW)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOW, "11:04"),
        (NOW - timedelta(days=1), "8 Jul 11:04"),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "31 Dec 2025 23:59"),
    ],
)
def test_ux_U27_a_time_is_said_in_the_sites_zone(moment: datetime, said: str) -> None:
    assert LONDON.time(moment) == said
    assert LONDON.zone_name == "Europe/London"


def test_ux_U27_months_have_names_and_moments_a_year() -> None:
    assert day(date(2025, 3, 12)) == "12 Mar 2025"
    assert LONDON.moment(NOW) == "9 Jul 2026 11:04"


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (NOW + timedelta(hours=4, minutes=56), Due("due 16:00, 4 h left", is_overdue=False)),
        (NOW + timedelta(minutes=56), Due("due 12:00, 56 min left", is_overdue=False)),
        (NOW + timedelta(days=6), Due("due 15 Jul", is_overdue=False)),
        (NOW - timedelta(hours=2), Due("overdue since 09:04, 2 h", is_overdue=True)),
        (NOW - timedelta(days=2), Due("overdue since 7 Jul", is_overdue=True)),
        (NOW - timedelta(days=300), Due("overdue since 12 Sep 2025", is_overdue=True)),
    ],
)
def test_ux_U27_how_long_stands_only_beside_when(due: datetime, said: Due) -> None:
    assert LONDON.due(due) == said


@pytest.mark.parametrize(
    "value", ["", "00000000", "20230230", "2023", "99991399", "yesterday", "2026-03-12", "20260312-20260313"]
)
def test_D18_what_is_no_date_is_not_known(value: str) -> None:
    assert dicom_date(value) is None
    assert LONDON.taken(value, "0802") == ""


def test_D18_what_is_a_date_is_read() -> None:
    assert dicom_date("20260312") == dicom_date("2026.03.12") == date(2026, 3, 12)
    assert [dicom_time(value) for value in ("080200", "0802", "080200.123", "08:02:00", "246099", "8", "")] == [
        "08:02", "08:02", "08:02", "08:02", "", "", "",
    ]  # fmt: skip
    assert LONDON.taken("20260312", "080200") == "12 Mar 08:02"
    assert LONDON.taken("20250312", "") == "12 Mar 2025"


@given(st.dates(), st.dates())
def test_T28_no_age_is_ever_negative(born: date, at: date) -> None:
    years = age(born, at)
    assert years is None or years >= 0
    assert (years is None) == (at < born)


def test_an_age_counts_whole_years() -> None:
    assert age(date(1961, 4, 2), date(2026, 4, 1)) == 64
    assert age(date(1961, 4, 2), date(2026, 4, 2)) == 65
    assert age(None, date(2026, 4, 2)) is None
