"""Data sets made byte by byte, as no library writes them (security 3.3)."""

import struct
import time
import zlib
from pathlib import Path

import pytest

from casebook.words import Gradability, Reason
from inference import reader
from inference.reader import Rejected

EXPLICIT, IMPLICIT, DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99"
OPHTHALMIC = b"1.2.840.10008.5.1.4.1.1.77.1.5.1"
LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT"}
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, element) for element in (0xE000, 0xE00D, 0xE0DD))


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    size = len(value) if length is None else length
    return head + (b"\0\0" + struct.pack("<I", size) if vr in LONG else struct.pack("<H", size)) + value


def us(tag: int, value: int) -> bytes:
    return element(tag, b"US", struct.pack("<H", value))


def file(dataset: bytes, syntax: bytes = EXPLICIT) -> bytes:
    syntax += b"\0" * (len(syntax) % 2)
    return bytes(128) + b"DICM" + element(0x00020010, b"UI", syntax) + dataset


PIXELS = element(0x7FE00010, b"OB", bytes(range(12)))


def photograph(before: bytes = b"", pixels: bytes = PIXELS, **changed: bytes) -> bytes:
    parts = {
        "sop_class": element(0x00080016, b"UI", OPHTHALMIC),
        "samples": us(0x00280002, 3),
        "photometric": element(0x00280004, b"CS", b"RGB "),
        "planar": us(0x00280006, 0),
        "frames": element(0x00280008, b"IS", b"1 "),
        "rows": us(0x00280010, 2),
        "columns": us(0x00280011, 2),
        "allocated": us(0x00280100, 8),
        "stored": us(0x00280101, 8),
        "high": us(0x00280102, 7),
        "representation": us(0x00280103, 0),
    }
    return parts.pop("sop_class") + before + b"".join((parts | changed).values()) + pixels


def outcome(data: bytes, folder: Path) -> str:
    path = folder / "file.dcm"
    path.write_bytes(data)
    began = time.process_time()
    try:
        (frame,) = reader.frames(path)
        return str(frame.picture.reshape(-1).tolist() == list(range(12)) or frame.picture[0, 0].tolist())
    except Rejected as rejected:
        return f"{rejected.gradability}/{rejected.reason}"
    finally:
        assert time.process_time() - began < 2


DAMAGED, LIMITS, SYNTAX = "unreadable/damaged", "unreadable/limits", "unreadable/syntax"


def nested(depth: int, *, defined: bool) -> bytes:
    inner = b""
    for _ in range(depth):
        if defined:
            inner = element(0x00081115, b"SQ", ITEM + struct.pack("<I", len(inner)) + inner)
        else:
            item = ITEM + struct.pack("<I", UNDEFINED) + inner + ITEM_END + bytes(4)
            inner = element(0x00081115, b"SQ", item + SEQUENCE_END + bytes(4), UNDEFINED)
    return inner


def test_a_plain_photograph_is_read(tmp_path: Path) -> None:
    assert outcome(file(photograph()), tmp_path) == "True"


@pytest.mark.parametrize(
    ("depth", "defined", "expected"),
    [(10, False, "True"), (16, False, "True"), (17, False, LIMITS), (200, False, LIMITS), (20_000, False, LIMITS),
     (10, True, "True"), (2000, True, "True")],
)  # fmt: skip
def test_security_D3_deep_sequences(tmp_path: Path, depth: int, *, defined: bool, expected: str) -> None:
    assert outcome(file(photograph(nested(depth, defined=defined))), tmp_path) == expected


def test_security_D2_lengths_that_reach_beyond_the_file(tmp_path: Path) -> None:
    endless = element(0x00081115, b"SQ", bytes(10), 0xFFFFFFFE)
    assert outcome(file(photograph() + endless), tmp_path) == "True"  # behind the pixels nothing is read
    assert outcome(file(photograph(endless)), tmp_path) == DAMAGED
    assert outcome(file(photograph(element(0x00081115, b"SQ", b"", UNDEFINED))), tmp_path) == DAMAGED
    assert outcome(file(photograph(b"\xff" * 1000)), tmp_path) == DAMAGED
    assert outcome(file(photograph(pixels=element(0x7FE00010, b"OB", bytes(4), UNDEFINED))), tmp_path) == DAMAGED


@pytest.mark.parametrize("keep", range(0, 330, 7))
def test_security_D1_cut_anywhere(tmp_path: Path, keep: int) -> None:
    data = file(photograph(nested(3, defined=False)))
    assert len(data) > 330
    assert outcome(data[:keep], tmp_path) in {DAMAGED, SYNTAX}


