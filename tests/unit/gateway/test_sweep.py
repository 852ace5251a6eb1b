"""Whatever bells are lost and whoever is killed: the sweep finds from rows what is to be done, and doing it twice is harmless."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arrivals import RIGHT

from casebook import jobs
from casebook.arrival import arrive
from casebook.models import AttentionRow, Job, Photograph, Revision
from casebook.settings import Settings
from casebook.words import Attention, CaseStatus, Gradability, JobKind, JobState, Reason
from gateway.house import House, open_house
from gateway.sweep import LISTENER_GRACE, begin_alone, sweep

LONG = LISTENER_GRACE + 1


@pytest.fixture
def house(tmp_path: Path, clock: Any) -> Iterator[House]:
    with open_house(Settings(home=tmp_path), clock, migrate=True) as house:
        yield house


def _arrive(house: House) -> None:
    stored = house.archive.store(b"photograph", ".dcm")
    with house.database.transaction() as t:
        arrive(t, RIGHT, stored, house.clock.now())


def _sweep(house: House, alone_for: float = LONG) -> set[JobKind]:
    """Sweep, and return what a worker would find to do."""
    sweep(house, alone_for=alone_for)
    with house.database.reading() as t:
        return jobs.due(t, house.clock.now())


def _photograph(house: House) -> Photograph:
    with house.database.reading() as t:
        return t.query(Photograph).one()


def test_R12_a_lost_job_is_made_again_and_once(house: House) -> None:
    _arrive(house)
    with house.database.transaction() as t:
        t.query(Job).delete()
    assert _sweep(house) == _sweep(house) == {JobKind.GRADE}
    with house.database.reading() as t:
        assert t.query(Job).count() == 1


def test_R12_a_killed_workers_job_is_given_back_after_its_lease(house: House, clock: Any) -> None:
    _arrive(house)
    with house.database.transaction() as t:
        assert jobs.claim(t, JobKind.GRADE, "killed", clock.now()) is not None
    assert _sweep(house) == set()
    clock.move(jobs.LEASE_SECONDS + 1)
    assert _sweep(house) == {JobKind.GRADE}


def test_R10_a_start_voids_the_leases_of_the_one_before(house: House, clock: Any) -> None:
    _arrive(house)
    with house.database.transaction() as t:
        assert jobs.claim(t, JobKind.GRADE, "killed", clock.now()) is not None
    begin_alone(house)
    assert _sweep(house) == {JobKind.GRADE}


def test_R13_a_photograph_that_only_ever_ends_its_worker_is_put_aside_then_tried_once_more(
    house: House, clock: Any
) -> None:
    _arrive(house)
    for _ in range(1 + jobs.INTERRUPTIONS_TO_QUARANTINE):
        with house.database.transaction() as t:
            assert jobs.claim(t, JobKind.GRADE, "killed", clock.now()) is not None
        begin_alone(house)
    photograph = _photograph(house)
    assert (photograph.gradability, photograph.reason) == (Gradability.UNREADABLE, Reason.GRADING_FAILED)
    with house.database.reading() as t:
        assert [row.reason for row in t.query(AttentionRow)] == [Attention.GRADING_FAILED]
        assert t.query(Job).one().state is JobState.QUARANTINED
    clock.move(3601)
    assert _sweep(house) == {JobKind.GRADE}
    assert _photograph(house).gradability is Gradability.PENDING


def test_R16_a_study_whose_listener_is_gone_becomes_ready_but_not_because_we_were_away(
    house: House, clock: Any
) -> None:
    _arrive(house)
    clock.move(10_000)
    _sweep(house, alone_for=1)
    with house.database.reading() as t:
        assert t.query(Revision).one().status is CaseStatus.ARRIVING
    _sweep(house)
    with house.database.reading() as t:
        assert t.query(Revision).one().status is CaseStatus.READY


def test_F2_a_file_whose_row_was_never_written_is_removed_at_a_start(house: House) -> None:
    _arrive(house)
    stranger = house.archive.store(b"killed between rename and commit", ".dcm")
    part = house.archive.incoming / "cut.part"
    part.write_bytes(b"half")
    os.utime(part, (1000, 1000))
    begin_alone(house)
    assert not house.archive.path(stranger.path).exists()
    assert not part.exists()
    assert house.archive.path(_photograph_file(house)).exists()


def test_R20_a_start_says_what_does_not_hold(house: House) -> None:
    _arrive(house)
    assert begin_alone(house) == 0
    house.archive.path(_photograph_file(house)).write_bytes(b"bit rot")
    assert begin_alone(house) == 1


def _photograph_file(house: House) -> str:
    with house.database.reading() as t:
        return t.query(Photograph).one().file.path
