import io
from pathlib import Path

import dicom_objects as objects
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from inference import reader, renditions
from inference.reader import Frame

PROFILE = b"ICC_PROFILE\0\1\1" + b"p" * 500


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def loaded(jpeg: bytes) -> bytes:
    """Return the JPEG with every kind of segment a camera or an attacker puts before the picture, and behind it."""
    noise = b"".join(
        segment(0xE0 + number, b"name of a patient") for number in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
    )
    kept = segment(0xE2, PROFILE) + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    return jpeg[:2] + noise + kept + segment(0xFE, b"name of a patient") + jpeg[2:] + b"name of a patient"


def only_frame(data: bytes, folder: Path) -> Frame:
    path = folder / "file"
    path.write_bytes(data)
    (frame,) = reader.frames(path)
    return frame


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_jpeg_is_its_own_rendition_without_what_a_peer_wrote_into_it(wrapped: bool, tmp_path: Path) -> None:
    jpeg = objects.stream("jpeg_baseline")
    data = objects.with_stream("jpeg_baseline", loaded(jpeg)) if wrapped else loaded(jpeg)
    full = renditions.full(only_frame(data, tmp_path))
    assert b"patient" not in full
    assert PROFILE in full
    assert b"Adobe" in full
    assert full.endswith(b"\xff\xd9")
    assert np.array_equal(simplejpeg.decode_jpeg(full), simplejpeg.decode_jpeg(loaded(jpeg)))


def test_security_P14_an_enormous_colour_profile_is_dropped(tmp_path: Path) -> None:
    jpeg = objects.stream("jpeg_baseline")
    profile = b"".join(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65000)) for _ in range(70))
    full = renditions.full(only_frame(jpeg[:2] + profile + jpeg[2:], tmp_path))
    assert len(full) < len(jpeg) + 100


@pytest.mark.parametrize("name", ["explicit", "jpeg_lossless", "jpeg_2000", "htj2k", "jpeg_ls", "rle"])
def test_everything_else_becomes_a_jpeg_that_hides_nothing(name: str, tmp_path: Path) -> None:
    full = renditions.full(only_frame(objects.whole(name), tmp_path))
    assert simplejpeg.decode_jpeg_header(full) == (48, 72, "YCbCr", "444")
    assert np.abs(simplejpeg.decode_jpeg(full).astype(int) - objects.eye()).mean() < 4


def test_the_preview_is_1600_pixels_wide_and_never_enlarged(tmp_path: Path) -> None:
    small = only_frame(objects.whole("jpeg_baseline"), tmp_path)
    assert renditions.preview_size(small) == (72, 48)
    assert renditions.preview_picture(small).shape == (48, 72, 3)
    buffer = io.BytesIO()
    Image.new("RGB", (3001, 2003), (150, 80, 40)).save(buffer, "JPEG")
    large = only_frame(buffer.getvalue(), tmp_path)
    assert renditions.preview_size(large) == (1600, 1068)
    preview = renditions.preview(renditions.preview_picture(large))
    assert simplejpeg.decode_jpeg_header(preview)[:2] == (1068, 1600)


def test_the_activation_is_a_plain_array() -> None:
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    read = np.load(io.BytesIO(renditions.grid(grid)), allow_pickle=False)
    assert read.dtype == np.float32
    assert np.array_equal(read, grid)
