"""Small photographs that live inside the report, for its reader's own machine."""

import base64
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import simplejpeg

from inference import reader
from inference.examination import Made
from inference.examine import Examiner
from inference.retina import Picture

_SIDE = 240
_QUALITY = 82


def photograph(path: Path) -> str | None:
    """Return a photograph as a data URI, None where it cannot be read."""
    try:
        return _uri(next(reader.frames(path)).picture)
    except (reader.Rejected, StopIteration):
        return None


def overlay(examiner: Examiner, path: Path) -> str | None:
    """Return a photograph under its heat-map as a data URI, None where it was not graded."""
    with TemporaryDirectory(prefix="retinagate-") as folder:
        worst = examiner.examine(path, Path(folder)).worst
        if worst is None:
            return None
        drawn = Made.OVERLAY.path(Path(folder), worst.frame).read_bytes()
        return _uri(np.asarray(simplejpeg.decode_jpeg(drawn, colorspace="RGB"), np.uint8))


def _uri(picture: Picture) -> str:
    shrink = min(1.0, _SIDE / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * shrink)), max(1, round(picture.shape[0] * shrink))
    small = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return "data:image/jpeg;base64," + base64.b64encode(simplejpeg.encode_jpeg(small, _QUALITY, "RGB", "420")).decode()
