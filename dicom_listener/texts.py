"""Turns a peer's encoded text into clean Unicode (PS3.5 6.1, PS3.3 C.12.1.1.2).

Only DICOM's defined terms choose a codec: Python's other codecs are none of a peer's business. What cannot be decoded,
and every control character, becomes U+FFFD, so that damage stays visible and one line stays one line. NUL and lone
surrogates never come through: PostgreSQL refuses the one, both engines the other.
"""

import re
from collections.abc import Sequence

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

DAMAGED = "\N{REPLACEMENT CHARACTER}"

_MOST_TERMS = 8
_CODECS = {**python_encoding, "ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"}
# What some cameras write for the defined terms.
_SLOPPY_TERM = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-](\d{1,3})", re.IGNORECASE)
_ESCAPE = re.compile(rb"\x1b(?:\$[()][A-D]|\$[@AB]|[()-][A-Z])")
_RESET = re.compile(rb"[\\^=\t\n\f\r]")  # PS3.5 6.1.2.5.3: behind these the first character set holds again
_STATEFUL = frozenset({"iso2022_jp", "iso2022_jp_2"})  # Python wants to see their escape sequences
_ALWAYS = frozenset({python_encoding[""], "shift_jis"})  # ESC ( B and ESC ( J: ASCII and nearly ASCII
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROLS_BUT_LINES = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

# Longest values in characters (PS3.5 table 6.2-1); of a person's name each component group.
LONGEST = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10240, "PN": 64, "SH": 16,
    "ST": 1024, "TM": 16, "UC": 10240, "UI": 64, "UR": 10240, "UT": 10240,
}  # fmt: skip
# Only these follow Specific Character Set; the others are ASCII (PS3.5 6.1.2.2).
TRANSLATED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
LONG_TEXTS = frozenset({"LT", "ST", "UT", "UR"})  # one value, a backslash in it is a backslash


def codecs_of(terms: Sequence[str]) -> tuple[str, ...]:
    """Return Python's codecs for the values of Specific Character Set, the first one never missing."""
    codecs = [_codec(term) for term in terms[:_MOST_TERMS]]
    first = codecs[0] if codecs else python_encoding[""]
    return (first or "ascii", *(codec for codec in codecs[1:] if codec))


def decode(raw: bytes, codecs: tuple[str, ...]) -> str:
    """Decode a value with the first codec, or with those that its escape sequences choose."""
    text = []
    position, codec = 0, codecs[0]
    for escape in [*_ESCAPE.finditer(raw), None]:
        segment = raw[position : escape.start() if escape else len(raw)]
        text.append(_segment(segment, codec, codecs[0]))
        if escape is None:
            break
        position, chosen = escape.end(), CODES_TO_ENCODINGS.get(escape.group(), "")
        if chosen in _STATEFUL and chosen in codecs:
            position = escape.start()
            codec = chosen
        elif chosen in codecs or chosen in _ALWAYS:
            codec = chosen
        else:
            codec = codecs[0]
            text.append(DAMAGED)
    return "".join(text)


def clean(text: str, vr: str) -> str:
    """Return a text without padding and control characters, no longer than its value representation allows."""
    controls = _CONTROLS_BUT_LINES if vr in LONG_TEXTS else _CONTROLS
    stripped = text.strip("\0").rstrip(" \0") if vr in LONG_TEXTS else text.strip(" \0")
    longest = LONGEST.get(vr, 64)
    if vr == "PN":
        groups = [controls.sub(DAMAGED, group.strip(" \0"))[:longest] for group in stripped.split("=")[:3]]
        return "=".join(groups).rstrip("=")
    return controls.sub(DAMAGED, stripped)[:longest].rstrip(" ")


def _segment(segment: bytes, codec: str, first: str) -> str:
    if codec in _STATEFUL:
        return segment.decode(codec, "replace")
    if codec != first and (reset := _RESET.search(segment)):
        return segment[: reset.start()].decode(codec, "replace") + segment[reset.start() :].decode(first, "replace")
    return segment.decode(codec, "replace")


def _codec(term: str) -> str | None:
    term = term.strip(" \0")
    if term in _CODECS:
        return _CODECS[term]
    sloppy = _SLOPPY_TERM.fullmatch(term)
    if sloppy is None:
        return None
    return _CODECS.get(f"ISO {sloppy[1]} IR {sloppy[2]}" if sloppy[1] else f"ISO_IR {sloppy[2]}")
