"""Our own pictures of a frame: what pages show and reports wrap, so that nobody else decodes what a peer sent (L5).

The full-size rendition of a baseline JPEG is the codestream as sent, without metadata: re-encoding would only lose.
Everything else becomes a JPEG of quality 95 in 4:4:4: a lossless PNG of a photograph would be five times as large and
take seconds to write, and no lesion shows the difference.
"""

import io

import cv2
import numpy as np
import numpy.typing as npt

from inference.reader import Frame
from inference.reading.frame import PREVIEW_SIDE
from inference.retina import Picture

FULL_QUALITY = 95
PREVIEW_QUALITY = 90


def full(frame: Frame) -> bytes:
    """Return the whole picture as a JPEG a browser can show, without any metadata of a peer."""
    import simplejpeg

    if frame.jpeg is not None:
        return frame.jpeg
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(frame.whole()), FULL_QUALITY, "RGB", "444"))


def preview_size(frame: Frame) -> tuple[int, int]:
    """Return width and height of the preview: the longer side 1600 pixels, but never enlarged."""
    height, width = frame.picture.shape[:2]
    shrink = min(1.0, PREVIEW_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def preview_picture(frame: Frame) -> Picture:
    """Return the frame at preview size, (h, w, 3) uint8 RGB."""
    size = preview_size(frame)
    if size == frame.picture.shape[1::-1]:
        return frame.picture
    return np.asarray(cv2.resize(frame.picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def preview(picture: Picture) -> bytes:
    """Return a preview picture as a JPEG."""
    import simplejpeg

    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(picture), PREVIEW_QUALITY, "RGB", "420"))


def grid(activation: npt.NDArray[np.float32]) -> bytes:
    """Return an activation grid (h, w) as a .npy file of float32 (no pickle in it)."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(activation, np.float32), allow_pickle=False)
    return buffer.getvalue()
