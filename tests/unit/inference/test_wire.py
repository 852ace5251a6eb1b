import os
from collections.abc import Iterator

import pytest

from inference import wire


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def test_what_is_sent_is_received(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    wire.send(writing, {"a": [1, "ü", None]})
    wire.send(writing, {})
    assert wire.receive(reading) == {"a": [1, "ü", None]}
    assert wire.receive(reading, lambda: 1.0) == {}
    assert not wire.waiting(reading)


def test_the_end_of_the_pipe_is_seen_even_inside_a_message(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"\0\0\0\x09{")
    os.close(writing)
    assert wire.waiting(reading)
    with pytest.raises(wire.Closed):
        wire.receive(reading)


def test_nobody_reads_any_more(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    with pytest.raises(wire.Closed):
        wire.send(writing, {})


@pytest.mark.parametrize(
    "sent", [b"\xff\xff\xff\xff", b"\0\0\0\x02xx", b"\0\0\0\x02[]", b"\0\0\0\x01\xff", b"\0\0\x80\0" + b"[" * 32768]
)
def test_what_is_no_message_is_garbled(pipe: tuple[int, int], sent: bytes) -> None:
    reading, writing = pipe
    os.write(writing, sent)
    with pytest.raises(wire.Garbled):
        wire.receive(reading, lambda: 1.0)


def test_half_a_message_is_too_late(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"\0\0\0\x09{")
    with pytest.raises(wire.TooLate):
        wire.receive(reading, lambda: 0.01)
