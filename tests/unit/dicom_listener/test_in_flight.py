"""A study is not complete while an object of it is on the way, in this process or another (R16)."""

from datetime import timedelta

from casebook.clock import Clock
from casebook.database import Database
from dicom_listener.in_flight import InFlight, announce, announced


def test_an_object_belongs_to_no_study_until_it_is_known() -> None:
    flight = InFlight()
    flight.begin("object")
    assert (len(flight), flight.studies()) == (1, frozenset())
    flight.belongs_to("object", "1.2")
    assert flight.studies() == {"1.2"}
    flight.end("object")
    flight.end("object")
    flight.belongs_to("object", "1.2")
    assert (len(flight), flight.studies()) == (0, frozenset())


def test_a_study_stays_in_flight_until_its_last_object_is_answered() -> None:
    flight = InFlight()
    for key in ("one", "two"):
        flight.begin(key)
        flight.belongs_to(key, "1.2")
    flight.end("one")
    assert flight.studies() == {"1.2"}


def test_other_processes_learn_it_and_forget_a_listener_that_died(database: Database, clock: Clock) -> None:
    now = clock.now()
    with database.transaction() as t:
        announce(t, frozenset({"1.2", "1.3"}), now, host="one", pid=1)
        announce(t, frozenset({"1.4"}), now, host="two", pid=1)
    with database.reading() as t:
        assert announced(t, now + timedelta(seconds=9)) == {"1.2", "1.3", "1.4"}
        assert announced(t, now + timedelta(seconds=11)) == frozenset()
    with database.transaction() as t:
        announce(t, frozenset(), now + timedelta(seconds=5), host="one", pid=1)
    with database.reading() as t:
        assert announced(t, now + timedelta(seconds=6)) == {"1.4"}
