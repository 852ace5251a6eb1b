"""Passwords: argon2id with its cost, two at a time, and none that everybody would try."""

import threading

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import strategies as some

from casebook.errors import BadInput, Unavailable
from casebook.passwords import LONGEST, SHORTEST, Passwords, check_new

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_security_S15_production_hashes_with_argon2id_64_mib_three_passes_four_lanes() -> None:
    stored = Passwords().hash("correct horse battery")
    parameters = extract_parameters(stored)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        Type.ID, 65536, 3, 4,
    )  # fmt: skip
    assert Passwords().is_right(stored, "correct horse battery")
    assert not Passwords().is_outdated(stored)


def test_security_S15_a_hash_of_other_parameters_is_outdated_and_still_right() -> None:
    stored = Passwords(QUICK).hash("correct horse battery")
    assert Passwords().is_outdated(stored)
    assert Passwords().is_right(stored, "correct horse battery")
    assert not Passwords(QUICK).is_outdated(stored)


def test_a_letter_that_two_keyboards_compose_differently_is_one_letter() -> None:
    passwords = Passwords(QUICK)
    assert passwords.is_right(
        passwords.hash("cafe\u0301 noir et br\u00fbl\u00e9"), "caf\u00e9 noir et bru\u0302le\u0301"
    )


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "Password123!", "passwordpassword", "P@ssw0rd12345", "p4ssw0rd!!!!", "qwertyuiop12", "QWERTZUIOP!?",
        "123456789012", "098765432109", "abcdefghijkl", "abcd1234efgh", "1q2w3e4r5t6y", "aaaaaaaaaaaa", "abcabcabcabc",
        "            ", "!!!!!!!!!!!!", "anna.lehmann", "AnnaLehmann1990", "annalehmann annalehmann", "letmein-letmein",
        "retinagate2026",
    ],
)  # fmt: skip
def test_security_S15_common_passwords_and_the_own_name_are_refused(password: str) -> None:
    with pytest.raises(BadInput, match="first that somebody would try"):
        check_new("anna.lehmann", password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "savannah rises at dawn", "83749261058372", "test-password-123", "xK9#mQ2$vL7w",
        "müde Möwen über Föhr", "пароль который помню", "bada gido kufi lozu", "a" * 100 + "bcdf#1x",
    ],
)  # fmt: skip
def test_security_S15_good_passwords_are_taken(password: str) -> None:
    check_new("anna.lehmann", password)


@given(some.text(max_size=SHORTEST - 1) | some.text(min_size=LONGEST + 1, max_size=LONGEST + 50))
def test_security_S15_12_to_256_characters(password: str) -> None:
    with pytest.raises(BadInput, match="12 to 256"):
        check_new("anna", password)


@given(some.text(max_size=300), some.text(max_size=80))
def test_any_text_is_taken_or_refused_with_a_sentence(password: str, name: str) -> None:
    try:
        check_new(name, password)
    except BadInput as error:
        assert error.message.endswith(".")


def test_W49_two_hash_at_a_time_twenty_wait_and_the_next_is_told_to_come_again() -> None:
    passwords = Passwords(QUICK)
    inside, leave = threading.Semaphore(0), threading.Event()
    at_once = []

    def hash_slowly() -> None:
        with passwords.turn():
            at_once.append(1)
            inside.release()
            leave.wait(30)

    threads = [threading.Thread(target=hash_slowly) for _ in range(22)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=30)
    assert inside.acquire(timeout=30)
    while passwords._places._value:  # until all twenty-two have come in
        assert all(thread.is_alive() for thread in threads)
    assert len(at_once) == 2
    with pytest.raises(Unavailable, match="few seconds"), passwords.turn():
        pass
    leave.set()
    for thread in threads:
        thread.join()
    with passwords.turn():
        assert len(at_once) == 22
