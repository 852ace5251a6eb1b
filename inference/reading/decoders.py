"""One decoder per transfer syntax, in one table: which others are installed changes nothing (rule P25).

| form | decoder | why this one |
|---|---|---|
| native, RLE | pydicom | refuses what is short; exact |
| JPEG baseline, extended 8 bit, progressive | simplejpeg, strict | refuses every cut and damaged scan; reduced DCT |
| JPEG lossless, 8 bit | simplejpeg, strict | exact; gdcm returns a picture for half a file closed with EOI [measured] |
| JPEG-LS | pyjpegls | exact; refuses what is cut |
| JPEG 2000 | Pillow (OpenJPEG) | exact; refuses what is cut |
| HTJ2K | pylibjpeg-openjpeg | the only one that knows it |
| PNG | Pillow | after every chunk's checksum was compared |

Every decoder gives (H, W, 3) samples as the stream holds them; ``colour`` makes RGB of them.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.reading.rejection import Rejected, damaged, over_limit
from inference.reading.shape import Shape

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Picture = npt.NDArray[np.uint8]

# What these libraries may raise over damaged bytes; anything else ends the child, which is what it is for.
_COMPLAINTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, OSError, RuntimeError,
    SyntaxError, SystemError, TypeError, ValueError, Warning, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def strict() -> Iterator[None]:
    """Turn everything a decoder complains about into our own word; its warnings count as complaints.

    Raises:
        Rejected: the bytes are damaged, or need more memory than the child may have.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Ours is the limit; Pillow's own begins to warn below it.
            warnings.filterwarnings("ignore", message="Image size")
            yield
    except Rejected:
        raise
    except MemoryError:
        raise over_limit("The picture needs more memory than one picture may have.") from None
    except _COMPLAINTS as complaint:
        raise damaged(f"The decoder refused the picture ({type(complaint).__name__}).") from complaint


def lossy_jpeg(data: bytes, shape: Shape, reduce: int) -> Picture:
    """Decode a Huffman coded lossy JPEG to (H, W, 3) uint8 RGB; its own markers decide its colour space.

    Args:
        data: from SOI to EOI.
        shape: what its header says.
        reduce: 1, 2, 4 or 8: decode every block to a part of its size. Pixel k covers pixels k*reduce ... of the whole.
    """
    import simplejpeg

    width, height = -(-shape.width // reduce), -(-shape.height // reduce)
    with strict():
        picture = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, strict=True)
    return np.asarray(_of_size(picture, width, height), np.uint8)


def lossless_jpeg(data: bytes, shape: Shape) -> Samples:
    """Decode a lossless JPEG of 8 bits (process 14) to (H, W, 3) uint8."""
    import simplejpeg

    with strict():
        samples = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    return np.asarray(_of_size(samples, shape.width, shape.height), np.uint8)


def jpeg_ls(data: bytes, shape: Shape) -> Samples:
    """Decode JPEG-LS to (H, W, 3), uint8 up to 8 bits, else uint16."""
    from jpeg_ls import decode_pixel_data

    with strict():
        raw, about = decode_pixel_data(data)
        values = np.frombuffer(raw, np.uint8 if shape.bits <= 8 else np.dtype("<u2"))
        if about["interleave_mode"] == 0:  # by plane
            samples = values.reshape(shape.samples, shape.height, shape.width).transpose(1, 2, 0)
        else:
            samples = values.reshape(shape.height, shape.width, shape.samples)
    return _own(samples)


def jpeg_2000(data: bytes, shape: Shape) -> Picture:
    """Decode JPEG 2000 part 1 to (H, W, 3) uint8; Pillow scales deeper colour down to 8 bits by itself."""
    from PIL import Image

    with strict():
        image = Image.open(io.BytesIO(data), formats=("JPEG2000",))
        if image.mode != "RGB" or image.size != (shape.width, shape.height):
            raise damaged("The decoder sees another picture than the header promises.")
        return np.array(image, np.uint8)


def high_throughput_jpeg_2000(data: bytes, shape: Shape) -> Samples:
    """Decode HTJ2K (ISO 15444-15) to (H, W, 3), uint8 up to 8 bits, else uint16."""
    from openjpeg import decode

    with strict():
        samples = decode(data)
        if samples.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
            raise damaged("The decoder sees another picture than the header promises.")
    return _own(_of_size(samples, shape.width, shape.height))


def run_length(data: bytes, shape: Shape, allocated: int) -> Samples:
    """Decode one RLE frame (PS3.5 G) to (H, W, samples), uint8 or uint16."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless

    options = {"decoding_plugin": "pydicom", "planar_configuration": 1, "photometric_interpretation": "RGB"}
    return _by_pydicom(RLELossless, encapsulate([data]), shape, allocated, options)


def native(data: bytes, shape: Shape, allocated: int, photometric: str, planar: int) -> Samples:
    """Read one uncompressed little-endian frame to (H, W, samples), uint8 or uint16; 4:2:2 is expanded."""
    from pydicom.uid import ExplicitVRLittleEndian

    options = {"planar_configuration": planar, "photometric_interpretation": photometric}
    return _by_pydicom(ExplicitVRLittleEndian, data, shape, allocated, options)


def png(data: bytes, shape: Shape) -> Picture:
    """Decode a PNG to (H, W, 3) uint8 RGB; transparency is dropped, 16 bits become 8."""
    from PIL import Image

    with strict():
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        if image.size != (shape.width, shape.height):
            raise damaged("The decoder sees another picture than the header promises.")
        return np.asarray(image.convert("RGB"), np.uint8)


def _by_pydicom(syntax: str, data: bytes, shape: Shape, allocated: int, options: dict[str, Any]) -> Samples:
    from pydicom.pixels.decoders.base import get_decoder

    if shape.samples == 1:
        options = {**options, "photometric_interpretation": "PALETTE COLOR"}
    decoder: Any = get_decoder(syntax)
    with strict():
        samples, _ = decoder.as_array(
            data,
            index=0,
            raw=True,  # colour is our own business: what pydicom does depends on the plug-in
            rows=shape.height,
            columns=shape.width,
            samples_per_pixel=shape.samples,
            bits_allocated=allocated,
            bits_stored=shape.bits,
            pixel_representation=0,
            number_of_frames=1,
            pixel_keyword="PixelData",
            **options,
        )
        samples = samples.reshape(shape.height, shape.width, shape.samples)
    return _own(samples)


def _of_size(samples: npt.NDArray[np.generic], width: int, height: int) -> npt.NDArray[np.generic]:
    if samples.shape != (height, width, 3):
        raise damaged("The decoder sees another picture than the header promises.")
    return samples


def _own(samples: npt.NDArray[np.generic]) -> Samples:
    """Return contiguous samples of a type we promise."""
    deep = samples.dtype.itemsize > 1
    return np.ascontiguousarray(samples, np.uint16 if deep else np.uint8)  # type: ignore[return-value]
