"""Whatever comes as a first PDU is read or refused, and nothing else happens (security W1, W14-W17)."""

import struct
import time

import pytest
import raw_association as raw
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import Place, until
from raw_association import RawAssociation, association_request, item, pdu

from casebook.errors import BadInput
from dicom_listener.association_request import AssociationRequest, parse, with_plain_titles

REQUEST = association_request()
FIXED = 74


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


@given(st.lists(st.tuples(st.sampled_from([0x10, 0x20, 0x30, 0x40, 0x50, 0x51, 0x52, 0x58]), st.binary(max_size=40))))
def test_any_items_are_read_or_refused(items: list[tuple[int, bytes]]) -> None:
    _read_or_refuse(REQUEST[:FIXED] + b"".join(item(kind, body) for kind, body in items))


@given(
    st.lists(st.tuples(st.integers(0, len(REQUEST) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(REQUEST))
)
def test_any_damage_to_a_request_is_read_or_refused(damage: list[tuple[int, int]], length: int) -> None:
    _read_or_refuse(_damaged(damage)[:length])


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=16),
    st.lists(st.integers(0, 127).map(lambda number: 2 * number + 1), min_size=1, max_size=128, unique=True),
    st.integers(0, 0xFFFFFFFF),
)
def test_a_good_request_is_read_as_it_was_written(title: str, identifiers: list[int], length: int) -> None:
    contexts = [(identifier, raw.VERIFICATION, [raw.IMPLICIT]) for identifier in identifiers]
    assert parse(
        association_request(calling=title.encode(), contexts=contexts, maximum_length=length)
    ) == AssociationRequest(
        1, "RETINAGATE", title, raw.APPLICATION_CONTEXT, (raw.VERIFICATION,) * len(identifiers), length
    )


def _damaged(damage: list[tuple[int, int]]) -> bytes:
    data = bytearray(REQUEST)
    for position, byte in damage:
        data[position] = byte
    return bytes(data)


def _read_or_refuse(data: bytes) -> None:
    try:
        asked = parse(data)
    except BadInput:
        return
    assert len(asked.abstract_syntaxes) <= 128
    for title in (asked.called, asked.calling):
        assert title is None or (0 < len(title) <= 16 and title.isascii() and title.isprintable())
    plain = with_plain_titles(data, asked)
    assert len(plain) == len(data)
    assert parse(plain) == asked


@pytest.mark.parametrize(
    "lengths",
    [b"", item(0x51, b"\0\0\x40"), item(0x51, struct.pack(">L", 16384)) * 2],
    ids=["none", "cut", "two"],
)
def test_security_N17_a_request_that_does_not_say_its_maximum_length_once_is_refused(lengths: bytes) -> None:
    before, user_information = REQUEST[: REQUEST.rindex(b"\x50\0")], lengths + item(0x52, b"1.2.3.4")
    with pytest.raises(BadInput, match="maximum length"):
        parse(pdu(raw.RQ, before[6:] + item(0x50, user_information)))


def test_security_N16_five_thousand_contexts_cost_nothing() -> None:
    many = association_request(contexts=[(1, raw.VERIFICATION, [raw.IMPLICIT])] * 5000)
    began = time.thread_time()
    with pytest.raises(BadInput):
        parse(many)
    assert time.thread_time() - began < 0.05


@settings(max_examples=60, deadline=None)
@given(
    damage=st.lists(st.tuples(st.integers(6, len(REQUEST) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    hint=st.sampled_from([0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59]),
    body=st.binary(max_size=30),
)
def test_no_request_harms_the_listener(crowded: Place, damage: list[tuple[int, int]], hint: int, body: bytes) -> None:
    for request in (
        pdu(raw.RQ, _damaged(damage)[6:]),
        pdu(raw.RQ, REQUEST[6 : -len(body) - 1]),
        pdu(raw.RQ, REQUEST[6:] + item(hint, body)),
        pdu(raw.RQ, REQUEST[6 : REQUEST.rindex(b"\x50\0")] + item(0x50, item(0x51, b"\0\0\x40\0") + item(hint, body))),
    ):
        with RawAssociation(crowded.address) as peer:
            peer.send(request)
            answer = peer.receive()
            assert answer is None or answer[0] in (raw.AC, raw.RJ, raw.ABORT)
    with RawAssociation(crowded.address) as camera:
        camera.associate()
        assert camera.echo() == 0
    assert until(lambda: crowded.listener.associations == 0)
