"""What becomes of a connection is counted by names from the settings, and logged seldom."""

import logging
from typing import Any

import pytest

from casebook import telemetry
from dicom_listener.association_request import Rejection
from dicom_listener.outcomes import Outcome, Outcomes


class Notes:
    """An audit that only remembers."""

    def __init__(self) -> None:
        self.of: list[tuple[Outcome, str, str | None]] = []

    def note(self, outcome: Outcome, host: str, title: str | None) -> None:
        self.of.append((outcome, host, title))


def counted(caller: str, outcome: Outcome) -> float:
    return telemetry.REGISTRY.get_sample_value(
        "retinagate_associations_total", {"caller": caller, "outcome": str(outcome)}
    ) or 0.0  # fmt: skip


def test_every_rejection_is_an_outcome() -> None:
    assert {rejection.name for rejection in Rejection} <= {outcome.name for outcome in Outcome}


@pytest.mark.parametrize("outcome", Outcome)
def test_ux_O3_every_outcome_is_counted_by_caller(outcome: Outcome, clock: Any) -> None:
    before, others = counted("CAMERA", outcome), counted("other", outcome)
    outcomes = Outcomes(clock, Notes())
    outcomes.note(outcome, "10.0.0.5", "CAMERA")
    outcomes.note(outcome, "10.0.0.5")
    assert (counted("CAMERA", outcome), counted("other", outcome)) == (before + 1, others + 1)


def test_security_N8_a_kind_of_one_address_is_logged_once_a_minute(
    clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    outcomes = Outcomes(clock, Notes())
    for _ in range(200):
        outcomes.note(Outcome.GONE, "10.0.0.5", error=ConnectionResetError("peer's own words"))
        outcomes.note(Outcome.GONE, "10.0.0.6")
        outcomes.note(Outcome.EVICTED, "10.0.0.5")
        outcomes.note(Outcome.ACCEPTED, "10.0.0.5")
    clock.move(60)
    outcomes.note(Outcome.GONE, "10.0.0.5")
    told = [(r.outcome, r.address, r.count, getattr(r, "error", "")) for r in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        ("gone", "10.0.0.5", 1, "ConnectionResetError"),
        ("gone", "10.0.0.6", 1, ""),
        ("evicted", "10.0.0.5", 1, ""),
        ("gone", "10.0.0.5", 200, ""),
    ]
    assert "peer's own words" not in caplog.text


def test_security_S4_a_refusal_is_counted_and_goes_to_the_audit(clock: Any) -> None:
    notes = Notes()
    before = counted("other", Outcome.CALLER_UNKNOWN)
    Outcomes(clock, notes).refused(Rejection.CALLER_UNKNOWN, "10.0.0.5", "STRANGER", "other")
    assert notes.of == [(Outcome.CALLER_UNKNOWN, "10.0.0.5", "STRANGER")]
    assert counted("other", Outcome.CALLER_UNKNOWN) == before + 1
