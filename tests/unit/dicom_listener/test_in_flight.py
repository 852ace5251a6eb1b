"""A study is not complete while an object of it is on the way, from its first byte to its answer (R16)."""

from dicom_listener.in_flight import InFlight


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
