"""The heat-map over the photograph as a Secondary Capture: our own JPEG wrapped, never decoded (PS3.3 A.8)."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from casebook.errors import BadInput
from casebook.words import HEATMAP_SENTENCE, RESEARCH_USE
from reporting import attributes, codes, layout
from reporting.layout import Place
from reporting.source import Examination, FrameAnswer, Source

SERIES_DESCRIPTION = "RetinaGate heat-map (research use)"
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE = 0xC0


@dataclass(frozen=True, slots=True)
class Jpeg:
    """What the frame header of a JPEG says (ITU-T T.81 B.2.2)."""

    rows: int
    columns: int
    is_subsampled: bool


def build(examination: Examination, place: Place, jpeg: bytes) -> Dataset:
    """Return the overlay of one frame.

    Args:
        examination: the revision.
        place: the overlay's identity; names its photograph and frame.
        jpeg: the finished picture, JPEG baseline, three components.

    Raises:
        BadInput: the picture is no such JPEG.
    """
    source, answer = place.source, place.answer
    if source is None or answer is None:
        raise ValueError("an overlay belongs to a frame")
    shape = read_jpeg(jpeg)
    result = Dataset()
    result.SOPClassUID = place.sop_class_uid
    result.SOPInstanceUID = place.sop_instance_uid
    result.SeriesInstanceUID = place.series_instance_uid
    result.SeriesNumber = place.series_number
    result.InstanceNumber = place.instance_number
    attributes.identify(result, examination.attributes, examination.study_instance_uid)
    attributes.sign(result, examination.identity, examination.written_at, [source.attributes])
    _describe(result, source, answer)
    _refer(result, source, answer, keeps_pixels=(shape.rows, shape.columns) == (source.rows, source.columns))
    _picture(result, source, shape, jpeg)
    return result


def read_jpeg(data: bytes) -> Jpeg:
    """Return the size of a baseline JPEG with three components and whether its colour is subsampled.

    Raises:
        BadInput: it is not one; only what really is baseline may go out as 1.2.840.10008.1.2.4.50.
    """
    position = 2
    while data[:2] == b"\xff\xd8" and position + 12 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if marker in _START_OF_FRAME:
            rows, columns = (int.from_bytes(data[position + at : position + at + 2]) for at in (5, 7))
            if marker != _BASELINE or data[position + 9] != 3:
                break
            return Jpeg(rows, columns, is_subsampled=data[position + 11] != 0x11)
        position += 2 + length
    raise BadInput("The heat-map is not a baseline JPEG in colour.", "Grade the case again.")


def _describe(result: Dataset, source: Source, answer: FrameAnswer) -> None:
    result.Modality = "OT"
    result.ConversionType = "WSD"
    result.SeriesDescription = SERIES_DESCRIPTION
    result.ImageType = ["DERIVED", "SECONDARY"]
    grader = f" {answer.grader.name} {answer.grader.version}" if answer.grader is not None else ""
    result.DerivationDescription = f"Heat-map of{grader}. {HEATMAP_SENTENCE} {RESEARCH_USE}"
    result.SecondaryCaptureDeviceManufacturer = attributes.MANUFACTURER
    result.SecondaryCaptureDeviceManufacturerModelName = attributes.MODEL
    result.SecondaryCaptureDeviceSoftwareVersions = attributes.software_version()
    result.AnatomicRegionSequence = [attributes.coded(codes.RETINA)]
    result.PatientOrientation = ""
    result.BurnedInAnnotation = "NO"
    result.RecognizableVisualFeatures = "NO"
    if source.laterality is not None:
        result.ImageLaterality = str(source.laterality)
    else:
        result.Laterality = ""  # Type 2C where Image Laterality says nothing (PS3.3 C.7.3.1)


def _refer(result: Dataset, source: Source, answer: FrameAnswer, *, keeps_pixels: bool) -> None:
    image = attributes.reference(source.sop_class_uid, source.sop_instance_uid)
    if source.number_of_frames > 1:
        image.ReferencedFrameNumber = answer.frame
    image.PurposeOfReferenceCodeSequence = [attributes.coded(codes.SOURCE_IMAGE)]
    image.SpatialLocationsPreserved = "YES" if keeps_pixels else "NO"
    result.SourceImageSequence = [image]
    if not keeps_pixels:
        result.DerivationCodeSequence = [attributes.coded(codes.SPATIAL_RESAMPLING)]
    series = Dataset()
    series.SeriesInstanceUID = source.series_instance_uid
    series.ReferencedInstanceSequence = [attributes.reference(source.sop_class_uid, source.sop_instance_uid)]
    result.ReferencedSeriesSequence = [series]


def _picture(result: Dataset, source: Source, shape: Jpeg, jpeg: bytes) -> None:
    result.SamplesPerPixel = 3
    result.PhotometricInterpretation = "YBR_FULL_422" if shape.is_subsampled else "YBR_FULL"
    result.PlanarConfiguration = 0
    result.Rows, result.Columns = shape.rows, shape.columns
    result.BitsAllocated = result.BitsStored = 8
    result.HighBit = 7
    result.PixelRepresentation = 0
    ratios, methods = _earlier_losses(source)
    result.LossyImageCompression = "01"
    result.LossyImageCompressionRatio = [*ratios, round(shape.rows * shape.columns * 3 / len(jpeg), 2)]
    result.LossyImageCompressionMethod = [*methods, _LOSSY[layout.JPEG_BASELINE]]
    result.PixelData = encapsulate([jpeg])
    result["PixelData"].VR = "OB"


def _earlier_losses(source: Source) -> tuple[list[float], list[str]]:
    """Return ratio and method of each lossy step before ours: once lossy is always lossy (PS3.3 C.7.6.1.1.5)."""
    known = source.attributes
    method = _LOSSY.get(UID(source.transfer_syntax_uid))
    if known.get("LossyImageCompression") != "01" and method is None:
        return [], []
    ratios, methods = _values(known, "LossyImageCompressionRatio"), _values(known, "LossyImageCompressionMethod")
    if ratios and len(ratios) == len(methods):
        return [float(ratio) for ratio in ratios], methods
    pixels = (source.rows or 0) * (source.columns or 0) * 3 * source.number_of_frames
    return [round(max(1.0, pixels / source.size), 2)], [method or _LOSSY[layout.JPEG_BASELINE]]


def _values(dataset: Dataset, keyword: str) -> list[str]:
    if not dataset.get(keyword):
        return []
    element = dataset[keyword]
    return [str(value) for value in (element.value if element.VM > 1 else [element.value])]
