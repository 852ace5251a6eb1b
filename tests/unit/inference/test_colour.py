"""Every way a photograph's colours may be written down gives the same RGB."""

import io
import warnings
from pathlib import Path

import dicom_objects as objects
import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image
from pydicom.pixels import convert_color_space
from pydicom.uid import UID

from casebook.words import Reason
from inference import reader
from inference.reader import Rejected


def picture_of(data: bytes, folder: Path) -> np.ndarray:
    (folder / "file").write_bytes(data)
    (frame,) = reader.frames(folder / "file")
    return frame.picture.astype(int)


def ycbcr() -> np.ndarray:
    return np.asarray(convert_color_space(objects.eye(), "RGB", "YBR_FULL"))


def halved(full: np.ndarray) -> bytes:
    """Return YCbCr 4:2:2 in DICOM's order: Y Y Cb Cr (PS3.3 C.7.6.3.1.2)."""
    packed = np.empty((48, 36, 4), np.uint8)
    packed[..., 0], packed[..., 1] = full[:, 0::2, 0], full[:, 1::2, 0]
    packed[..., 2], packed[..., 3] = full[:, 0::2, 1], full[:, 0::2, 2]
    return packed.tobytes()


def smooth() -> np.ndarray:
    """Return a picture without sharp edges, for forms that halve the colours."""
    return np.asarray(Image.fromarray(objects.eye()).resize((9, 6)).resize((72, 48), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("planar", [0, 1])
def test_planes_or_pixels(planar: int, tmp_path: Path) -> None:
    eye = objects.eye()
    pixels = eye if planar == 0 else eye.transpose(2, 0, 1)
    dataset = objects.photograph(eye, PlanarConfiguration=planar, PixelData=pixels.tobytes())
    assert np.array_equal(picture_of(objects.written(dataset), tmp_path), eye)


@pytest.mark.parametrize("name", ["explicit", "implicit", "big_endian", "rle", "jpeg_ls", "jpeg_2000"])
def test_full_ycbcr(name: str, tmp_path: Path) -> None:
    dataset = objects.photograph(ycbcr())
    if name in objects.NATIVE:
        dataset.file_meta.TransferSyntaxUID = UID(objects.NATIVE[name])
    else:
        # Compressed as RGB so that the codestream undergoes no transform, then called by its true name.
        options = {"use_mct": False} if name == "jpeg_2000" else {}
        dataset.compress(objects.ENCAPSULATED[name], generate_instance_uid=False, **options)
    dataset.PhotometricInterpretation = "YBR_FULL"
    assert np.abs(picture_of(objects.written(dataset), tmp_path) - objects.eye()).max() <= 3


def test_halved_ycbcr(tmp_path: Path) -> None:
    full = np.asarray(convert_color_space(smooth(), "RGB", "YBR_FULL"))
    dataset = objects.photograph(objects.eye(), PhotometricInterpretation="YBR_FULL_422", PixelData=halved(full))
    assert np.abs(picture_of(objects.written(dataset), tmp_path) - smooth()).mean() < 4


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_dicom_T8_T9_the_jpegs_own_markers_decide(photometric: str, tmp_path: Path) -> None:
    data = objects.with_stream("jpeg_baseline", objects.stream("jpeg_baseline"), PhotometricInterpretation=photometric)
    assert np.abs(picture_of(data, tmp_path) - objects.eye()).mean() < 4


def test_an_adobe_marked_rgb_jpeg_is_rgb_whatever_the_header_says(tmp_path: Path) -> None:
    # Red, green and blue coded as if they were YCbCr, then marked as not transformed.
    planes = [Image.fromarray(np.ascontiguousarray(objects.eye()[..., channel])) for channel in range(3)]
    buffer = io.BytesIO()
    Image.merge("YCbCr", planes).save(buffer, "JPEG", quality=98, subsampling=0)
    data = buffer.getvalue()
    jfif = data.index(b"\xff\xe0")
    behind = jfif + 2 + int.from_bytes(data[jfif + 2 : jfif + 4], "big")
    marked = data[:jfif] + b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0" + data[behind:]
    read = picture_of(objects.with_stream("jpeg_baseline", marked, PhotometricInterpretation="YBR_FULL_422"), tmp_path)
    assert np.abs(read - objects.eye()).mean() < 3


@pytest.mark.parametrize("name", ["explicit", "big_endian", "rle", "jpeg_ls", "jpeg_2000"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bit_colour_is_scaled_down(name: str, bits: int, tmp_path: Path) -> None:
    deep = objects.eye().astype(np.uint16) << (bits - 8)
    order = ">u2" if name == "big_endian" else "<u2"
    dataset = objects.photograph(objects.eye(), BitsAllocated=16, BitsStored=bits, HighBit=bits - 1)
    dataset.PixelData = deep.astype(order).tobytes()
    dataset["PixelData"].VR = "OW"
    if name in objects.NATIVE:
        dataset.file_meta.TransferSyntaxUID = UID(objects.NATIVE[name])
    else:
        dataset.compress(objects.ENCAPSULATED[name], generate_instance_uid=False)
    assert np.array_equal(picture_of(objects.written(dataset), tmp_path), objects.eye())


def test_deep_jpeg_2000_of_another_encoder(tmp_path: Path) -> None:
    data = objects.with_stream(
        "jpeg_2000", (objects.STREAMS / "eye_12bit.j2k").read_bytes(), BitsAllocated=16, BitsStored=12, HighBit=11
    )
    assert np.array_equal(picture_of(data, tmp_path), objects.eye())


def test_values_of_more_bits_than_promised_are_damage(tmp_path: Path) -> None:
    dataset = objects.photograph(objects.eye(), BitsAllocated=16, BitsStored=16, HighBit=15)
    dataset.PixelData = (objects.eye().astype(np.uint16) << 8).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.compress(objects.ENCAPSULATED["jpeg_ls"], generate_instance_uid=False)
    dataset.BitsStored, dataset.HighBit = 10, 9
    with pytest.raises(Rejected) as rejected:
        picture_of(objects.written(dataset), tmp_path)
    assert rejected.value.reason is Reason.DAMAGED


def palette_object(indices: np.ndarray, entries: int, bits: int, **attributes: object) -> bytes:
    colours = np.arange(256, dtype=np.uint16)[:entries]
    tables = [colours, 255 - colours, colours // 2]
    dataset = objects.photograph(
        objects.eye(),
        SamplesPerPixel=1,
        PlanarConfiguration=None,
        PhotometricInterpretation="PALETTE COLOR",
        PixelData=indices.astype(np.uint8).tobytes(),
    )
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [entries, 0, bits])
        values = (table << 8).astype("<u2") if bits == 16 else table.astype(np.uint8)
        setattr(dataset, f"{name}PaletteColorLookupTableData", values.tobytes() + b"\0" * (len(values.tobytes()) % 2))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return objects.written(dataset)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_applied(bits: int, tmp_path: Path) -> None:
    indices = objects.eye()[..., 0]
    picture = picture_of(palette_object(indices, 256, bits), tmp_path)
    assert np.array_equal(picture, np.stack((indices, 255 - indices, indices // 2), axis=-1))


@pytest.mark.parametrize(
    ("entries", "attributes"),
    [
        (100, {}),
        (256, {"RedPaletteColorLookupTableData": bytes(100)}),
        (256, {"RedPaletteColorLookupTableDescriptor": [256, 0, 12]}),
        (256, {"GreenPaletteColorLookupTableDescriptor": [300, 0, 16]}),
    ],
    ids=range(4),
)
def test_security_P14_a_palette_that_contradicts_itself_is_damage(
    entries: int, attributes: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(Rejected) as rejected:
        picture_of(palette_object(np.full((48, 72), 200), entries, 16, **attributes), tmp_path)
    assert rejected.value.reason is Reason.DAMAGED


def test_a_png_with_a_palette_or_transparency_is_a_picture(tmp_path: Path) -> None:
    eye = Image.fromarray(objects.eye())
    for image in (eye.quantize(256), eye.convert("RGBA")):
        image.save(tmp_path / "eye.png")
        (frame,) = reader.frames(tmp_path / "eye.png")
        assert np.abs(frame.picture.astype(int) - objects.eye()).mean() < 8


def test_every_colour_object_of_pydicoms_own_tests_looks_as_pydicom_says(tmp_path: Path) -> None:
    """Objects written by DCMTK, GDCM, highdicom and others, in nine transfer syntaxes."""
    agreed = 0
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").glob("SC_*.dcm")):
        try:
            frames = [frame.whole() for frame in reader.frames(path)]
        except Rejected:
            assert path.name in {"SC_rgb_jpeg.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_rle_32bit_2frame.dcm"}, path.name
            continue
        dataset = pydicom.dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = dataset.pixel_array >> (dataset.BitsStored - 8)
        assert np.array_equal(np.squeeze(np.stack(frames)), expected), path.name
        agreed += 1
    assert agreed > 20
