import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import dicom_objects as objects
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import UID

from casebook.words import Gradability, Reason
from inference import reader
from inference.reader import Rejected

SYNTAXES = [*objects.NATIVE, *objects.ENCAPSULATED]


def read(data: bytes, folder: Path) -> list[reader.Frame]:
    path = folder / "file"
    path.write_bytes(data)
    return list(reader.frames(path))


def refusal(data: bytes, folder: Path) -> tuple[Gradability, Reason]:
    with pytest.raises(Rejected) as rejected:
        read(data, folder)
    return rejected.value.gradability, rejected.value.reason


DAMAGED = (Gradability.UNREADABLE, Reason.DAMAGED)
LIMITS = (Gradability.UNREADABLE, Reason.LIMITS)
SYNTAX = (Gradability.UNREADABLE, Reason.SYNTAX)


@pytest.mark.parametrize("name", SYNTAXES)
def test_every_syntax_gives_the_picture(name: str, tmp_path: Path) -> None:
    (frame,) = read(objects.whole(name), tmp_path)
    assert (frame.width, frame.height, frame.reduction) == (72, 48, 1)
    assert frame.picture.dtype == np.uint8
    difference = np.abs(frame.picture.astype(int) - objects.eye())
    assert difference.max() <= objects.LOSSY.get(name, 0)
    assert difference.mean() < 6


@pytest.mark.parametrize("name", SYNTAXES)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_performance_P21_part_of_an_object_is_damaged(name: str, part: float, tmp_path: Path) -> None:
    data = objects.whole(name)
    assert refusal(data[: int(len(data) * part)], tmp_path) == DAMAGED


@pytest.mark.parametrize("name", objects.ENCAPSULATED)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", b"\xff\xd9" + bytes(2000)])
def test_security_P1_P2_part_of_a_codestream_is_damaged(name: str, part: float, end: bytes, tmp_path: Path) -> None:
    data = objects.stream(name)
    assert refusal(objects.with_stream(name, data[: int(len(data) * part)] + end), tmp_path) == DAMAGED


@pytest.mark.parametrize("name", objects.NATIVE)
@pytest.mark.parametrize("change", [-2, -5000, 2, 5000, 48 * 72 * 3])
def test_security_P11_raw_pixels_of_the_wrong_length_are_damaged(name: str, change: int, tmp_path: Path) -> None:
    pixels = objects.eye().tobytes() + bytes(max(change, 0))
    dataset = objects.photograph(objects.eye(), PixelData=pixels[: 48 * 72 * 3 + change])
    dataset.file_meta.TransferSyntaxUID = UID(objects.NATIVE[name])
    assert refusal(objects.written(dataset), tmp_path) == DAMAGED


@pytest.mark.parametrize("name", ["jpeg_baseline", "jpeg_extended", "jpeg_lossless_sv1", "jpeg_ls"])
def test_security_P3_inverted_bytes_in_the_scan_are_damaged(name: str, tmp_path: Path) -> None:
    data = bytearray(objects.stream(name))
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(255 - value for value in data[middle : middle + 50])
    assert refusal(objects.with_stream(name, bytes(data)), tmp_path) == DAMAGED


@pytest.mark.parametrize("name", sorted(set(objects.ENCAPSULATED) - {"rle"}))  # runs do not say where a row ends
@pytest.mark.parametrize("attributes", [{"Rows": 47}, {"Columns": 71}, {"Rows": 72, "Columns": 48}])
def test_security_P4_a_header_that_disagrees_is_damaged(name: str, attributes: dict[str, int], tmp_path: Path) -> None:
    assert refusal(objects.with_stream(name, objects.stream(name), **attributes), tmp_path) == DAMAGED


@pytest.mark.parametrize("name", objects.ENCAPSULATED)
@pytest.mark.parametrize(
    "rubbish",
    [b"\0\0", b"GIF89a" + bytes(100), b"II*\0" + bytes(100), b"<html>" + bytes(100), b"\x89PNG\r\n\x1a\n" + bytes(100)],
)
def test_security_P7_a_fragment_of_another_kind_is_damaged(name: str, rubbish: bytes, tmp_path: Path) -> None:
    assert refusal(objects.with_stream(name, rubbish), tmp_path) == DAMAGED


FAMILIES = [
    {"rle"}, {"jpeg_baseline", "jpeg_extended"}, {"jpeg_lossless", "jpeg_lossless_sv1"}, {"jpeg_ls", "jpeg_ls_near"},
    {"jpeg_2000", "jpeg_2000_lossy", "htj2k", "htj2k_rpcl", "htj2k_lossy"},
]  # fmt: skip
STRANGERS = [
    (name, min(other)) for family in FAMILIES for name in sorted(family) for other in FAMILIES if other is not family
]


