"""Which eye a photograph shows, from the strongest evidence to the weakest. What contradicts itself is never used.

Image Laterality is Type 1 in the Ocular Region Imaged module (PS3.3 C.8.17.5), but cameras leave it empty, and other
classes need not have it at all. Free text is only a hint: it is shown to a person, never taken for true.
"""

import re
from dataclasses import dataclass

from casebook.words import Laterality
from dicom_listener.values import Elements, Encoding, items, text

# SNOMED CT, and the SNOMED-RT codes that older cameras send for the same (PS3.16 CID 244).
_MODIFIERS = {
    "24028007": Laterality.RIGHT,
    "7771000": Laterality.LEFT,
    "51440002": Laterality.BOTH,
    "G-A100": Laterality.RIGHT,
    "G-A101": Laterality.LEFT,
    "G-A102": Laterality.BOTH,
}
_ANATOMY = (
    ("AnatomicRegionSequence", "AnatomicRegionModifierSequence"),
    ("PrimaryAnatomicStructureSequence", "PrimaryAnatomicStructureModifierSequence"),
)
_FREE_TEXTS = ("ImageLaterality", "Laterality", "SeriesDescription", "ProtocolName", "ImageComments")
_HINT = re.compile(r"(?<![A-Za-z])(?:(OD|RIGHT|Right|right)|(OS|LEFT|Left|left)|(OU))(?![A-Za-z])")
_HINTS = (Laterality.RIGHT, Laterality.LEFT, Laterality.BOTH)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an object says about its eye."""

    laterality: Laterality | None
    contradicts: bool
    hint: Laterality | None


def evidence(elements: Elements, encoding: Encoding) -> Evidence:
    """Weigh what an object says about its eye."""
    stated = [
        letter
        for keyword in ("ImageLaterality", "Laterality")
        if (letter := _letter(text(elements, keyword, encoding))) is not None
    ]
    stated += [
        _MODIFIERS[code]
        for region, modifier in _ANATOMY
        for item in items(elements, region)
        for modifying in items(item, modifier)
        if (code := text(modifying, "CodeValue", encoding).upper()) in _MODIFIERS
    ]
    contradicts = len(set(stated)) > 1
    return Evidence(
        laterality=stated[0] if stated and not contradicts else None,
        contradicts=contradicts,
        hint=None if stated and not contradicts else _hint(elements, encoding),
    )


def _letter(value: str) -> Laterality | None:
    try:
        return Laterality(value.upper())
    except ValueError:
        return None


def _hint(elements: Elements, encoding: Encoding) -> Laterality | None:
    found = {
        _HINTS[match.lastindex - 1]
        for keyword in _FREE_TEXTS
        for match in _HINT.finditer(text(elements, keyword, encoding))
        if match.lastindex is not None
    }
    return found.pop() if len(found) == 1 else None
