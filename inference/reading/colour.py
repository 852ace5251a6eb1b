"""Makes RGB of a stream's samples: depth, YCbCr and palettes (PS3.3 C.7.6.3.1.2, C.7.6.3.1.5)."""

import numpy as np
import numpy.typing as npt

from inference.reading.dataset import Value
from inference.reading.decoders import Picture, Samples
from inference.reading.rejection import damaged, unknown_syntax

# A decoder has undone ICT and RCT by itself: the codestream says so, not this attribute.
RGB_LIKE = frozenset({"RGB", "YBR_ICT", "YBR_RCT"})
YCBCR = frozenset({"YBR_FULL", "YBR_FULL_422"})
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"


def to_eight_bits(samples: Samples, bits: int) -> Picture:
    """Return (H, W, n) samples of ``bits`` significant bits as uint8, the lower bits dropped.

    Raises:
        Rejected: a value needs more bits than the file says.
    """
    if samples.dtype == np.uint8 and bits == 8:
        return np.asarray(samples, np.uint8)
    if bits < 8:
        raise unknown_syntax("The picture has fewer than 8 bits per sample.")
    if samples.size and int(samples.max()) >> bits:
        raise damaged("The picture holds values of more bits than it says.")
    return (samples >> (bits - 8)).astype(np.uint8)


def from_ycbcr(samples: Picture) -> Picture:
    """Return (H, W, 3) uint8 full-range YCbCr (ITU-R BT.601) as RGB."""
    from pydicom.pixels.processing import convert_color_space

    return np.asarray(convert_color_space(samples, "YBR_FULL", "RGB"), np.uint8)


def from_palette(
    indices: Samples, descriptors: tuple[Value, Value, Value], tables: tuple[Value, Value, Value]
) -> Picture:
    """Return (H, W, 1) palette indices as (H, W, 3) uint8 RGB (PS3.3 C.7.6.3.1.5).

    Raises:
        Rejected: the tables are not what their descriptors say, or an index lies beyond them.
    """
    planes = [_table(descriptor, table, indices[..., 0]) for descriptor, table in zip(descriptors, tables, strict=True)]
    return np.stack(planes, axis=-1)


def _table(descriptor: Value, table: Value, indices: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Picture:
    numbers = descriptor.numbers()
    if len(numbers) != 3 or numbers[2] not in {8, 16}:
        raise damaged("A palette's descriptor is damaged.")
    entries, first, bits = numbers[0] or 65536, numbers[1], numbers[2]
    if bits == 16 or len(table.raw) == 2 * entries:
        colours = np.frombuffer(table.raw, "<u2" if table.little else ">u2")
    else:
        colours = np.frombuffer(table.raw, np.uint8)[:entries]  # two entries a word, padded to even
    if len(colours) != entries:
        raise damaged("A palette is shorter than its descriptor says.")
    places = indices.astype(np.int32) - first
    if places.size and int(places.max()) >= entries:
        raise damaged("The picture names a colour beyond its palette.")
    return ((colours >> 8) if bits == 16 else colours).astype(np.uint8)[np.maximum(places, 0)]
