"""Jobs: each alive once, claimed by one, finished under its fence, and a killing one is put aside."""

import threading
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from casebook import jobs
from casebook.database import Database
from casebook.errors import LostLease
from casebook.models import Job
from casebook.words import JobKind, JobState

GRADE = JobKind.GRADE


def _claim(database: Database, clock: Any, **options: Any) -> jobs.Claim | None:
    with database.transaction() as t:
        return jobs.claim(t, GRADE, "worker", clock.now(), **options)


def _enqueue(database: Database, clock: Any, subject: int, **options: Any) -> bool:
    with database.transaction() as t:
        return jobs.enqueue(t, GRADE, subject, clock.now(), **options)


def _job(database: Database) -> Job:
    with database.reading() as t:
        return t.query(Job).one()


def test_R10_enqueueing_twice_is_one_job(database: Database, clock: Any) -> None:
    assert _enqueue(database, clock, 1)
    assert not _enqueue(database, clock, 1)
    claim = _claim(database, clock)
    assert claim is not None
    assert not _enqueue(database, clock, 1)
    with database.transaction() as t:
        jobs.finish(t, claim, clock.now())
    assert _enqueue(database, clock, 1)


def test_R10_urgent_first_then_first_come_and_nothing_before_its_time(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    clock.move(1)
    _enqueue(database, clock, 2)
    _enqueue(database, clock, 3, priority=0)
    with database.transaction() as t:
        jobs.enqueue(t, GRADE, 4, clock.now(), priority=0, run_after=clock.time.replace(year=2027))
    assert [claim.subject for claim in iter(lambda: _claim(database, clock), None)] == ["3", "1", "2"]


def test_R17_a_fifth_claim_takes_the_oldest(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1, priority=9)
    _enqueue(database, clock, 2, priority=0)
    claim = _claim(database, clock, oldest=True)
    assert claim is not None
    assert claim.subject == "1"


def test_I6_a_worker_whose_lease_was_taken_changes_nothing(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    zombie = _claim(database, clock)
    assert zombie is not None
    clock.move(jobs.LEASE_SECONDS + 1)
    with database.transaction() as t:
        assert jobs.release_expired(t, clock.now()) == []
    heir = _claim(database, clock)
    assert heir is not None
    assert heir.fence > zombie.fence
    for late in (
        lambda t: jobs.renew(t, zombie, clock.now()),
        lambda t: jobs.finish(t, zombie, clock.now()),
        lambda t: jobs.postpone(t, zombie, clock.now(), error="", delay=1),
        lambda t: jobs.crashed(t, zombie, clock.now(), error=""),
    ):
        with pytest.raises(LostLease), database.transaction() as t:
            late(t)
    with database.transaction() as t:
        jobs.finish(t, heir, clock.now())
    assert _job(database).state is JobState.DONE


def test_R10_a_renewed_lease_is_not_taken(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    claim = _claim(database, clock)
    assert claim is not None
    clock.move(jobs.LEASE_SECONDS - 1)
    with database.transaction() as t:
        jobs.renew(t, claim, clock.now())
    clock.move(jobs.LEASE_SECONDS - 1)
    with database.transaction() as t:
        jobs.release_expired(t, clock.now())
    assert _job(database).state is JobState.LEASED


def test_R13_the_third_crash_quarantines(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    quarantined = []
    for _ in range(3):
        claim = _claim(database, clock)
        assert claim is not None
        with database.transaction() as t:
            quarantined.append(jobs.crashed(t, claim, clock.now(), error="the decoder died"))
        clock.move(120)
    assert quarantined == [False, False, True]
    assert _claim(database, clock) is None
    assert _job(database).last_error == "the decoder died"


def test_R13_clean_errors_count_against_nobody(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    for _ in range(20):
        claim = _claim(database, clock)
        assert claim is not None
        with database.transaction() as t:
            jobs.postpone(t, claim, clock.now(), error="the database was away", delay=5)
        clock.move(6)
    job = _job(database)
    assert (job.crashes, job.interruptions, job.state) == (0, 0, JobState.WAITING)


def test_R13_an_interrupted_job_comes_last_and_runs_alone(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    assert _claim(database, clock) is not None
    with database.transaction() as t:
        jobs.release_expired(t, clock.now(), all_leases=True)
    _enqueue(database, clock, 2)
    _enqueue(database, clock, 3)
    first, second = _claim(database, clock), _claim(database, clock)
    assert first is not None
    assert second is not None
    assert (first.subject, second.subject) == ("2", "3")
    assert _claim(database, clock) is None, "the suspect waits until nothing else is in hand"
    with database.transaction() as t:
        jobs.finish(t, first, clock.now())
        jobs.finish(t, second, clock.now())
    suspect = _claim(database, clock)
    assert suspect is not None
    assert suspect.alone
    _enqueue(database, clock, 4)
    assert _claim(database, clock) is None, "nothing runs beside the suspect"


def test_R13_interruptions_while_alone_quarantine_and_an_hour_releases_once(database: Database, clock: Any) -> None:
    _enqueue(database, clock, 1)
    for kill in range(1 + jobs.INTERRUPTIONS_TO_QUARANTINE):
        assert _claim(database, clock) is not None, f"before kill {kill}"
        with database.transaction() as t:
            condemned = jobs.release_expired(t, clock.now(), all_leases=True)
    assert condemned == [(GRADE, "1")]
    with database.transaction() as t:
        assert jobs.release_suspects(t, clock.now()) == []
    clock.move(3601)
    with database.transaction() as t:
        assert jobs.release_suspects(t, clock.now()) == ["1"]
    assert _claim(database, clock) is not None
    with database.transaction() as t:
        assert jobs.release_expired(t, clock.now(), all_leases=True) == [(GRADE, "1")]
    clock.move(7200)
    with database.transaction() as t:
        assert jobs.release_suspects(t, clock.now()) == []


def test_R13_many_subjects_crashing_means_the_worker_is_ill(database: Database, clock: Any) -> None:
    for subject in range(jobs.ILL_SUBJECTS + 1):
        _enqueue(database, clock, subject)
        claim = _claim(database, clock)
        assert claim is not None
        with database.transaction() as t:
            jobs.crashed(t, claim, clock.now(), error="died")
    with database.reading() as t:
        assert jobs.worker_is_ill(t, clock.now())
    clock.move(3600)
    with database.reading() as t:
        assert not jobs.worker_is_ill(t, clock.now())


def test_R10_of_many_workers_each_job_goes_to_one(database: Database, clock: Any) -> None:
    for subject in range(30):
        _enqueue(database, clock, subject)
    taken: list[str] = []

    def work() -> None:
        while (claim := _claim(database, clock)) is not None:
            taken.append(claim.subject)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(subject) for subject in range(30)]


class JobLife(RuleBasedStateMachine):
    """Whatever workers, kills and sweeps do: one job alive a subject, one holder a job, fences only grow."""

    database: Database
    clock: Any

    def __init__(self) -> None:
        super().__init__()
        with self.database.transaction() as t:
            t.query(Job).delete()
        self.hands: list[jobs.Claim] = []
        self.fences: dict[int, int] = {}

    @rule(subject=st.integers(0, 3))
    def enqueue(self, subject: int) -> None:
        _enqueue(self.database, self.clock, subject)

    @rule()
    def claim(self) -> None:
        claim = _claim(self.database, self.clock)
        if claim is not None:
            assert claim.fence > self.fences.get(claim.id, 0)
            self.fences[claim.id] = claim.fence
            self.hands.append(claim)

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), end=st.sampled_from(["finish", "postpone", "crash", "die"]))
    def end(self, data: st.DataObject, end: str) -> None:
        claim = self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1)))
        if end == "die":
            return
        now = self.clock.now()
        try:
            with self.database.transaction() as t:
                if end == "finish":
                    jobs.finish(t, claim, now)
                elif end == "postpone":
                    jobs.postpone(t, claim, now, error="away", delay=1)
                else:
                    jobs.crashed(t, claim, now, error="died")
        except LostLease:
            assert self.fences[claim.id] >= claim.fence

    @rule(seconds=st.sampled_from([1, 70, 4000]))
    def wait_and_sweep(self, seconds: int) -> None:
        self.clock.move(seconds)
        with self.database.transaction() as t:
            jobs.release_expired(t, self.clock.now())
            jobs.release_suspects(t, self.clock.now())

    @invariant()
    def one_alive_a_subject(self) -> None:
        with self.database.reading() as t:
            alive = [
                job.subject for job in t.query(Job).all() if job.state in (JobState.WAITING, JobState.LEASED)
            ]  # fmt: skip
        assert len(alive) == len(set(alive))


def test_R10_no_order_of_events_gives_one_job_to_two(tmp_path: Any, clock: Any) -> None:
    database = Database(f"sqlite:///{tmp_path / 'life.sqlite3'}")
    database.create_schema()
    life = type("Life", (JobLife,), {"database": database, "clock": clock})
    life.TestCase.settings = hypothesis_settings(max_examples=15, stateful_step_count=20, deadline=None)
    case = life.TestCase()
    case.runTest()
    database.close()
