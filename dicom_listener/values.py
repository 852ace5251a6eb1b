"""Makes one encoded element a text, a number, a UID or DICOM JSON; here type, multiplicity and range are coerced.

A peer may state any value representation for any tag, so the one that counts is the dictionary's: an element that
cannot be read as that is taken for absent.
"""

import math
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from casebook.errors import BadInput
from dicom_listener.elements import Element
from dicom_listener.texts import DAMAGED, LONG_TEXTS, LONGEST, TRANSLATED, clean, codecs_of, decode

SPECIFIC_CHARACTER_SET = 0x00080005

Elements = dict[int, Element]
Json = dict[str, dict[str, Any]]

_MOST_VALUES = 64
_ASCII = ("ascii",)
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}
_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_FORMS = {
    "AS": re.compile(r"\d{3}[DWMY]", re.ASCII),
    "CS": re.compile(r"[A-Z0-9 _]+"),
    "DA": re.compile(r"\d{8}", re.ASCII),
    "DS": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    "DT": re.compile(
        r"\d{4}((0[1-9]|1[0-2])(\d{2}([01]\d|2[0-3])?([0-5]\d){0,2}(\.\d{1,6})?)?)?([+-]\d{4})?", re.ASCII
    ),
    "IS": re.compile(r"[+-]?\d{1,12}", re.ASCII),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII),
    "UI": _UID,
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the values of a data set, or of one item, are encoded."""

    little: bool = True
    codecs: tuple[str, ...] = codecs_of(())

    def within(self, elements: Elements) -> "Encoding":
        """Return the encoding of elements that may state a character set of their own."""
        stated = elements.get(SPECIFIC_CHARACTER_SET)
        if stated is None or stated.items:
            return self
        terms = stated.value.decode("ascii", "replace").split("\\")
        return Encoding(self.little, codecs_of(terms))


def tag_of(keyword: str) -> int:
    """Return the tag of a keyword of the data dictionary (PS3.6)."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


def texts(elements: Elements, keyword: str, encoding: Encoding) -> list[str]:
    """Return the cleaned values of a text attribute, none when it is absent, empty or no text."""
    tag = tag_of(keyword)
    return _texts(elements.get(tag), dictionary_VR(tag), encoding)


def text(elements: Elements, keyword: str, encoding: Encoding) -> str:
    """Return the first value of a text attribute, or an empty text."""
    return next(iter(texts(elements, keyword, encoding)), "")


def uid(elements: Elements, keyword: str) -> str:
    """Return a UID that must be there: a single one, at most 64 digits and dots.

    Leading zeros of a component are kept as sent: some cameras write them, and the UID must stay the peer's.

    Raises:
        BadInput: it is missing, doubled or no UID.
    """
    element = elements.get(tag_of(keyword))
    found = element.value.rstrip(b"\0 ").decode("ascii", "replace") if element else ""
    if not is_uid(found):
        raise BadInput(f"{keyword} is missing or is not a UID.")
    return found


def is_uid(value: str) -> bool:
    """Say whether a text is a single UID (PS3.5 9.1)."""
    return len(value) <= LONGEST["UI"] and _UID.fullmatch(value) is not None


def integer(elements: Elements, keyword: str, encoding: Encoding, *, low: int, high: int) -> int | None:
    """Return a whole number in a range, or None when there is not exactly one."""
    tag = tag_of(keyword)
    numbers = _numbers(elements.get(tag), dictionary_VR(tag), encoding)
    if len(numbers) != 1 or not low <= numbers[0] <= high:
        return None
    return int(numbers[0])


def items(elements: Elements, keyword: str) -> tuple[Elements, ...]:
    """Return the items of a sequence, none when it is absent or no sequence."""
    element = elements.get(tag_of(keyword))
    return element.items if element else ()


def json_data_set(elements: Elements, tags: tuple[int, ...], encoding: Encoding) -> Json:
    """Return attributes as a DICOM JSON data set in Unicode (PS3.18 F.2).

    A value that its representation does not allow stands as an empty attribute: what is built from it later must be
    valid. Absent attributes are left out.
    """
    return {f"{tag:08X}": found for tag in tags if (found := _json(tag, elements.get(tag), encoding)) is not None}


def empty(vr: str) -> dict[str, Any]:
    """Return an attribute without a value in DICOM JSON."""
    return {"vr": vr}


def _json(tag: int, element: Element | None, encoding: Encoding) -> dict[str, Any] | None:
    try:
        vr, multiplicity = dictionary_VR(tag), dictionary_VM(tag)
    except KeyError:
        return None
    if element is None or tag >> 16 & 1 or tag == SPECIFIC_CHARACTER_SET:
        return None
    values: list[Any]
    if vr == "SQ":
        values = [_json_item(item, encoding) for item in element.items[:_MOST_VALUES]]
    elif vr in _NUMBERS or vr in ("IS", "DS"):
        values = list(_numbers(element, vr, encoding))
    elif vr in LONGEST:
        values = [_json_text(value, vr) for value in _texts(element, vr, encoding)]
    else:
        return None
    if multiplicity == "1" and vr != "SQ":
        values = values[:1]
    if all(value is None for value in values):
        values = []
    return {"vr": vr, "Value": values} if values else empty(vr)


def _json_item(item: Elements, encoding: Encoding) -> Json:
    return json_data_set(item, tuple(sorted(item)), encoding.within(item))


def _json_text(value: str, vr: str) -> Any:
    if not value or not _is_valid(value, vr):
        return None
    if vr != "PN":
        return value
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
    return {name: group for name, group in groups if group}


def _is_valid(value: str, vr: str) -> bool:
    form = _FORMS.get(vr)
    if form is not None and not form.fullmatch(value):
        return False
    if vr == "DA":
        try:
            datetime.strptime(value, "%Y%m%d")  # noqa: DTZ007 - a date of the peer, of no zone we know
        except ValueError:
            return False
    return vr not in ("AE", "UR") or DAMAGED not in value


def _texts(element: Element | None, vr: str, encoding: Encoding) -> list[str]:
    if element is None or (element.vr not in LONGEST and element.vr != "UN"):
        return []
    decoded = decode(element.value, encoding.codecs if vr in TRANSLATED else _ASCII)
    values = [decoded] if vr in LONG_TEXTS else decoded.split("\\")[:_MOST_VALUES]
    cleaned = [clean(value, vr) for value in values]
    return cleaned if any(cleaned) else []


def _numbers(element: Element | None, vr: str, encoding: Encoding) -> list[float | int]:
    if element is None:
        return []
    stated = vr if element.vr == "UN" else element.vr
    if stated in ("IS", "DS"):
        return [number for value in _texts(element, stated, encoding) if (number := _number(value, stated)) is not None]
    code = _NUMBERS.get(stated)
    if code is None:
        return []
    one = struct.Struct(("<" if encoding.little else ">") + code)
    if len(element.value) % one.size:
        return []
    numbers = [number for (number,) in one.iter_unpack(element.value[: one.size * _MOST_VALUES])]
    return [number for number in numbers if math.isfinite(number)]


def _number(value: str, vr: str) -> float | int | None:
    if not _FORMS[vr].fullmatch(value):
        return None
    if vr == "IS":
        return int(value) if -(2**31) <= int(value) < 2**31 else None
    return float(value) if math.isfinite(float(value)) else None
