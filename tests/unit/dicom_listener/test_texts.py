"""Any bytes of a peer become text that both engines store, that stays on one line, and that shows its damage."""

import io
import json
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from dicom_listener.elements import read_elements
from dicom_listener.texts import DAMAGED, LONG_TEXTS, LONGEST, clean, codecs_of, decode
from dicom_listener.values import Encoding, json_data_set

TERMS = [*python_encoding, "utf_16", "rot13", "idna", "../x", "", "\\", "ISO-IR 100"]


@given(st.binary(max_size=200), st.lists(st.sampled_from(TERMS), max_size=4), st.sampled_from(sorted(LONGEST)))
def test_any_bytes_become_clean_text(raw: bytes, terms: list[str], vr: str) -> None:
    text = clean(decode(raw, codecs_of(terms)), vr)
    text.encode("utf-8")
    json.loads(json.dumps(text))
    assert "\0" not in text
    assert "\x1b" not in text
    assert len(text) <= LONGEST[vr] * (3 if vr == "PN" else 1) + 2
    if vr not in LONG_TEXTS:
        assert text == text.strip(" ")
        assert len(text.splitlines()) <= 1 or "\u2028" in text or "\u2029" in text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_utf8_goes_through_unchanged(text: str) -> None:
    wanted = text.strip(" ")
    assert clean(decode(text.encode(), codecs_of(["ISO_IR 192"])), "LO") == wanted


def _names(data: Dataset) -> list[str]:
    return [str(element.value) for element in data.iterall() if element.VR == "PN"]


@pytest.mark.parametrize("file", [Path(file) for file in get_charset_files("*.dcm")], ids=lambda file: file.stem)
def test_T23_every_character_set_of_the_standards_examples_is_read(file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = dcmread(file)
        theirs.decode()
    names = _names(theirs)
    raw = file.read_bytes()
    data_at = 144 + theirs.file_meta[0x00020000].value
    stream = io.BytesIO(raw)
    stream.seek(data_at)
    tags = tuple(int(element.tag) for element in theirs)
    elements = read_elements(stream, len(raw) - data_at, theirs.file_meta.TransferSyntaxUID, frozenset(tags))
    ours = Dataset.from_json(json_data_set(elements, tags, Encoding().within(elements)))
    assert names
    assert _names(ours) == names
    assert DAMAGED not in "".join(names)


@pytest.mark.parametrize("term", ["utf_16", "rot13", "idna", "../x", "utf-8", "base64", "ISO_IR 999"])
def test_security_W25_only_defined_terms_choose_a_codec(term: str) -> None:
    assert codecs_of([term]) == ("ascii",)
    assert decode(b"M\xfcller", codecs_of([term])) == f"M{DAMAGED}ller"


def test_a_sloppy_term_is_understood() -> None:
    assert decode(b"M\xfcller", codecs_of(["ISO-IR 100"])) == "Müller"
    assert decode(b"M\xfcller", codecs_of(["ISO IR 100"])) == "Müller"
    assert codecs_of(["iso 2022 ir 87"]) == ("iso2022_jp",)


def test_security_D16_three_thousand_terms_are_no_work() -> None:
    assert len(codecs_of(["ISO 2022 IR 87"] * 3000)) <= 8


def test_security_D5_control_characters_show_as_damage() -> None:
    assert clean("a\r\nb\x1b[31mc\x7f\x85", "LO") == f"a{DAMAGED * 2}b{DAMAGED}[31mc{DAMAGED * 2}"
    assert clean("line\r\nline\x0c", "LT") == "line\r\nline\x0c"
    assert clean("name \0", "LO") == "name"
    assert clean("a\0b", "LO") == f"a{DAMAGED}b"


def test_security_D6_long_values_are_cut_to_the_standards_length() -> None:
    assert clean("x" * 65536, "LO") == "x" * 64
    assert clean("^" * 1000, "PN") == "^" * 64
    assert clean("=".join(["a" * 100] * 5), "PN") == "=".join(["a" * 64] * 3)
