import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from pydicom import dcmread
from pydicom.encaps import generate_frames

from casebook.words import Laterality
from inference import phantom, phantom_dicom


def wrapped(picture: bytes | np.ndarray, laterality: Laterality | None = Laterality.RIGHT):
    return phantom_dicom.ophthalmic_photograph(
        picture,
        laterality=laterality,
        study_uid=phantom_dicom.synthetic_uid("study"),
        series_uid=phantom_dicom.synthetic_uid("series"),
        sop_uid=phantom_dicom.synthetic_uid("photograph"),
        patient_name="Müller^Änne",
    )


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return simplejpeg.encode_jpeg(phantom.draw(1, lesions=phantom.FEW, size=256), quality=90)


def test_the_bytes_of_a_jpeg_go_in_untouched(jpeg: bytes, tmp_path: Path) -> None:
    wrapped(jpeg).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    read = dcmread(tmp_path / "a.dcm")
    assert next(generate_frames(read.PixelData, number_of_frames=1)).rstrip(b"\0") == jpeg.rstrip(b"\0")
    assert str(read.PatientName) == "Müller^Änne"


def test_a_progressive_jpeg_is_refused() -> None:
    with pytest.raises(ValueError, match="baseline"):
        wrapped(b"\xff\xd8\xff\xc2\x00\x11\x08\x01\x00\x01\x00\x03" + bytes(20))


@pytest.mark.peer("dicom3tools")
@pytest.mark.parametrize("laterality", [Laterality.RIGHT, Laterality.LEFT])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("visible_light", [True, False])
def test_dciodvfy_finds_no_error(
    *,
    jpeg: bytes,
    laterality: Laterality,
    compressed: bool,
    visible_light: bool,
    program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    photograph = wrapped(jpeg if compressed else phantom.draw(1, lesions=phantom.FEW, size=255), laterality)
    if visible_light:
        photograph = phantom_dicom.vl_photograph(photograph)
    photograph.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    judged = subprocess.run([program("dciodvfy"), tmp_path / "a.dcm"], capture_output=True, text=True, check=False)
    assert ("VLPhotographicImage" if visible_light else "OphthalmicPhotography8BitImage") in judged.stderr
    assert [line for line in judged.stderr.splitlines() if line.startswith("Error")] == []
