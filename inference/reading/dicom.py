"""Reads the frames of a DICOM object: which kinds are graded, what must agree with what, which decoder reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from casebook.words import Reason
from inference.reading import colour, dataset, decoders, encapsulated, jpeg, jpeg2000
from inference.reading.dataset import File, Value
from inference.reading.decoders import Samples
from inference.reading.frame import Frame, of_lossy_jpeg, of_picture
from inference.reading.rejection import MAX_FRAMES, damaged, not_applicable, over_limit, unknown_syntax
from inference.reading.shape import Shape

OWN_MANUFACTURER = "RetinaGate"

# Wide field (77.1.5.5 and 77.1.5.6) joins them with a bundle that is trained on it.
_GRADED = frozenset({
    "1.2.840.10008.5.1.4.1.1.77.1.5.1",  # Ophthalmic Photography 8 Bit
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Photographic
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.7.4",  # Multi-frame True Color Secondary Capture
    "1.2.840.10008.5.1.4.1.1.77.1.5.2",  # Ophthalmic Photography 16 Bit
})  # fmt: skip

_SOP_CLASS, _MANUFACTURER, _SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00080016, 0x00080070, 0x00280002, 0x00280004, 0x00280006
_FRAMES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH = (
    0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102,
)  # fmt: skip
_REPRESENTATION = 0x00280103
_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)

_UNCOMPRESSED = {
    "1.2.840.10008.1.2": False,
    "1.2.840.10008.1.2.1": False,
    dataset.DEFLATED: False,
    "1.2.840.10008.1.2.2": True,  # big endian
}
_RLE = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class _Header:
    """What the image pixel module promises (PS3.3 C.7.6.3)."""

    shape: Shape
    frames: int
    allocated: int
    photometric: str
    planar: int

    @property
    def palette(self) -> bool:
        return self.photometric == colour.PALETTE


def frames(data: bytes) -> Iterator[Frame]:
    """Give the frames of a DICOM file in order.

    Raises:
        Rejected: it holds no photograph that could be graded.
    """
    file = dataset.read(memoryview(data))
    _check_kind(file)
    header = _header(file)
    if file.pixels is None:
        raise damaged("The object has no pixel data.")
    if file.transfer_syntax in _UNCOMPRESSED:
        samples = _native(file, header, file.pixels)
    elif file.transfer_syntax == _RLE:
        samples = _run_length(file, header, file.pixels)
    else:
        yield from _compressed(file, header, file.pixels)
        return
    for one in samples:
        yield of_picture(_rgb(one, header, file, ycbcr=header.photometric in colour.YCBCR))


def _check_kind(file: File) -> None:
    sop_class = file.values.get(_SOP_CLASS)
    if sop_class is None:
        raise damaged("The object does not say what it is.")
    manufacturer = file.values.get(_MANUFACTURER)
    if manufacturer is not None and manufacturer.text() == OWN_MANUFACTURER:
        raise not_applicable(Reason.OWN_OBJECT, "The object was made by RetinaGate.")
    if sop_class.text() not in _GRADED:
        raise not_applicable(Reason.KIND, "Objects of this SOP class are not graded.")


def _header(file: File) -> _Header:
    """Read and check the image pixel module.

    Raises:
        Rejected: it is incomplete, contradicts itself, or promises no colour picture within our limits.
    """

    def number(tag: int, default: int | None = None) -> int:
        value = file.values.get(tag)
        if value is None or (not value.raw and default is not None):
            if default is None:
                raise damaged("The object lacks an attribute of its picture.")
            return default
        return value.number()

    photometric = file.values[_PHOTOMETRIC].text().upper() if _PHOTOMETRIC in file.values else ""
    samples = number(_SAMPLES)
    if photometric in colour.GREY or (samples == 1 and photometric != colour.PALETTE):
        raise not_applicable(Reason.ONE_CHANNEL, "The picture has one channel.")
    if photometric not in colour.RGB_LIKE | colour.YCBCR | {colour.PALETTE}:
        raise unknown_syntax("The picture's colours are in a form that is not read here.")
    shape = Shape(number(_COLUMNS), number(_ROWS), samples, number(_STORED))
    shape.check_size()
    header = _Header(shape, number(_FRAMES, 1), number(_ALLOCATED), photometric, number(_PLANAR, 0))
    if header.frames > MAX_FRAMES:
        raise over_limit("The object has more than 1000 frames.")
    consistent = (
        header.frames >= 1
        and samples == (1 if header.palette else 3)
        and header.allocated in {8, 16}
        and 8 <= shape.bits <= header.allocated
        and number(_HIGH, shape.bits - 1) == shape.bits - 1
        and number(_REPRESENTATION, 0) == 0
        and header.planar in {0, 1}
    )
    if not consistent:
        raise damaged("The attributes of the picture contradict each other.")
    return header


def _native(file: File, header: _Header, pixels: memoryview) -> Iterator[Samples]:
    if file.encapsulated:
        raise damaged("Uncompressed pixel data is encapsulated.")
    shape, halved = header.shape, header.photometric == "YBR_FULL_422"
    size = shape.width * shape.height * (2 if halved else shape.samples) * (header.allocated // 8)
    if len(pixels) != size * header.frames + size * header.frames % 2:  # padded to even (PS3.5 7.1.1)
        raise damaged("The pixel data is shorter or longer than its header says.")
    if _UNCOMPRESSED[file.transfer_syntax] and file.pixel_vr == "OW":
        # Words of big endian, also those that hold two samples of 8 bits (PS3.5 A.3).
        pixels = memoryview(np.frombuffer(pixels, ">u2").astype("<u2").tobytes())
    for number in range(header.frames):
        data = bytes(pixels[number * size : (number + 1) * size])
        yield decoders.native(data, shape, header.allocated, header.photometric, header.planar)


def _run_length(file: File, header: _Header, pixels: memoryview) -> Iterator[Samples]:
    if not file.encapsulated:
        raise damaged("Compressed pixel data is not encapsulated.")
    for data in encapsulated.frames(pixels, header.frames, has_start=False):
        yield decoders.run_length(data, header.shape, header.allocated)


def _compressed(file: File, header: _Header, pixels: memoryview) -> Iterator[Frame]:
    read = _READERS.get(file.transfer_syntax)
    if read is None or header.palette:
        raise unknown_syntax("The transfer syntax is not read here.")
    if not file.encapsulated:
        raise damaged("Compressed pixel data is not encapsulated.")
    for data in encapsulated.frames(pixels, header.frames, has_start=True):
        yield read(data, header, file)


def _lossy(data: bytes, header: _Header, _file: File) -> Frame:
    parsed = jpeg.parse(data)
    if parsed.shape.bits == 12:
        raise unknown_syntax("JPEG of 12 bits is not read yet.")
    _check_agreement(parsed.shape, header)
    if not parsed.lossy:
        raise damaged("The codestream is not of its transfer syntax.")
    if header.photometric == "RGB" and parsed.says_no_colour_space:
        data = jpeg.marked_as_rgb(data)
        parsed = jpeg.parse(data)
    return of_lossy_jpeg(data, parsed)


def _lossless(data: bytes, header: _Header, file: File) -> Frame:
    parsed = jpeg.parse(data)
    _check_agreement(parsed.shape, header)
    if not parsed.lossless:
        raise damaged("The codestream is not of its transfer syntax.")
    if parsed.shape.bits != 8:
        raise unknown_syntax("Lossless JPEG of more than 8 bits is not read.")
    return _frame(decoders.lossless_jpeg(jpeg.bare(data, parsed), parsed.shape), header, file)


def _ls(data: bytes, header: _Header, file: File) -> Frame:
    parsed = jpeg.parse(data)
    _check_agreement(parsed.shape, header)
    if not parsed.lossless_ls:
        raise damaged("The codestream is not of its transfer syntax.")
    return _frame(decoders.jpeg_ls(data, parsed.shape), header, file)


def _jpeg_2000(data: bytes, header: _Header, _file: File) -> Frame:
    parsed = jpeg2000.parse(data)
    _check_agreement(parsed.shape, header)
    picture = decoders.jpeg_2000(data, parsed.shape)
    ycbcr = header.photometric in colour.YCBCR and not parsed.colour_transform
    return of_picture(colour.from_ycbcr(picture) if ycbcr else picture)


def _high_throughput(data: bytes, header: _Header, file: File) -> Frame:
    parsed = jpeg2000.parse(data)
    _check_agreement(parsed.shape, header)
    samples = decoders.high_throughput_jpeg_2000(data, parsed.shape)
    ycbcr = header.photometric in colour.YCBCR and not parsed.colour_transform
    return of_picture(_rgb(samples, header, file, ycbcr=ycbcr))


_READERS: dict[str, Callable[[bytes, _Header, File], Frame]] = {
    "1.2.840.10008.1.2.4.50": _lossy,
    "1.2.840.10008.1.2.4.51": _lossy,
    "1.2.840.10008.1.2.4.57": _lossless,
    "1.2.840.10008.1.2.4.70": _lossless,
    "1.2.840.10008.1.2.4.80": _ls,
    "1.2.840.10008.1.2.4.81": _ls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    "1.2.840.10008.1.2.4.201": _high_throughput,
    "1.2.840.10008.1.2.4.202": _high_throughput,
    "1.2.840.10008.1.2.4.203": _high_throughput,
}


def _check_agreement(shape: Shape, header: _Header) -> None:
    """Compare a codestream's own header with the object's (security P4 to P6, P10).

    Raises:
        Rejected: they disagree; nothing is resized to fit.
    """
    shape.check_size()
    promised = header.shape
    if (shape.width, shape.height, shape.samples) != (promised.width, promised.height, promised.samples):
        raise damaged("The codestream holds another picture than the object says.")
    if not promised.bits <= shape.bits <= header.allocated:
        raise damaged("The codestream's depth is not what the object says.")


def _frame(samples: Samples, header: _Header, file: File) -> Frame:
    return of_picture(_rgb(samples, header, file, ycbcr=header.photometric in colour.YCBCR))


def _rgb(samples: Samples, header: _Header, file: File, *, ycbcr: bool) -> decoders.Picture:
    if header.palette:
        return colour.from_palette(samples, _values(file, _DESCRIPTORS), _values(file, _TABLES))
    picture = colour.to_eight_bits(samples, header.shape.bits)
    return colour.from_ycbcr(picture) if ycbcr else picture


def _values(file: File, tags: tuple[int, int, int]) -> tuple[Value, Value, Value]:
    try:
        red, green, blue = (file.values[tag] for tag in tags)
    except KeyError:
        raise damaged("The object lacks its palette.") from None
    return red, green, blue