@pytest.mark.parametrize(("name", "other"), STRANGERS)
def test_security_P7_the_transfer_syntax_alone_chooses_the_decoder(name: str, other: str, tmp_path: Path) -> None:
    assert refusal(objects.with_stream(name, objects.stream(other)), tmp_path) == DAMAGED


@pytest.mark.parametrize("name", ["jpeg_baseline", "jpeg_2000", "rle"])
@pytest.mark.parametrize(
    ("frames", "expected"), [(2, DAMAGED), (1001, LIMITS), (10**9, LIMITS), (0, DAMAGED), (-1, DAMAGED)]
)
def test_security_P9_D17_the_number_of_frames_must_be_true(
    name: str, frames: int, expected: tuple[Gradability, Reason], tmp_path: Path
) -> None:
    assert refusal(objects.with_stream(name, objects.stream(name), NumberOfFrames=frames), tmp_path) == expected


@pytest.mark.parametrize("name", ["jpeg_baseline", "jpeg_2000", "rle"])
def test_security_P9_two_codestreams_are_not_one_frame(name: str, tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    dataset = objects.photograph(objects.eye())
    dataset.file_meta.TransferSyntaxUID = UID(objects.ENCAPSULATED[name])
    dataset.PixelData = encapsulate([objects.stream(name)] * 2)
    dataset["PixelData"].is_undefined_length = True
    assert refusal(objects.written(dataset), tmp_path) == DAMAGED
    dataset.NumberOfFrames = 2
    assert len(read(objects.written(dataset), tmp_path)) == 2


def test_a_codestream_in_many_fragments_is_joined(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    dataset = objects.photograph(objects.eye())
    dataset.file_meta.TransferSyntaxUID = UID(objects.ENCAPSULATED["jpeg_baseline"])
    dataset.PixelData = encapsulate([objects.stream("jpeg_baseline")], fragments_per_frame=5)
    dataset["PixelData"].is_undefined_length = True
    (frame,) = read(objects.written(dataset), tmp_path)
    assert np.abs(frame.picture.astype(int) - objects.eye()).mean() < 4


@pytest.mark.parametrize("marker", [0xC0, 0xC3, 0xF7])
def test_security_P5_P6_an_enormous_picture_is_refused_before_decoding(marker: int, tmp_path: Path) -> None:
    name = {0xC0: "jpeg_baseline", 0xC3: "jpeg_lossless", 0xF7: "jpeg_ls"}[marker]
    data = bytearray(objects.stream(name))
    place = data.index(bytes((0xFF, marker)))
    data[place + 5 : place + 9] = (30000).to_bytes(2, "big") * 2
    assert refusal(objects.with_stream(name, bytes(data)), tmp_path) == LIMITS
    assert refusal(objects.with_stream(name, bytes(data), Rows=30000, Columns=30000), tmp_path) == LIMITS
    if marker == 0xC0:
        assert refusal(bytes(data), tmp_path) == LIMITS


def test_security_P13_an_enormous_jpeg_2000_or_one_of_too_many_tiles_is_refused(tmp_path: Path) -> None:
    data = bytearray(objects.stream("jpeg_2000"))
    data[8:16] = (60000).to_bytes(4, "big") * 2
    assert refusal(objects.with_stream("jpeg_2000", bytes(data)), tmp_path) == LIMITS
    data = bytearray(objects.stream("jpeg_2000"))
    data[8:16] = (2000).to_bytes(4, "big") * 2
    data[24:32] = (1).to_bytes(4, "big") * 2
    assert refusal(objects.with_stream("jpeg_2000", bytes(data), Rows=2000, Columns=2000), tmp_path) == LIMITS
    data = bytearray(objects.stream("jpeg_2000"))
    data[40:42] = (16384).to_bytes(2, "big")
    assert refusal(objects.with_stream("jpeg_2000", bytes(data)), tmp_path) == DAMAGED


def test_security_P6_a_png_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    import zlib

    data = bytearray((objects.STREAMS / "eye.png").read_bytes())
    data[16:24] = (16384).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert refusal(bytes(data), tmp_path) == LIMITS


def test_security_P12_runs_that_fill_more_than_the_picture_are_damaged(tmp_path: Path) -> None:
    offsets = (3, 64, 64 + 30000, 64 + 60000)
    header = b"".join(value.to_bytes(4, "little") for value in offsets).ljust(64, b"\0")
    runs = bytes((129, 7)) * 15000
    assert refusal(objects.with_stream("rle", header + runs * 3), tmp_path) == DAMAGED
    wild = b"".join(value.to_bytes(4, "little") for value in (3, 64, 0xFFFFFFF0, 0xFFFFFFF0)).ljust(64, b"\0")
    assert refusal(objects.with_stream("rle", wild + runs), tmp_path) == DAMAGED
    many = (16).to_bytes(4, "little").ljust(64, b"\1")
    assert refusal(objects.with_stream("rle", many + runs), tmp_path) == DAMAGED


@pytest.mark.parametrize(
    "attributes",
    [
        {"SamplesPerPixel": 2}, {"SamplesPerPixel": 7}, {"BitsAllocated": 1}, {"BitsAllocated": 24},
        {"BitsAllocated": 32}, {"BitsStored": 12}, {"HighBit": 5}, {"PlanarConfiguration": 2},
        {"PixelRepresentation": 1}, {"Rows": 0}, {"Rows": None}, {"BitsAllocated": None}, {"PixelData": None},
    ],
)  # fmt: skip
def test_security_P11_attributes_that_contradict_each_other_are_damaged(
    attributes: dict[str, int | None], tmp_path: Path
) -> None:
    assert refusal(objects.written(objects.photograph(objects.eye(), **attributes)), tmp_path) == DAMAGED


@pytest.mark.parametrize("photometric", ["CMYK", "ARGB", "HSV", "YBR_PARTIAL_420", "XYB", "RGB2"])
def test_colours_in_a_form_we_do_not_know_are_not_read(photometric: str, tmp_path: Path) -> None:
    dataset = objects.photograph(objects.eye(), PhotometricInterpretation=photometric)
    assert refusal(objects.written(dataset), tmp_path) == SYNTAX


@pytest.mark.parametrize(
    "sop_class",
    [
        "77.1.5.5", "77.1.5.6", "77.1.1", "7.1", "7.2", "7.3", "77.1.5.4", "77.1.5.7", "104.1", "88.34", "88.22",
        "88.33", "88.59", "30", "4", "2", "6.1", "1",
    ],
)  # fmt: skip
def test_other_kinds_of_objects_are_not_applicable(sop_class: str, tmp_path: Path) -> None:
    dataset = objects.photograph(objects.eye(), SOPClassUID="1.2.840.10008.5.1.4.1.1." + sop_class)
    assert refusal(objects.written(dataset), tmp_path) == (Gradability.NOT_APPLICABLE, Reason.KIND)


def test_our_own_objects_are_not_applicable(tmp_path: Path) -> None:
    dataset = objects.photograph(objects.eye(), Manufacturer="RetinaGate")
    assert refusal(objects.written(dataset), tmp_path) == (Gradability.NOT_APPLICABLE, Reason.OWN_OBJECT)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_one_channel_is_not_applicable(photometric: str, tmp_path: Path) -> None:
    grey = objects.eye()[..., 1].copy()
    dataset = objects.photograph(
        objects.eye(), SamplesPerPixel=1, PhotometricInterpretation=photometric, PixelData=grey.tobytes()
    )
    assert refusal(objects.written(dataset), tmp_path) == (Gradability.NOT_APPLICABLE, Reason.ONE_CHANNEL)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_bare_file_with_one_channel_is_not_applicable(kind: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(objects.eye()).convert("L").save(buffer, kind)
    assert refusal(buffer.getvalue(), tmp_path) == (Gradability.NOT_APPLICABLE, Reason.ONE_CHANNEL)


def test_twelve_bit_jpeg_is_a_syntax_we_do_not_read_yet(tmp_path: Path) -> None:
    data = objects.with_stream(
        "jpeg_extended", (objects.STREAMS / "eye_12bit.jpg").read_bytes(), BitsAllocated=16, BitsStored=12, HighBit=11
    )
    assert refusal(data, tmp_path) == SYNTAX


def test_an_unknown_transfer_syntax_is_named_so(tmp_path: Path) -> None:
    data = objects.whole("jpeg_baseline").replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.99")
    assert refusal(data, tmp_path) == SYNTAX


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", DAMAGED), (b"hello", SYNTAX), (bytes(200), SYNTAX), (b"%PDF-1.4", SYNTAX), (b"GIF89a" + bytes(50), SYNTAX),
     (b"\xff\xd8", DAMAGED), (b"\x89PNG\r\n\x1a\n", DAMAGED), (bytes(128) + b"DICM", DAMAGED)],
)  # fmt: skip
def test_rubbish_is_answered(data: bytes, expected: tuple[Gradability, Reason], tmp_path: Path) -> None:
    assert refusal(data, tmp_path) == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_part_of_a_bare_file_is_damaged(kind: str, part: float, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(objects.eye()).save(buffer, kind)
    data = buffer.getvalue()
    assert refusal(data[: int(len(data) * part)], tmp_path) == DAMAGED
    assert refusal(data[: int(len(data) * part)] + b"\xff\xd9", tmp_path) == DAMAGED


def test_a_progressive_jpeg_cut_between_two_scans_is_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(objects.eye()).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    assert len(read(data, tmp_path)) == 1
    last_scan = data.rindex(b"\xff\xda")
    assert refusal(data[:last_scan] + b"\xff\xd9", tmp_path) == DAMAGED


def test_security_W34_exif_turns_a_bare_file_once_and_a_dicom_object_never(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(objects.eye()).save(buffer, "JPEG", exif=exif, quality=95, subsampling=0)
    (bare,) = read(buffer.getvalue(), tmp_path)
    assert (bare.width, bare.height) == (48, 72)
    assert np.abs(bare.picture.astype(int) - np.rot90(objects.eye(), -1)).mean() < 4
    assert bare.jpeg is None
    (wrapped,) = read(objects.with_stream("jpeg_baseline", buffer.getvalue()), tmp_path)
    assert (wrapped.width, wrapped.height) == (72, 48)
    assert wrapped.jpeg is not None
    assert b"Exif" not in wrapped.jpeg


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_exif_orientation_is_what_pillow_makes_of_it(kind: str, orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(objects.eye()).save(buffer, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(buffer.getvalue()))))
    (frame,) = read(buffer.getvalue(), tmp_path)
    assert np.abs(frame.picture.astype(int) - expected).max() <= 2


def test_a_large_jpeg_is_decoded_reduced_and_a_lossless_one_averaged_alike(tmp_path: Path) -> None:
    from inference import phantom

    drawn = Image.fromarray(phantom.draw(3, lesions=phantom.FEW, size=825))
    picture = np.asarray(drawn.resize((3301, 3301)))[:2001]
    jpeg, png = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG", quality=95, subsampling=0)
    Image.fromarray(picture).save(png, "PNG", compress_level=1)
    (lossy,) = read(jpeg.getvalue(), tmp_path)
    (lossless,) = read(png.getvalue(), tmp_path)
    assert lossy.reduction == lossless.reduction == 2
    assert lossy.picture.shape == lossless.picture.shape == (1001, 1651, 3)
    assert np.abs(lossy.picture.astype(int) - lossless.picture).mean() < 1.5
    assert lossy.whole().shape == lossless.whole().shape == (2001, 3301, 3)


FIXED = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("name", SYNTAXES)
@FIXED
@given(st.data())
def test_mutated_bytes_end_in_a_picture_or_in_a_word_of_ours(name: str, tmp_path: Path, data: st.DataObject) -> None:
    spoiled = bytearray(objects.whole(name))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[place] = data.draw(st.integers(0, 255))
    try:
        frames = read(bytes(spoiled), tmp_path)
    except Rejected:
        return
    assert all(frame.picture.ndim == 3 and frame.picture.dtype == np.uint8 for frame in frames)


@pytest.mark.parametrize("name", SYNTAXES)
@FIXED
@given(part=st.floats(0, 0.995))
def test_no_picture_comes_from_a_cut_file(name: str, tmp_path: Path, part: float) -> None:
    data = objects.whole(name)
    with pytest.raises(Rejected):
        read(data[: int(len(data) * part)], tmp_path)


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dcmcjpeg", ["+e1"]),
        ("dcmcjpeg", ["+el"]),
        ("dcmcjpeg", ["+eb", "+q", "95", "+s4"]),
        ("dcmcjpeg", ["+ee", "+q", "95", "+s4"]),
        ("dcmcrle", []),
        ("dcmconv", ["+tb"]),
        ("dcmconv", ["+ti"]),
        ("dcmconv", ["+td"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value) or "rle",
)
def test_what_dcmtk_writes_is_read(
    name: str, options: list[str], program: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "in.dcm").write_bytes(objects.whole("explicit"))
    subprocess.run(
        [program(name), *options, tmp_path / "in.dcm", tmp_path / "out.dcm"], check=True, capture_output=True
    )
    (frame,) = read((tmp_path / "out.dcm").read_bytes(), tmp_path)
    difference = np.abs(frame.picture.astype(int) - objects.eye())
    assert difference.mean() < (4 if "+q" in options else 1e-9)
    if name.startswith("dcmc") and len(options) < 2:
        data = (tmp_path / "out.dcm").read_bytes()
        assert refusal(data[: len(data) * 2 // 3], tmp_path) == DAMAGED
