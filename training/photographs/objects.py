"""What a DICOM object says about its photograph: whose it is and which eye, read without its pixels."""

import mmap
from dataclasses import dataclass
from pathlib import Path

from inference.reading import dataset
from inference.reading.rejection import Rejected

_SOP_INSTANCE, _STUDY, _PATIENT, _LATERALITY, _IMAGE_LATERALITY = (
    0x00080018, 0x0020000D, 0x00100020, 0x00200060, 0x00200062,
)  # fmt: skip
# PS3.6: their value representations, for objects that do not write them down
_ALSO = {_SOP_INSTANCE: b"UI", _STUDY: b"UI", _PATIENT: b"LO", _LATERALITY: b"CS", _IMAGE_LATERALITY: b"CS"}


@dataclass(frozen=True, slots=True)
class Header:
    """The part of an object that training needs.

    Attributes:
        sop_instance_uid: its name.
        patient: Patient ID; where it was taken away, the study: that is one person's too. Nothing if both are missing.
        laterality: R, L, or nothing where the object says neither or both.
    """

    sop_instance_uid: str
    patient: str
    laterality: str


def header_of(path: Path) -> Header | None:
    """Read an object's header; None where the file is no DICOM object, or one that cannot be read."""
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                return None
            # Mapped, not read: of an object of 30 MB only the header's pages are touched.
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        values = dataset.read(data, also=_ALSO).values
    except (OSError, Rejected):
        return None

    def text(tag: int) -> str:
        # Latin-1 keeps apart what differs, whatever the character set.
        return values[tag].raw.decode("latin-1").strip(" \0") if tag in values else ""

    said = {text(_IMAGE_LATERALITY).upper(), text(_LATERALITY).upper()} - {""}
    return Header(
        sop_instance_uid=text(_SOP_INSTANCE),
        patient=text(_PATIENT) or text(_STUDY),
        laterality=said.pop() if said in ({"R"}, {"L"}) else "",
    )
