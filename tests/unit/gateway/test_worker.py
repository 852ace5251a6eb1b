"""A worker works until nothing is left, loses no bell, and no job takes the others down."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from running_service import wait_for

from casebook import jobs
from casebook.errors import LostLease, Unavailable
from casebook.jobs import Claim
from casebook.models import Job
from casebook.settings import Settings
from casebook.words import JobKind, JobState
from gateway.house import House, open_house
from gateway.worker import Worker

GRADE = JobKind.GRADE


@pytest.fixture
def house(tmp_path: Path, clock: Any) -> Iterator[House]:
    with open_house(Settings(home=tmp_path), clock, migrate=True) as house:
        yield house


class Desk:
    """A station that does what a test tells it."""

    def __init__(self, house: House, kind: JobKind = GRADE) -> None:
        self.kind = kind
        self.house = house
        self.done: list[str] = []
        self.ready = True
        self.hands = 1
        self.then: Any = lambda claim: None

    def is_ready(self) -> bool:
        return self.ready

    def work(self, claim: Claim) -> None:
        self.then(claim)
        with self.house.database.transaction() as t:
            jobs.finish(t, claim, self.house.clock.now())
        self.done.append(claim.subject)


def _enqueue(house: House, *subjects: object, kind: JobKind = GRADE) -> None:
    with house.database.transaction() as t:
        for subject in subjects:
            jobs.enqueue(t, kind, str(subject), house.clock.now())


def _jobs(house: House) -> list[Job]:
    with house.database.reading() as t:
        return t.query(Job).order_by(Job.id).all()


def test_R11_one_bell_is_enough_for_all_that_waits(house: House) -> None:
    desk = Desk(house)
    _enqueue(house, 1, 2, 3)
    Worker(house, [desk]).answer(GRADE)
    assert desk.done == ["1", "2", "3"]


def test_what_is_graded_is_reported_at_once_by_the_same_worker(house: House) -> None:
    grader, reporter = Desk(house), Desk(house, JobKind.REPORT)
    grader.then = lambda claim: _enqueue(house, 9, kind=JobKind.REPORT)
    _enqueue(house, 1)
    Worker(house, [grader, reporter]).answer(GRADE)
    wait_for(lambda: reporter.done == ["9"], 10, "the report")


def test_R11_a_worker_that_hears_no_bell_looks_by_itself(house: House, clock: Any) -> None:
    desk = Desk(house)
    worker = Worker(house, [desk])
    with house.database.transaction() as t:
        jobs.enqueue(t, GRADE, "later", clock.now(), run_after=clock.now() + timedelta(seconds=60))
    worker.look()
    _enqueue(house, 1)
    worker.look()
    wait_for(lambda: desk.done == ["1"], 10, "the job that is due")
    clock.move(61)
    worker.look()
    wait_for(lambda: desk.done == ["1", "later"], 10, "the job that became due")


def test_a_claim_that_fails_in_a_way_nobody_foresaw_is_logged_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(house)
    worker = Worker(house, [desk])
    _enqueue(house, 1)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "claim", lambda *_, **__: 1 / 0)
        worker.wake(GRADE)
        wait_for(lambda: "nobody foresaw" in caplog.text, 10, "a line in the log")
    worker.look()
    wait_for(lambda: desk.done == ["1"], 10, "the job")


def test_a_bell_rung_while_another_thread_works_is_not_lost(house: House) -> None:
    desk = Desk(house)
    worker = Worker(house, [desk])
    begun, go_on = threading.Event(), threading.Event()

    def waits(claim: Claim) -> None:
        begun.set()
        assert go_on.wait(10)

    desk.then = waits
    _enqueue(house, 1)
    first = threading.Thread(target=worker.answer, args=(GRADE,))
    first.start()
    assert begun.wait(10)
    _enqueue(house, 2)
    worker.answer(GRADE)  # comes back at once: the lane is taken
    assert desk.done == []
    go_on.set()
    first.join()
    assert desk.done == ["1", "2"]


def test_a_station_that_is_not_ready_gets_no_job(house: House) -> None:
    desk = Desk(house)
    desk.ready = False
    _enqueue(house, 1)
    Worker(house, [desk]).answer(GRADE)
    assert [job.attempts for job in _jobs(house)] == [0]


@pytest.mark.parametrize("error", [Unavailable("The disk is away."), ZeroDivisionError("CANARY7F3A")])
def test_a_job_that_fails_is_put_off_and_the_next_goes_on(
    house: House, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(house)

    def fails(claim: Claim) -> None:
        if claim.subject == "1":
            raise error

    desk.then = fails
    _enqueue(house, 1, 2)
    Worker(house, [desk]).answer(GRADE)
    assert desk.done == ["2"]
    first, second = _jobs(house)
    assert (first.state, second.state) == (JobState.WAITING, JobState.DONE)
    assert first.crashes == 0
    assert first.run_after > house.clock.now()
    assert first.last_error is not None
    assert "CANARY7F3A" not in first.last_error


def test_I6_a_lost_lease_ends_the_work_without_a_trace(house: House) -> None:
    desk = Desk(house)
    _enqueue(house, 1)

    def loses(claim: Claim) -> None:
        raise LostLease("Another worker owns this job now.")

    desk.then = loses
    worker = Worker(house, [desk])
    worker.answer(GRADE)
    assert [job.state for job in _jobs(house)] == [JobState.LEASED]
    assert worker.wait_until_idle(0)


def test_R10_leases_in_hand_are_renewed(house: House, clock: Any) -> None:
    desk = Desk(house)
    worker = Worker(house, [desk])

    def long_work(claim: Claim) -> None:
        for _ in range(10):
            clock.move(15)
            worker.renew_leases()
            with house.database.transaction() as t:
                assert jobs.release_expired(t, clock.now()) == []

    desk.then = long_work
    _enqueue(house, 1)
    worker.answer(GRADE)
    assert desk.done == ["1"]


def test_two_destinations_are_served_side_by_side(house: House) -> None:
    desk = Desk(house, JobKind.DELIVER)
    worker = Worker(house, [desk])
    both = threading.Barrier(2, timeout=10)
    desk.then = lambda claim: both.wait() and None
    _enqueue(house, "a", "b", kind=JobKind.DELIVER)
    lanes = [threading.Thread(target=worker.answer, args=(JobKind.DELIVER,)) for _ in range(2)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert sorted(desk.done) == ["a", "b"]


def test_one_bell_fills_every_hand_of_a_station_and_no_more(house: House) -> None:
    desk = Desk(house)
    desk.hands = 3
    together, most = threading.Barrier(3, timeout=20), threading.Semaphore(3)

    def works(claim: Claim) -> None:
        assert most.acquire(blocking=False), "never a fourth"
        together.wait()
        most.release()

    desk.then = works
    _enqueue(house, 1, 2, 3, 4, 5, 6)
    Worker(house, [desk]).wake(GRADE)
    wait_for(lambda: len(desk.done) == 6, 30, "all of them")
    assert sorted(desk.done) == ["1", "2", "3", "4", "5", "6"]


def test_R13_an_ill_worker_claims_nothing(house: House, clock: Any) -> None:
    desk = Desk(house)
    for subject in range(jobs.ILL_SUBJECTS + 1):
        _enqueue(house, subject)
        with house.database.transaction() as t:
            claim = jobs.claim(t, GRADE, "w", clock.now())
            assert claim is not None
            jobs.crashed(t, claim, clock.now(), error="died")
    clock.move(60)
    worker = Worker(house, [desk])
    worker.answer(GRADE)
    assert desk.done == []
    clock.move(jobs.ILL_WITHIN.total_seconds())
    worker.answer(GRADE)
    assert len(desk.done) == jobs.ILL_SUBJECTS + 1
