"""Finds photographs of one source that look the same, where nobody says whose eye they show.

APTOS and its like hold the same picture twice, sometimes with two grades, and one eye photographed twice. Both flatter
a split that does not know it. Compared is the structure of vessels and lesions: the green channel in the box around the
retina at 96 x 96, less its local mean, in units of its local deviation. Amplitudes of its spectrum do not change when
the eye has moved: one matrix product of them over all photographs proposes pairs, and the correlation at the best shift
decides.

Measured on APTOS, IDRiD and EyePACS in small forms: a picture stored anew (JPEG quality 50 to 90, half size, a few
pixels cut off) correlates with its original by 0.76 to 1.00; of 100, 99 differ by at most 3.0 levels at quality 75, 95
at quality 50. Photographs of one eye taken twice, as looked at, correlate by 0.56 to 0.94 and differ by 3.7 levels or
more. Eyes of several people reach 0.61 in APTOS, taken by one camera at one place, and 0.66 in EyePACS.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from casebook.errors import BadInput
from inference.retina import Picture
from training.photographs.dataset import decode
from training.photographs.left_out import LeftOut
from training.photographs.photograph import Photograph

_SIDE = 96
_MOVED = 12  # pixels of 96 by which an eye may have moved between two photographs
_FREQUENCIES = 24
_PROPOSED = 0.3  # correlation of amplitudes from which a pair is looked at
_NEIGHBOURS = 12  # pairs looked at for one photograph
_FEW = 64  # photographs of which all pairs are looked at
_ALIKE = 0.55  # careful: it also joins some look-alikes of one camera, which costs nothing
_COPY = 0.75, 3.0  # least correlation, and most levels of mean difference, of one picture stored twice
_Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two photographs that look alike, by position, and whether they are one picture."""

    first: int
    second: int
    copies: bool


def apart(photographs: list[Photograph]) -> tuple[list[Photograph], list[LeftOut]]:
    """Give every photograph without a patient one, shared by those that look like the same eye.

    Args:
        photographs: of any sources; only those without a patient are looked at, each source for itself.

    Returns:
        The photographs in the same order, and what is left out: of copies with one grade all but the first, of copies
        with several grades all.
    """
    nobody_s: dict[str, list[Photograph]] = defaultdict(list)
    for photograph in photographs:
        if not photograph.patient:
            nobody_s[photograph.source].append(photograph)
    patients: dict[Path, str] = {}
    left_out: list[LeftOut] = []
    for theirs in nobody_s.values():
        pairs = _pairs(theirs)
        patients |= _patients(theirs, pairs)
        left_out += _superfluous(theirs, [pair for pair in pairs if pair.copies])
    gone = {out.photograph.path for out in left_out}
    kept = [
        photograph if photograph.patient else replace(photograph, patient=patients[photograph.path])
        for photograph in photographs
        if photograph.path not in gone
    ]
    return kept, left_out


def structure(picture: Picture) -> _Plane:
    """Return the structure inside the retina as (96, 96) float32, of mean 0 and deviation 1 nearly everywhere."""
    green = cv2.GaussianBlur(_framed(picture)[..., 1].astype(np.float32), (0, 0), 0.8)
    within = _disc(0.93)
    share = _local_mean(within) + 1e-6
    difference = (green - _local_mean(green * within) / share) * within
    deviation = np.sqrt(_local_mean(difference * difference) / share)
    return np.asarray(difference / (deviation + 0.5) * _disc(0.88), np.float32)


def likeness(first: _Plane, second: _Plane) -> float:
    """Return the correlation of two structures at the best shift, -1 to 1; 0 where one has none."""
    part = np.ascontiguousarray(first[_MOVED:-_MOVED, _MOVED:-_MOVED])
    if part.std() < 0.05 or second.std() < 0.05:
        return 0.0
    return float(cv2.matchTemplate(second, part, cv2.TM_CCOEFF_NORMED).max())


def _pairs(photographs: list[Photograph]) -> list[_Pair]:
    """Return all pairs that look alike; what cannot be read looks like nothing."""
    structures = np.zeros((len(photographs), _SIDE, _SIDE), np.float32)
    for place, photograph in enumerate(tqdm(photographs, desc="looking for copies", disable=None, leave=False)):
        picture = _read(photograph.path)
        if picture is not None:
            structures[place] = structure(picture)
    pairs = []
    for first, second in _proposed(structures):
        alike = likeness(structures[first], structures[second])
        if alike >= _ALIKE:
            copies = alike >= _COPY[0] and _difference(photographs[first], photographs[second]) <= _COPY[1]
            pairs.append(_Pair(first, second, copies))
    return pairs


