"""The bounded reader: right about whatever pydicom writes, and neither fooled nor kept busy by what nobody should send."""

import contextlib
import io
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from raw_association import data_set, element

from casebook.errors import BadInput
from dicom_listener.contexts import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicom_listener.elements import MOST_BYTES, MOST_DEPTH, Element, read_elements
from dicom_listener.values import tag_of

STUDY = tag_of("StudyInstanceUID")
REQUESTS = tag_of("RequestAttributesSequence")
REGION = tag_of("AnatomicRegionSequence")
WANTED = frozenset({STUDY, REQUESTS, REGION})
UNDEFINED = 0xFFFFFFFF


def encoded(data: Dataset, transfer_syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax != EXPLICIT_BIG
    stream.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    write_dataset(stream, data)
    return bytes(stream.getvalue())


def read(data: bytes, transfer_syntax: str = EXPLICIT_LITTLE, **options: int) -> dict[int, Element]:
    return read_elements(io.BytesIO(data), len(data), transfer_syntax, WANTED, **options)


def item(body: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body) if length is None else length) + body


ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def sequence(group: int, number: int, body: bytes, length: int | None = None, vr: bytes = b"SQ") -> bytes:
    return struct.pack("<HH2s2xL", group, number, vr, len(body) if length is None else length) + body


def nested(depth: int, *, defined: bool, group: int = 0x0040, number: int = 0x0275) -> bytes:
    body = b""
    for _ in range(depth):
        if defined:
            body = sequence(group, number, item(body))
        else:
            body = sequence(group, number, item(body + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED)
    return body


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])
@pytest.mark.parametrize("undefined", [False, True])
def test_what_pydicom_writes_is_read(transfer_syntax: str, undefined: bool) -> None:
    code = Dataset()
    code.CodeValue = "24028007"
    region = Dataset()
    region.AnatomicRegionModifierSequence = [code]
    data = Dataset()
    data.AnatomicRegionSequence = [region, Dataset()]
    data.StudyInstanceUID = "1.2.3"
    data["AnatomicRegionSequence"].is_undefined_length = undefined
    found = read(encoded(data, transfer_syntax), transfer_syntax)
    assert found[STUDY].value.rstrip(b"\0") == b"1.2.3"
    (modifier,) = found[REGION].items[0][tag_of("AnatomicRegionModifierSequence")].items
    assert modifier[tag_of("CodeValue")].value == b"24028007"
    assert len(found[REGION].items) == 2


def test_the_walk_ends_before_the_pixels() -> None:
    behind = element(0x7FE0, 0x0010, "OB", b"\0" * 10)[:-4] + b"\xff" * 1000
    assert read(element(0x0020, 0x000D, "UI", b"1.2") + behind)[STUDY].value == b"1.2\0"


def test_security_D15_of_a_tag_sent_twice_the_last_counts() -> None:
    twice = element(0x0020, 0x000D, "UI", b"1.2") + element(0x0020, 0x000D, "UI", b"1.3")
    assert read(twice)[STUDY].value == b"1.3\0"


def test_an_unknown_representation_of_the_future_is_stepped_over() -> None:
    future = struct.pack("<HH2s2xL", 0x0019, 0x0010, b"ZZ", 4) + b"abcd"
    assert STUDY in read(future + element(0x0020, 0x000D, "UI", b"1.2"))