def test_security_D12_D13_more_elements_than_anybody_needs(tmp_path: Path) -> None:
    empty = (ITEM + bytes(4)) * 500_000
    assert (
        outcome(file(photograph(element(0x00081115, b"SQ", empty))), tmp_path) == "True"
    )  # stepped over in one stride
    undefined = element(0x00081115, b"SQ", empty + SEQUENCE_END + bytes(4), UNDEFINED)
    assert outcome(file(photograph(undefined)), tmp_path) == LIMITS
    private = b"".join(element(0x00091001, b"LO", b"x ") for _ in range(30_000))
    assert outcome(file(photograph(private)), tmp_path) == LIMITS


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (element(0x00280010, b"UL", struct.pack("<I", 2)), "True"),
        (element(0x00280010, b"UL", struct.pack("<I", 0x7FFFFFFF)), LIMITS),
        (element(0x00280010, b"IS", b"2 "), "True"),
        (element(0x00280010, b"LO", b"abcd"), LIMITS),
        (element(0x00280010, b"US", struct.pack("<HHH", 2, 2, 2)), DAMAGED),
        (element(0x00280010, b"US", b"\2\0\0"), DAMAGED),
        (element(0x00280010, b"US", b""), DAMAGED),
        (element(0x00280010, b"SQ", b""), DAMAGED),
        (element(0x00280010, b"??", b"\2\0"), DAMAGED),
        (us(0x00280010, 2) * 2, DAMAGED),
        (us(0x00280010, 0), DAMAGED),
        (b"", DAMAGED),
    ],
    ids=range(12),
)
def test_security_D14_D15_a_number_of_rows_in_every_disguise(tmp_path: Path, rows: bytes, expected: str) -> None:
    assert outcome(file(photograph(rows=rows)), tmp_path) == expected


@pytest.mark.parametrize("frames", [b"0 ", b"-1", b"1000000000", b"x ", b"1.5 ", b"1\\2 ", b"nan "])
def test_security_D17_a_number_of_frames_that_is_none(tmp_path: Path, frames: bytes) -> None:
    expected = LIMITS if frames == b"1000000000" else DAMAGED
    assert outcome(file(photograph(frames=element(0x00280008, b"IS", frames))), tmp_path) == expected


@pytest.mark.parametrize("frames", [b"", element(0x00280008, b"IS", b"")])
def test_without_a_number_of_frames_there_is_one(tmp_path: Path, frames: bytes) -> None:
    assert outcome(file(photograph(frames=frames)), tmp_path) == "True"


def test_security_D11_deflated_is_inflated_up_to_a_limit(tmp_path: Path) -> None:
    def deflated(data: bytes) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(data) + packer.flush()

    assert outcome(file(deflated(photograph()), DEFLATED), tmp_path) == "True"
    bomb = deflated(photograph(pixels=element(0x7FE00010, b"OB", bytes(80 << 20))))
    assert len(bomb) < 1 << 20
    assert outcome(file(bomb, DEFLATED), tmp_path) == LIMITS
    assert outcome(file(deflated(photograph())[:-20], DEFLATED), tmp_path) == DAMAGED
    assert outcome(file(b"not deflated at all", DEFLATED), tmp_path) == DAMAGED


def test_an_unknown_value_of_undefined_length_is_implicit_inside(tmp_path: Path) -> None:
    inner = struct.pack("<HHI", 0x0009, 0x1001, 2) + b"x "
    item = ITEM + struct.pack("<I", UNDEFINED) + inner + ITEM_END + bytes(4)
    unknown = element(0x00091010, b"UN", item + SEQUENCE_END + bytes(4), UNDEFINED)
    assert outcome(file(photograph(unknown)), tmp_path) == "True"


def test_security_D10_another_encoding_than_the_header_says(tmp_path: Path) -> None:
    assert outcome(file(photograph(), IMPLICIT), tmp_path).startswith("unreadable/")
    assert outcome(file(photograph(), b"1.2.840.10008.1.2.2"), tmp_path).startswith("unreadable/")


def test_a_file_that_does_not_say_its_syntax_or_what_it_is(tmp_path: Path) -> None:
    assert outcome(bytes(128) + b"DICM" + photograph(), tmp_path) == DAMAGED
    assert outcome(file(us(0x00280010, 2)), tmp_path) == DAMAGED


def test_security_D20_D21_what_stands_before_and_behind_does_not_matter(tmp_path: Path) -> None:
    data = file(photograph())
    assert outcome(b"MZ".ljust(128, b"\x90") + data[128:], tmp_path) == "True"
    assert outcome(data + element(0xFFFCFFFC, b"OB", bytes(1000)) + bytes(1000), tmp_path) == "True"


def test_security_P8_fragments(tmp_path: Path) -> None:
    rle = b"1.2.840.10008.1.2.5"

    def pixels(inside: bytes) -> bytes:
        return photograph(pixels=element(0x7FE00010, b"OB", inside, UNDEFINED))

    table = ITEM + bytes(4)
    assert outcome(file(pixels(SEQUENCE_END + bytes(4)), rle), tmp_path) == DAMAGED
    assert outcome(file(pixels(table + SEQUENCE_END + bytes(4)), rle), tmp_path) == DAMAGED
    assert outcome(file(pixels(table + ITEM + struct.pack("<I", 100) + bytes(10)), rle), tmp_path) == DAMAGED
    assert outcome(file(pixels(table + ITEM + struct.pack("<I", UNDEFINED)), rle), tmp_path) == DAMAGED
    assert outcome(file(pixels((ITEM + bytes(4)) * 1_000_000 + SEQUENCE_END + bytes(4)), rle), tmp_path) == LIMITS
    assert outcome(file(photograph(), rle), tmp_path) == DAMAGED
    assert outcome(file(pixels(table + ITEM + bytes(4) + SEQUENCE_END + bytes(4))), tmp_path) == DAMAGED


def test_what_is_refused_says_why_without_quoting_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(file(photograph(photometric=element(0x00280004, b"CS", b"MUELLER^ANNE"))))
    with pytest.raises(Rejected) as rejected:
        list(reader.frames(path))
    assert (rejected.value.gradability, rejected.value.reason) == (Gradability.UNREADABLE, Reason.SYNTAX)
    assert "MUELLER" not in str(rejected.value)
