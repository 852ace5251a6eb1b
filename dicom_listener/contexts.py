"""What may be sent to us: SOP classes and transfer syntaxes, as data in order of preference.

As acceptor pynetdicom takes the first transfer syntax of *our* list that the peer proposed, so the order has effect:
JPEG first keeps a camera from decompressing 20 MB for us. Only these classes are registered; with all 170 storage
classes one association costs six times as much to set up.
"""

from dataclasses import dataclass
from enum import StrEnum

VERIFICATION = "1.2.840.10008.1.1"
_STORAGE = "1.2.840.10008.5.1.4.1.1."

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
PICTURES = (
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    EXPLICIT_LITTLE,
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.51",  # JPEG extended; 12 bit is stored and called unreadable
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    IMPLICIT_LITTLE,
    EXPLICIT_BIG,
)


class Treatment(StrEnum):
    """What becomes of an object of a class."""

    GRADED = "graded"  # the gate decides whether it is a fundus photograph
    STORED = "stored"  # kept, never graded: routers send whole studies


@dataclass(frozen=True, slots=True)
class SopClass:
    """A storage SOP class we take (PS3.4 B.5)."""

    uid: str
    name: str
    treatment: Treatment
    transfer_syntaxes: tuple[str, ...] = PICTURES


_GRADED, _STORED = Treatment.GRADED, Treatment.STORED
STORAGE_CLASSES = tuple(
    SopClass(_STORAGE + suffix, name, treatment, syntaxes)
    for suffix, name, treatment, syntaxes in (
        ("77.1.5.1", "Ophthalmic Photography 8 Bit", _GRADED, PICTURES),
        ("77.1.4", "VL Photographic", _GRADED, PICTURES),
        ("7", "Secondary Capture", _GRADED, PICTURES),
        # Wide field waits for a bundle that was trained on it.
        ("77.1.5.5", "Wide Field Ophthalmic Photography Stereographic Projection", _STORED, PICTURES),
        ("77.1.5.6", "Wide Field Ophthalmic Photography 3D Coordinates", _STORED, PICTURES),
        ("7.4", "Multi-frame True Color Secondary Capture", _GRADED, PICTURES),
        ("77.1.5.2", "Ophthalmic Photography 16 Bit", _GRADED, PICTURES),
        ("77.1.1", "VL Endoscopic", _STORED, PICTURES),
        ("7.2", "Multi-frame Grayscale Byte Secondary Capture", _STORED, PICTURES),
        ("7.3", "Multi-frame Grayscale Word Secondary Capture", _STORED, PICTURES),
        ("7.1", "Multi-frame Single Bit Secondary Capture", _STORED, PICTURES),
        ("77.1.5.4", "Ophthalmic Tomography", _STORED, PICTURES),
        ("77.1.5.7", "Ophthalmic Optical Coherence Tomography En Face", _STORED, PICTURES),
        ("104.1", "Encapsulated PDF", _STORED, UNCOMPRESSED),
        ("88.34", "Comprehensive 3D SR", _STORED, UNCOMPRESSED),
        ("88.22", "Enhanced SR", _STORED, UNCOMPRESSED),
        ("88.33", "Comprehensive SR", _STORED, UNCOMPRESSED),
        ("88.59", "Key Object Selection", _STORED, UNCOMPRESSED),
        ("30", "Parametric Map", _STORED, UNCOMPRESSED),
    )
)
_GRADABLE = frozenset(sop_class.uid for sop_class in STORAGE_CLASSES if sop_class.treatment is Treatment.GRADED)


def is_gradable(sop_class_uid: str) -> bool:
    """Say whether an object of this class may show a retina, as far as its class tells."""
    return sop_class_uid in _GRADABLE


def supported(*, accept_deflated: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return every abstract syntax with the transfer syntaxes we take for it, in order.

    Args:
        accept_deflated: whether Deflated Explicit VR Little Endian is taken: one megabyte of it can unfold to a
            gigabyte, so it is off unless a site needs it.
    """
    last = (DEFLATED,) if accept_deflated else ()
    storage = tuple((sop_class.uid, sop_class.transfer_syntaxes + last) for sop_class in STORAGE_CLASSES)
    return (*storage, (VERIFICATION, UNCOMPRESSED))