def test_an_unknown_sequence_is_implicit_inside() -> None:
    inner = struct.pack("<HHL", 0x0008, 0x0100, 4) + b"code"
    known = sequence(0x0008, 0x2218, item(inner), vr=b"UN")
    unknown = sequence(0x0009, 0x0010, item(inner + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED, vr=b"UN")
    found = read(known + unknown + element(0x0020, 0x000D, "UI", b"1.2"))
    assert found[REGION].items[0][0x00080100].value == b"code"
    assert STUDY in found


@pytest.mark.parametrize(
    "data",
    [
        data_set()[:-30],
        element(0x0020, 0x000D, "UI", b"1.2")[:-1],
        element(0x0020, 0x000D, "UI", b"1.2") + b"\0" * 5,
        struct.pack("<HH2s2xL", 0x0009, 0x0010, b"OB", 0xFFFFFFFE) + b"\0" * 10,
        struct.pack("<HH2s2xL", 0x0009, 0x0010, b"OB", 0xFFFFFFFF) + b"\0" * 10,
        sequence(0x0008, 0x2218, item(element(0x0008, 0x0100, "SH", b"code"))[:-2], 18),
        sequence(0x0008, 0x2218, item(element(0x0008, 0x0100, "SH", b"code"), 6)),
        sequence(0x0008, 0x2218, b"no item at all.."),
        sequence(0x0008, 0x2218, item(b"", UNDEFINED), UNDEFINED),
        b"\xff" * 100,
        b"\0" * 100,
        encoded(Dataset(), EXPLICIT_LITTLE) + b"\x08\0\x16\0\x1a\0\0\0" + b"1.2.840.10008.5.1.4.1.1.7\0",
    ],
    ids=[
        "cut", "cut in a value", "cut in a header", "length 4 GiB", "fragments without end", "cut in an item",
        "longer than its item", "no items", "item without end", "all ones", "all zeros", "implicit as explicit",
    ],
)  # fmt: skip
def test_security_D1_D2_D10_what_is_cut_or_encoded_otherwise_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read(data)


@pytest.mark.parametrize("depth", [50, 200, 2_000, 20_000])
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("number", [0x0275, 0x9999], ids=["wanted", "not wanted"])
def test_security_D3_deep_nesting_is_refused_or_stepped_over_at_once(depth: int, defined: bool, number: int) -> None:
    data = nested(depth, defined=defined, number=number)
    began = time.perf_counter()
    if defined and number != 0x0275:
        assert read(data) == {}
    else:
        with pytest.raises(BadInput):
            read(data)
    assert time.perf_counter() - began < 1


def test_nesting_up_to_the_limit_is_read() -> None:
    found = read(nested(MOST_DEPTH, defined=False))
    depth = 0
    while found:
        found = found[REQUESTS].items[0]
        depth += 1
    assert depth == MOST_DEPTH


@pytest.mark.parametrize(
    "data",
    [
        sequence(0x0008, 0x2218, item(b"") * 500_000 + SEQUENCE_END, UNDEFINED),
        sequence(0x0009, 0x1001, item(b"") * 500_000 + SEQUENCE_END, UNDEFINED),
        element(0x0009, 0x1001, "US", b"\0\0") * 300_000,
    ],
    ids=["wanted items", "other items", "private elements"],
)
def test_security_D12_D13_as_much_is_looked_at_as_anybody_may_ask_for(data: bytes) -> None:
    began = time.perf_counter()
    found = read(data + element(0x0020, 0x000D, "UI", b"1.2"))
    assert time.perf_counter() - began < 5
    assert STUDY not in found


def test_a_long_value_that_is_wanted_is_left_empty_and_others_are_stepped_over() -> None:
    long = struct.pack("<HH2s2xL", 0x0009, 0x1001, b"OB", 50 * MOST_BYTES)
    data = long + b"\0" * (50 * MOST_BYTES) + element(0x0020, 0x000D, "UI", b"1.2")
    assert read(data)[STUDY].value == b"1.2\0"
    wanted = struct.pack("<HH2s2xL", 0x0020, 0x000D, b"UT", 1 << 17) + b"1" * (1 << 17)
    assert read(wanted)[STUDY].value == b""


def test_the_walk_may_end_early() -> None:
    beginning = element(0x0020, 0x000D, "UI", b"1.2") + element(0x0028, 0x0010, "US", b"\0\0")[:-1]
    assert STUDY in read(beginning, last=STUDY)


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]))
def test_any_bytes_are_read_or_refused(data: bytes, transfer_syntax: str) -> None:
    with contextlib.suppress(BadInput):
        read(data, transfer_syntax)


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_data_set_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(nested(3, defined=False) + nested(3, defined=True) + data_set())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadInput):
        read(bytes(whole))
