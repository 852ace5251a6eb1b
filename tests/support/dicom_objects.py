"""Photographs as DICOM files in every transfer syntax, whole and spoiled, around one small picture."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian

from casebook.words import Laterality
from inference import phantom_dicom

STREAMS = Path(__file__).resolve().parent.parent / "unit" / "inference" / "streams"

NATIVE = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big_endian": "1.2.840.10008.1.2.2",
}
ENCAPSULATED = {
    "rle": "1.2.840.10008.1.2.5",
    "jpeg_baseline": "1.2.840.10008.1.2.4.50",
    "jpeg_extended": "1.2.840.10008.1.2.4.51",
    "jpeg_lossless": "1.2.840.10008.1.2.4.57",
    "jpeg_lossless_sv1": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_ls_near": "1.2.840.10008.1.2.4.81",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
    "jpeg_2000_lossy": "1.2.840.10008.1.2.4.91",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "htj2k_rpcl": "1.2.840.10008.1.2.4.202",
    "htj2k_lossy": "1.2.840.10008.1.2.4.203",
}
LOSSY = {"jpeg_baseline": 40, "jpeg_extended": 40, "jpeg_ls_near": 2, "jpeg_2000_lossy": 60}


def eye() -> np.ndarray:
    """Return the (48, 72, 3) uint8 RGB picture all of them hold."""
    return np.asarray(Image.open(STREAMS / "eye.png").convert("RGB"))


def photograph(picture: bytes | np.ndarray, **attributes: Any) -> Dataset:
    """Return an ophthalmic photograph with some attributes set otherwise; None removes one."""
    dataset = phantom_dicom.ophthalmic_photograph(
        picture,
        laterality=Laterality.RIGHT,
        study_uid=phantom_dicom.synthetic_uid("study"),
        series_uid=phantom_dicom.synthetic_uid("series"),
        sop_uid=phantom_dicom.synthetic_uid("photograph"),
    )
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset) -> bytes:
    """Return a data set as the bytes of a DICOM file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def whole(name: str) -> bytes:
    """Return the picture as a DICOM file in a named syntax."""
    if name in NATIVE:
        dataset = photograph(eye())
        dataset.file_meta.TransferSyntaxUID = UID(NATIVE[name])
        return written(dataset)
    return with_stream(name, stream(name))


def with_stream(name: str, codestream: bytes, **attributes: Any) -> bytes:
    """Return a DICOM file of a named syntax around any bytes, correctly encapsulated."""
    dataset = photograph(eye(), **attributes)
    dataset.file_meta.TransferSyntaxUID = UID(ENCAPSULATED[name])
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return written(dataset)


def stream(name: str) -> bytes:
    """Return the codestream of the picture in a named syntax."""
    return _STREAMS[name]()


def _jpeg() -> bytes:
    return simplejpeg.encode_jpeg(eye(), quality=95, colorsubsampling="444")


def _stored(name: str) -> Callable[[], bytes]:
    return (STREAMS / name).read_bytes


def _compressed(name: str, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        dataset = photograph(eye())
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(ENCAPSULATED[name], generate_instance_uid=False, **options)
        return next(generate_frames(dataset.PixelData, number_of_frames=1))

    return make


_STREAMS: dict[str, Callable[[], bytes]] = {
    "rle": _compressed("rle"),
    "jpeg_baseline": _jpeg,
    "jpeg_extended": _jpeg,
    "jpeg_lossless": _stored("eye_lossless.jpg"),
    "jpeg_lossless_sv1": _stored("eye_lossless.jpg"),
    "jpeg_ls": _compressed("jpeg_ls"),
    "jpeg_ls_near": _compressed("jpeg_ls_near", jls_error=2),
    "jpeg_2000": _compressed("jpeg_2000"),
    "jpeg_2000_lossy": _compressed("jpeg_2000_lossy", j2k_cr=[8]),
    "htj2k": _stored("eye.jhc"),
    "htj2k_rpcl": _stored("eye.jhc"),
    "htj2k_lossy": _stored("eye.jhc"),
}
