"""The Structured Report: Comprehensive 3D SR, TID 1500, one TID 1410 group for each photograph (PS3.16).

TID 1410 and 1501 never stand in one document: validators and OHIF refuse the mixture.
"""

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from casebook.outcome import conclusion
from casebook.words import Product
from reporting import attributes, codes, layout
from reporting.layout import Place
from reporting.measurements import group
from reporting.source import Examination, Predecessor, Source

SERIES_DESCRIPTION = "RetinaGate report (research use)"
# What highdicom demands of its evidence; a source without them would make it raise.
_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
)
_CONTAINS = RelationshipTypeValues.CONTAINS
_ACQUIRED = RelationshipTypeValues.HAS_ACQ_CONTEXT


def build(examination: Examination, place: Place) -> Dataset:
    """Return the report of a revision; the same revision always gives the same report.

    Args:
        examination: the revision.
        place: the report's identity.
    """
    overlays = {
        (other.source.id, other.answer.frame): other
        for other in layout.places(examination)
        if other.product is Product.OVERLAY and other.source is not None and other.answer is not None
    }
    study, predecessor = examination.study_instance_uid, examination.predecessor
    parts: list[Source | Place] = [*examination.sources, *overlays.values()]
    document = Comprehensive3DSR(
        evidence=[_header(study, part) for part in parts],
        content=_content(examination, overlays)[0],
        series_instance_uid=place.series_instance_uid,
        series_number=place.series_number,
        sop_instance_uid=place.sop_instance_uid,
        instance_number=place.instance_number,
        is_complete=True,
        is_verified=False,
        is_final=False,
        previous_versions=[_header(study, predecessor)] if predecessor is not None else None,
        requested_procedures=examination.attributes.get("ReferencedRequestSequence"),
        specific_character_set=attributes.UTF_8,
        series_description=SERIES_DESCRIPTION,
    )
    result = Dataset()
    result.update(document)  # a plain data set: what highdicom holds beside it is not ours to keep
    attributes.identify(result, examination.attributes, examination.study_instance_uid)
    attributes.sign(result, examination.identity, examination.written_at, examination.cameras)
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.OUR_SCHEME
    scheme.CodingSchemeName = "RetinaGate codes"
    scheme.CodingSchemeResponsibleOrganization = attributes.MANUFACTURER
    result.CodingSchemeIdentificationSequence = [scheme]
    return result


def _content(examination: Examination, overlays: dict[tuple[int, int], Place]) -> MeasurementReport:
    frames = [(source, answer) for source in examination.sources for answer in source.frames]
    frames.sort(key=lambda frame: -1 if frame[1].grade is None else frame[1].grade, reverse=True)  # worse eye first
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(examination)),
        procedure_reported=codes.PROCEDURE,
        imaging_measurements=[
            group(source, answer, overlays.get((source.id, answer.frame))) for source, answer in frames
        ],
        title=codes.REPORT_TITLE,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept.from_code(codes.ENGLISH)
        ),
    )
    items = report[0].ContentSequence
    items.insert(len(items) - 1, _image_library(examination.sources))
    items.append(_conclusion(examination))
    return report


def _observer(examination: Examination) -> ObserverContext:
    return ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=layout.observer_uid(examination.identity),
            name=attributes.MANUFACTURER,
            manufacturer_name=attributes.MANUFACTURER,
            model_name=attributes.MODEL,
            serial_number=examination.identity,
        ),
    )


def _image_library(sources: tuple[Source, ...]) -> ContainerContentItem:
    """Return TID 1600 by hand: highdicom's refuses the wide-field classes."""
    images = []
    for source in sources:
        image = ImageContentItem(
            codes.SOURCE, source.sop_class_uid, source.sop_instance_uid, relationship_type=_CONTAINS
        )
        modality = codes.modality(source.attributes.get("Modality", ""))
        image.ContentSequence = ContentSequence([CodeContentItem(codes.MODALITY, modality, _ACQUIRED)])
        for name, pixels in ((codes.PIXEL_DATA_ROWS, source.rows), (codes.PIXEL_DATA_COLUMNS, source.columns)):
            if pixels is not None:
                image.ContentSequence.append(NumContentItem(name, pixels, codes.PIXELS, relationship_type=_ACQUIRED))
        images.append(image)
    library_group = ContainerContentItem(codes.IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    library_group.ContentSequence = ContentSequence(images)
    library = ContainerContentItem(codes.IMAGE_LIBRARY, relationship_type=_CONTAINS)
    library.ContentSequence = ContentSequence([library_group])
    return library


def _conclusion(examination: Examination) -> ContainerContentItem:
    text = TextContentItem(codes.CONCLUSION, " ".join(conclusion(examination.outcome)), relationship_type=_CONTAINS)
    container = ContainerContentItem(CodedConcept.from_code(codes.QUALITATIVE_EVALUATIONS), relationship_type=_CONTAINS)
    container.ContentSequence = ContentSequence([text])
    return container


def _header(study_instance_uid: str, part: Source | Place | Predecessor) -> Dataset:
    """Return what highdicom wants to know of an instance; the empty values are overwritten by ``identify``."""
    header = Dataset()
    for keyword in _EMPTY:
        setattr(header, keyword, "")
    header.StudyInstanceUID = study_instance_uid
    header.SeriesInstanceUID = part.series_instance_uid
    header.SOPClassUID = part.sop_class_uid
    header.SOPInstanceUID = part.sop_instance_uid
    return header
