"""What to measure on: sizes, rounds and folders; the tests take tiny ones."""

from dataclasses import dataclass
from pathlib import Path

RESNEXT = ("resnext101_32x8d", "resnext101_32x4d")
COMPACT = "efficientnet_lite0"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the benchmarks.

    Attributes:
        work: folder for what is made on the way: models, the drawn photograph, compile caches.
        rounds: of the slowest rows; quicker ones take a multiple.
        data: folder of JPEG photographs of hospital size, or None.
        size: side of the networks' input.
        photograph: width and height of the drawn photograph.
        resnext: the large architectures, the largest first.
        compact: the small one.
        objects: how many DICOM objects a round of receiving has.
    """

    work: Path
    rounds: int = ROUNDS
    data: Path | None = None
    size: int = 512
    photograph: tuple[int, int] = (3504, 2336)
    resnext: tuple[str, ...] = RESNEXT
    compact: str = COMPACT
    objects: int = 40
