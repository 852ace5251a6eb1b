"""Who waits and who has a slot: the oldest of the fullest address goes, and what was taken is given back."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from dicom_listener.room import Room


def room(waiting: int = 4, per_host: int = 2, slots: int = 3, slots_per_host: int = 2) -> Room[int]:
    return Room(waiting=waiting, waiting_per_host=per_host, slots=slots, slots_per_host=slots_per_host)


def test_the_oldest_of_an_address_goes_when_it_has_too_many() -> None:
    full = room()
    assert [full.enter(number, "a") for number in range(4)] == [None, None, (0, "a"), (1, "a")]
    assert full.waiting() == [2, 3]


def test_the_oldest_of_the_fullest_address_goes_when_there_are_too_many_in_all() -> None:
    full = room()
    for number, host in enumerate("baac"):
        assert full.enter(number, host) is None
    assert full.enter(4, "d") == (1, "a")
    assert full.waiting() == [0, 2, 3, 4]


def test_leaving_twice_is_harmless() -> None:
    full = room()
    full.enter(1, "a")
    full.leave(1)
    full.leave(1)
    assert full.waiting() == []


def test_an_address_leaves_slots_to_the_others() -> None:
    full = room()
    assert [full.take_slot(host) for host in "aaabc"] == [True, True, False, True, False]
    full.give_slot("a")
    assert [full.take_slot(host) for host in "ca"] == [True, False]
    assert full.taken == 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_never_more_wait_than_may_and_the_newest_is_never_the_one_that_goes(steps: list[tuple[str, bool]]) -> None:
    full, inside = room(), list[int]()
    for number, (host, leaves) in enumerate(steps):
        gone, _ = full.enter(number, host) or (None, "")
        assert gone != number
        inside = [*(one for one in inside if one != gone), number]
        if leaves:
            full.leave(inside.pop(0))
        assert full.waiting() == inside
        assert len(inside) <= 4


def test_slots_are_counted_right_from_many_threads() -> None:
    full = room(slots=5, slots_per_host=5)
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(full.take_slot("a"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == full.taken == 5
