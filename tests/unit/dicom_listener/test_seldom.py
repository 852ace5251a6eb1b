"""A thing that happens all the time is told once a minute."""

from typing import Any

from dicom_listener.seldom import Seldom


def test_security_N8_a_thing_is_told_once_a_minute_with_how_often_it_happened(clock: Any) -> None:
    seldom = Seldom(clock)
    assert [seldom.due("gone") for _ in range(5)] == [1, 0, 0, 0, 0]
    clock.move(59.9)
    assert seldom.due("gone") == 0
    clock.move(0.1)
    assert seldom.due("gone") == 6
    assert seldom.due("gone") == 0


def test_every_thing_has_a_minute_of_its_own(clock: Any) -> None:
    seldom = Seldom(clock)
    assert [seldom.due(thing) for thing in ("a", "b", "a", ("a", "b"))] == [1, 1, 0, 1]


def test_no_more_things_are_remembered_than_may_and_old_ones_make_room(clock: Any) -> None:
    seldom = Seldom(clock, most=2)
    assert [seldom.due(thing) for thing in "abcd"] == [1, 1, 0, 0]
    clock.move(60)
    assert [seldom.due(thing) for thing in "cdab"] == [1, 1, 0, 0]
