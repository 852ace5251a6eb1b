"""Signing in: counted, judged, audited; a session ends when it must; nobody can shut somebody else out."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from visitor import PASSWORD, QUICK, add_person

from casebook import audit, people, sessions
from casebook.database import Database
from casebook.errors import BadInput, Refused
from casebook.models import AuditRow, FailedLogin, Role, Session, User
from casebook.passwords import Passwords
from casebook.sign_in import Desk, TooOften

HERE, ELSEWHERE = "10.0.0.1", "10.0.0.66"


class CountingPasswords(Passwords):
    """Counts hashes, for times are no test."""

    def __init__(self) -> None:
        super().__init__(QUICK._hasher)
        self.checked = 0

    def is_right(self, stored: str | None, password: str) -> bool:
        self.checked += 1
        return super().is_right(stored, password)

    def hash(self, password: str) -> str:
        self.checked += 1
        return super().hash(password)


@pytest.fixture
def desk(database: Database, clock: Any) -> Desk:
    add_person(database, clock, "Doctor", Role.GRADER)
    return Desk(database, QUICK, clock)


def _acts(database: Database) -> list[tuple[str, str, str, str]]:
    with database.reading() as t:
        assert audit.first_broken(t) is None
        return [(row.actor, row.action, row.outcome, row.address) for row in t.query(AuditRow).order_by(AuditRow.seq)]


def _fail(desk: Desk, name: str = "doctor", address: str = HERE, password: str = "wrong") -> str:
    with pytest.raises(Refused) as refused:
        desk.sign_in(name, password, address)
    return str(refused.value)


def test_security_S10_only_the_hash_of_a_sessions_secret_is_stored(desk: Desk, database: Database) -> None:
    signed_in = desk.sign_in(" DOCTOR ", PASSWORD, HERE)
    assert len(signed_in.secret) >= 43
    assert signed_in.secret not in repr(signed_in)
    with database.reading() as t:
        row = t.query(Session).one()
        assert row.secret_sha256 == sessions.digest(signed_in.secret)
        assert row.user.name == "doctor"
    assert _acts(database) == [("doctor", "login", "ok", HERE)]


def test_security_H5_a_login_begins_a_new_session_and_ends_the_browsers_old_one(
    desk: Desk, database: Database, clock: Any
) -> None:
    first = desk.sign_in("doctor", PASSWORD, HERE)
    second = desk.sign_in("doctor", PASSWORD, HERE, replaces=first.secret)
    assert first.secret != second.secret
    assert not _alive(database, clock, first.secret)
    assert _alive(database, clock, second.secret)


def _alive(database: Database, clock: Any, secret: str) -> bool:
    with database.reading() as t:
        return sessions.find(t, sessions.digest(secret), clock.now()) is not None


def test_security_S10_a_session_ends_after_half_an_hour_of_idleness(desk: Desk, database: Database, clock: Any) -> None:
    secret = desk.sign_in("doctor", PASSWORD, HERE).secret
    clock.move(29 * 60)
    with database.transaction() as t:
        sessions.touch(t, sessions.digest(secret), clock.now())
    clock.move(29 * 60)
    assert _alive(database, clock, secret)
    clock.move(61)
    assert not _alive(database, clock, secret)


def test_security_S10_a_session_ends_after_twelve_hours_however_busy(
    desk: Desk, database: Database, clock: Any
) -> None:
    secret = desk.sign_in("doctor", PASSWORD, HERE).secret
    for _ in range(12 * 4 - 1):
        clock.move(15 * 60)
        assert _alive(database, clock, secret)
        with database.transaction() as t:
            sessions.touch(t, sessions.digest(secret), clock.now())
    clock.move(15 * 60)
    assert not _alive(database, clock, secret)
    desk.sign_in("doctor", PASSWORD, HERE)
    with database.reading() as t:
        assert t.query(Session).count() == 1  # what has ended is removed


def test_security_S10_a_touch_does_not_revive_a_session_that_ended(desk: Desk, database: Database, clock: Any) -> None:
    secret = desk.sign_in("doctor", PASSWORD, HERE).secret
    desk.sign_out("doctor", sessions.digest(secret), HERE)
    with database.transaction() as t:
        sessions.touch(t, sessions.digest(secret), clock.now())
    assert not _alive(database, clock, secret)
    assert _acts(database)[-1] == ("doctor", "logout", "ok", HERE)


@pytest.mark.parametrize("change", ["password", "role", "disabled", "own password"])
def test_security_S10_password_role_and_disabling_end_every_session(
    desk: Desk, database: Database, clock: Any, change: str
) -> None:
    secrets = [desk.sign_in("doctor", PASSWORD, address).secret for address in (HERE, ELSEWHERE)]
    if change == "own password":
        new = desk.change_password("doctor", PASSWORD, "another horse entirely", HERE).secret
        assert _alive(database, clock, new)
    else:
        with database.transaction() as t:
            match change:
                case "password":
                    people.set_password(t, "Doctor", "another horse entirely", passwords=QUICK)
                case "role":
                    people.set_role(t, "Doctor", Role.VIEWER)
                case _:
                    people.disable(t, "Doctor", clock.now())
    assert [_alive(database, clock, secret) for secret in secrets] == [False, False]


def test_who_is_disabled_gets_in_only_after_another_password_was_set(
    desk: Desk, database: Database, clock: Any
) -> None:
    wrong = _fail(desk)
    with database.transaction() as t:
        people.disable(t, "doctor", clock.now())
    assert _fail(desk, password=PASSWORD) == wrong
    with database.transaction() as t:
        people.set_password(t, "doctor", PASSWORD, passwords=QUICK)
    desk.sign_in("doctor", PASSWORD, HERE)


def test_H8_an_unknown_name_costs_as_many_hashes_and_gets_the_same_sentence(database: Database, clock: Any) -> None:
    add_person(database, clock, "Doctor")
    passwords = CountingPasswords()
    desk = Desk(database, passwords, clock)
    sentences, hashes = [], []
    for name in ("doctor", "nobody", "nob\0dy", ""):
        before = passwords.checked
        sentences.append(_fail(desk, name))
        hashes.append(passwords.checked - before - (name != "doctor"))  # is_right asks hash for the unknown ones
    assert len(set(sentences)) == 1
    assert hashes == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["doctor", "nobody"])
def test_H8_five_failures_of_an_account_from_an_address_then_it_waits(desk: Desk, clock: Any, name: str) -> None:
    sentences = [_fail(desk, name) for _ in range(100)]
    assert sentences[:5] == ["This name and this password do not belong together. Check both and try again."] * 5
    assert sentences[5:] == ["Too many wrong passwords came from this computer. Try again in 15 minutes."] * 95
    clock.move(14 * 60 + 30)
    with pytest.raises(TooOften, match="in a minute") as refused:
        desk.sign_in(name, PASSWORD, HERE)
    assert refused.value.retry_after == 30
    clock.move(30)
    assert _fail(desk, name) == sentences[0]


def test_H8_thirty_failures_from_an_address_whatever_the_names(desk: Desk, database: Database) -> None:
    sentences = [_fail(desk, f"name {number // 3}") for number in range(100)]
    assert sum("belong together" in sentence for sentence in sentences) == 30
    with database.reading() as t:
        assert t.query(FailedLogin).count() == 30  # a refused attempt costs no row
    desk.sign_in("doctor", PASSWORD, ELSEWHERE)


def test_H9_a_doctors_own_address_gets_in_while_somebody_elsewhere_hammers_her_name(desk: Desk) -> None:
    for number in range(1000):
        _fail(desk, "doctor", f"10.66.0.{number // 10}")
    assert desk.sign_in("doctor", PASSWORD, HERE).user.name == "doctor"


def test_security_S15_who_gets_in_has_failed_no_more(desk: Desk) -> None:
    for _ in range(3):
        for _ in range(4):
            _fail(desk)
        desk.sign_in("doctor", PASSWORD, HERE)


def test_security_S15_many_at_once_get_no_more_than_five_guesses(database: Database, clock: Any) -> None:
    add_person(database, clock, "Doctor")
    passwords = CountingPasswords()
    desk = Desk(database, passwords, clock)
    start = threading.Barrier(16)
    outcomes = []

    def guess() -> None:
        start.wait()
        outcomes.append(_fail(desk))

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 16
    assert passwords.checked == 5


def test_security_S15_a_name_that_is_nobodys_is_stored_nowhere(desk: Desk, database: Database) -> None:
    _fail(desk, "CANARY7F3A my password typed in the wrong place")
    with database.reading() as t:
        row = t.query(FailedLogin).one()
        assert "canary7f3a" not in f"{row.account_sha256} {row.address}".lower()
    assert _acts(database) == [("unknown", "login", "refused", HERE)]


def test_security_S15_an_outdated_hash_is_renewed_at_the_next_login(database: Database, clock: Any) -> None:
    add_person(database, clock, "Doctor")
    with database.reading() as t:
        before = t.query(User).one().password_hash
    desk = Desk(database, Passwords(), clock)
    desk.sign_in("doctor", PASSWORD, HERE)
    with database.reading() as t:
        after = t.query(User).one().password_hash
    assert (before == after, "m=65536,t=3,p=4" in after) == (False, True)
    desk.sign_in("doctor", PASSWORD, HERE)
    with database.reading() as t:
        assert t.query(User).one().password_hash == after


def test_security_S1_a_one_time_password_ends_after_a_day_and_the_sentence_names_the_remedy(
    database: Database, clock: Any
) -> None:
    add_person(database, clock, "admin", Role.ADMIN, must_change=True)
    desk = Desk(database, QUICK, clock)
    clock.move(timedelta(hours=24).total_seconds() - 1)
    assert desk.sign_in("admin", PASSWORD, HERE).user.must_change
    clock.move(1)
    assert "retinagate user password" in _fail(desk, "admin", password=PASSWORD)
    assert "retinagate user password" not in _fail(desk, "admin")
    with database.transaction() as t:
        people.set_password(t, "admin", "another horse entirely", passwords=QUICK)
    clock.move(timedelta(days=300).total_seconds())
    assert not desk.sign_in("admin", "another horse entirely", HERE).user.must_change


def test_a_new_password_takes_the_place_of_the_one_time_one(database: Database, clock: Any) -> None:
    add_person(database, clock, "admin", Role.ADMIN, must_change=True)
    desk = Desk(database, QUICK, clock)
    desk.change_password("admin", PASSWORD, "another horse entirely", HERE)
    assert not desk.sign_in("admin", "another horse entirely", HERE).user.must_change
    _fail(desk, "admin", password=PASSWORD)
    assert [act[:3] for act in _acts(database)] == [
        ("admin", "password.change", "ok"), ("admin", "login", "ok"), ("admin", "login", "refused"),
    ]  # fmt: skip


@pytest.mark.parametrize("new", ["short", "password1234", "doctor123456", PASSWORD, "x" * 257])
def test_security_S15_a_new_password_must_be_a_good_one(desk: Desk, new: str) -> None:
    with pytest.raises(BadInput):
        desk.change_password("doctor", PASSWORD, new, HERE)


def test_security_S15_whoever_finds_an_open_session_cannot_guess_the_password_either(
    desk: Desk, database: Database
) -> None:
    for _ in range(5):
        with pytest.raises(Refused, match="until now"):
            desk.change_password("doctor", "a wrong guess", "another horse entirely", HERE)
    with pytest.raises(TooOften):
        desk.change_password("doctor", PASSWORD, "another horse entirely", HERE)
    assert _acts(database) == [("doctor", "password.change", "refused", HERE)] * 5


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "line\nbreak", "nul\0"])
def test_a_user_needs_a_name_that_can_be_shown(database: Database, clock: Any, name: str) -> None:
    with pytest.raises(BadInput, match="name"):
        add_person(database, clock, name)


def test_a_user_who_is_not_there_is_named_with_the_remedy(database: Database, clock: Any) -> None:
    with database.transaction() as t, pytest.raises(BadInput, match="retinagate user add"):
        people.set_role(t, "nobody", Role.ADMIN)
