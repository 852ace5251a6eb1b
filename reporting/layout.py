"""Where results stand in the study: series, numbers and identities, the same however often they are derived.

One object has one UID and one byte string, for every destination (PS3.5 9; conventions 17).
"""

from dataclasses import dataclass

from casebook.uids import derived_uid
from casebook.words import Product
from reporting.source import Examination, FrameAnswer, Source

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"

SERIES_NUMBERS = {Product.SR: 9001, Product.OVERLAY: 9002}
_CLASSES = {Product.SR: COMPREHENSIVE_3D_SR, Product.OVERLAY: SECONDARY_CAPTURE}
_SYNTAXES = {Product.SR: EXPLICIT_LITTLE_ENDIAN, Product.OVERLAY: JPEG_BASELINE}


@dataclass(frozen=True, slots=True)
class Place:
    """The identity of one result; without a source it speaks about the whole revision."""

    product: Product
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    transfer_syntax_uid: str
    source: Source | None = None
    answer: FrameAnswer | None = None


def places(examination: Examination) -> tuple[Place, ...]:
    """Return every result of a revision: one overlay for each frame with a heat-map, then the report."""
    frames = [
        (source, answer) for source in examination.sources for answer in source.frames if answer.overlay is not None
    ]
    overlays = [
        # Numbers go on through the revisions, as they share one series.
        _place(examination, Product.OVERLAY, examination.revision * 1000 + number, source, answer)
        for number, (source, answer) in enumerate(frames, start=1)
    ]
    return (*overlays, _place(examination, Product.SR, examination.revision))


def encoding(product: Product) -> tuple[str, str]:
    """Return SOP class and transfer syntax of a product's objects."""
    return _CLASSES[product], _SYNTAXES[product]


def tracking_uid(source: Source, frame: int) -> str:
    """Return what makes a finding of the same frame recognisable in every revision (TID 4108)."""
    return derived_uid("tracking", source.sop_instance_uid, frame)


def observer_uid(identity: str) -> str:
    """Return the UID of this installation as an observer (TID 1004)."""
    return derived_uid(identity, "observer")


def _place(
    examination: Examination,
    product: Product,
    instance_number: int,
    source: Source | None = None,
    answer: FrameAnswer | None = None,
) -> Place:
    study = (examination.identity, examination.study_instance_uid)
    part: tuple[str | int, ...] = ()
    if source is not None and answer is not None:
        part = (source.sop_instance_uid, answer.frame)
    sop_class_uid, transfer_syntax_uid = encoding(product)
    return Place(
        product=product,
        sop_instance_uid=derived_uid(*study, examination.revision, product, *part),
        sop_class_uid=sop_class_uid,
        series_instance_uid=derived_uid(*study, product),
        series_number=SERIES_NUMBERS[product],
        instance_number=instance_number,
        transfer_syntax_uid=transfer_syntax_uid,
        source=source,
        answer=answer,
    )
