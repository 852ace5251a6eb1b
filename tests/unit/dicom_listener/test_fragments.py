"""Fragments in any order are taken or are a violation, and no limit is passed on the way (security W4, W6)."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from listening import PATIENT
from raw_association import COMMAND, LAST, OPHTHALMIC, c_echo, c_store

from dicom_listener.fragments import Fragments, Violation

LIMITS = replace(PATIENT, command_bytes=600, object_bytes=1000, object_seconds=60.0, object_rate=100.0)
STORE = c_store(OPHTHALMIC, "1.2.3")

control = st.sampled_from([0, COMMAND, LAST, COMMAND | LAST, 0xFF])
payload = st.one_of(st.binary(max_size=300), st.sampled_from([STORE, c_echo(), STORE[:20], STORE[20:]]))
fragment = st.one_of(
    st.just(b""), st.builds(lambda bits, data: bytes([bits]) + data, control, payload), st.binary(max_size=20)
)


@given(st.lists(st.tuples(st.integers(0, 3), fragment), max_size=30))
def test_any_fragments_are_taken_or_are_a_violation(sent: list[tuple[int, bytes]]) -> None:
    fragments = Fragments(LIMITS, began=100.0)
    commands, objects, complete_in = 0, 0, None
    for context_id, data in sent:
        try:
            fragments.take(context_id, data)
        except Violation:
            return
        if data[0] & COMMAND:
            assert complete_in is None
            commands += len(data) - 1
            complete_in = context_id if data[0] & LAST else None
        else:
            assert complete_in == context_id
            objects += len(data) - 1
        assert fragments.is_command_complete == (complete_in is not None)
        assert commands <= LIMITS.command_bytes
        assert objects <= (LIMITS.object_bytes if fragments.is_c_store else LIMITS.command_bytes)
        assert fragments.due == 100.0 + 60.0 + objects / 100.0


@given(st.lists(st.integers(0, len(STORE)), max_size=5).map(sorted), st.integers(1, 9))
def test_a_command_is_the_same_however_it_was_cut(cuts: list[int], context_id: int) -> None:
    fragments = Fragments(LIMITS, began=0.0)
    edges = [0, *cuts, len(STORE)]
    for number in range(1, len(edges)):
        last = LAST if number == len(edges) - 1 else 0
        fragments.take(context_id, bytes([COMMAND | last]) + STORE[edges[number - 1] : edges[number]])
    assert fragments.is_command_complete
    assert fragments.is_c_store