def _proposed(structures: npt.NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield the pairs worth a closer look."""
    count = len(structures)
    if count <= _FEW:
        yield from ((first, second) for first in range(count) for second in range(first + 1, count))
        return
    spectra = np.stack([_spectrum(plane) for plane in structures])
    spectra -= spectra.mean(axis=0)
    spectra -= spectra.mean(axis=1, keepdims=True)
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True) + 1e-6
    seen: set[tuple[int, int]] = set()
    for first in range(0, count, 1024):  # in blocks: all at once are 50 MB for 3,600 photographs, 5 GB for 36,000
        similar = spectra[first : first + 1024] @ spectra.T
        for row, likes in enumerate(similar):
            likes[first + row] = -1
            nearest = np.argpartition(likes, -_NEIGHBOURS)[-_NEIGHBOURS:]
            for other in nearest[likes[nearest] >= _PROPOSED].tolist():
                seen.add((min(first + row, other), max(first + row, other)))
    yield from sorted(seen)


def _spectrum(plane: _Plane) -> _Plane:
    amplitudes = np.abs(np.fft.rfft2(plane))[:, :_FREQUENCIES]
    return np.concatenate([amplitudes[:_FREQUENCIES], amplitudes[-_FREQUENCIES + 1 :]]).ravel().astype(np.float32)


def _patients(photographs: list[Photograph], pairs: list[_Pair]) -> dict[Path, str]:
    """Name a patient for every photograph after the first of those that it looks like, directly or by others."""
    names = _names(photographs)
    return {
        photographs[place].path: f"{photographs[place].source}-{min(names[member] for member in group)}"
        for group in _groups(len(photographs), pairs)
        for place in group
    }


def _superfluous(photographs: list[Photograph], copies: list[_Pair]) -> list[LeftOut]:
    left_out = []
    for group in _groups(len(photographs), copies):
        if len(group) == 1:
            continue
        first, *others = (photographs[place] for place in group)
        if all(other.grade == first.grade for other in others):
            left_out += [LeftOut(other, f"It is a copy of {first.path.name}.") for other in others]
        else:
            told = ", ".join(f"{one.path.name} grade {one.grade}" for one in (first, *others))
            left_out += [LeftOut(one, f"Copies have several grades: {told}.") for one in (first, *others)]
    return left_out


def _groups(count: int, pairs: list[_Pair]) -> list[list[int]]:
    """Return the positions that pairs join, directly or by others, each group in order."""
    group = {place: [place] for place in range(count)}
    for pair in pairs:
        one, other = group[pair.first], group[pair.second]
        if one is not other:
            one += other
            group |= dict.fromkeys(other, one)
    return [sorted(members) for place, members in group.items() if place == min(members)]


def _names(photographs: list[Photograph]) -> list[str]:
    """Return names that stay when the folder moves: the paths below what all of them share."""
    paths = [photograph.path.absolute() for photograph in photographs]
    shared = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(shared).as_posix() for path in paths]


def _difference(first: Photograph, second: Photograph) -> float:
    """Return by how many levels two photographs differ inside the retina, on average."""
    pictures = [_framed(decode(photograph.path)).astype(np.float32) for photograph in (first, second)]
    return float(np.abs(pictures[0] - pictures[1])[_disc(0.93) > 0].mean())


def _read(path: Path) -> Picture | None:
    try:
        return decode(path)
    except BadInput:
        return None


def _framed(picture: Picture) -> Picture:
    """Return the box around what is bright, as (96, 96, 3): steadier from copy to copy than a fitted circle."""
    height, width = picture.shape[:2]
    light = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).max(axis=2)
    dark, bright = np.percentile(light, [3, 85])
    shines = light > dark + max(4.0, 0.12 * (bright - dark))
    left, right = _extent(shines.mean(axis=0) > 0.05, width)
    top, bottom = _extent(shines.mean(axis=1) > 0.05, height)
    return np.asarray(
        cv2.resize(picture[top:bottom, left:right], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8
    )


def _extent(shines: npt.NDArray[np.bool_], length: int) -> tuple[int, int]:
    """Return the first and behind the last pixel of a side that shines; the whole side where hardly any does."""
    places = np.flatnonzero(shines)
    if len(places) < _SIDE // 8:
        return 0, length
    return round(places[0] * length / _SIDE), max(1, round((places[-1] + 1) * length / _SIDE))


def _disc(radius: float) -> _Plane:
    steps = (np.arange(_SIDE, dtype=np.float32) - (_SIDE - 1) / 2) / (_SIDE / 2)
    return np.asarray(np.hypot(steps[:, None], steps[None, :]) < radius, np.float32)


def _local_mean(plane: _Plane) -> _Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 5), np.float32)
