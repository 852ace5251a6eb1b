"""The pictures that the gate is fitted and measured on, as numbers: retinas in many forms, bad ones, and what is none.

Few originals stand behind many crops of ``negatives``: ``group`` says what must stay on one side of a fold.
"""

import os
import re
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from inference import phantom
from inference.appearance import look
from inference.retina import Circle, Picture, find_circle
from training.gate import lookalikes
from training.gate.damage import KINDS
from training.gate.lookalikes import Palette
from training.photographs.dataset import decode
from training.photographs.sources import Photograph

RETINA = "retina"
MADE, PHANTOM = "made", "phantom"  # the sources of what is no photograph of a retina
CROP = "crop of "
GIVEN, HALF, SMALL, SQUEEZED, HOSPITAL = "given", "half", "small", "squeezed", "hospital"
_SMALL = 224  # pixels of the longer side: the smallest photographs in use
_PHANTOM_SIDES = (300, 512, 800)
_LESIONS = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.PROLIFERATIVE)
_HARDEST = "endoscopy"
_COLOURS = 60  # retinas whose colours look-alikes are given
_FEW = 60  # jobs that are done sooner than other processes have started


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many pictures the gate is fitted and measured on.

    Attributes:
        retinas: photographs of each source that the fit sees, of them ``in_forms`` in every form.
        damaged: bad photographs that the fit sees, the kinds in turn.
        crops: round crops of every original, ``crops_of_red`` of the hardest: red fields, of which there are few.
        drawn: drawn pictures of each kind that the fit sees, and half as many that it is measured on.
        phantoms: synthetic eyes that the fit knows for retinas, as self-test and demonstration need it.
        forms_measured: photographs of each source that are measured in every form ...
        spoilt_measured: ... and spoilt in every way at every severity; as many phantoms are spoilt in every way.
    """

    retinas: int = 1000
    in_forms: int = 60
    damaged: int = 750
    crops: int = 12
    crops_of_red: int = 40
    drawn: int = 120
    phantoms: int = 40
    forms_measured: int = 130
    spoilt_measured: int = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One picture of known kind.

    Attributes:
        numbers: of ``look``; None where no disc was found, so that it is refused without them.
        group: the original that it is made from, by name.
        source: data set of the photograph; ``made`` for what is no retina.
        kind: ``retina``, a kind of damage, or a kind of look-alike.
        severity: of the damage, else 0.
        form: as given, or in which other size and shape.
    """

    numbers: dict[str, float] | None
    group: str
    source: str
    kind: str
    severity: float = 0.0
    form: str = GIVEN


Job = Callable[[], list[Example]]


def forms(picture: Picture) -> dict[str, Picture]:
    """Return a photograph in other sizes, and squeezed to a square, as other hands pass it on."""
    height, width = picture.shape[:2]
    sizes = {HALF: (width // 2, height // 2)}
    if max(height, width) > _SMALL:
        share = _SMALL / max(height, width)
        sizes[SMALL] = round(width * share), round(height * share)
    if height != width:
        sizes[SQUEEZED] = _SMALL, _SMALL
    return {
        form: np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        for form, size in sizes.items()
    }


def numbers_of(picture: Picture, circle: Circle | None = None) -> dict[str, float] | None:
    """Return what the gate measures; without a given circle the retina is looked for."""
    circle = circle or find_circle(picture)
    return None if circle is None else look(picture, circle)


def random_for(*key: object) -> np.random.Generator:
    """Return the chance of one picture: the same whatever was drawn before it."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, key)).encode()))


def retina(photograph: Photograph, *, in_forms: bool) -> list[Example]:
    """Return a photograph, and its other forms where asked for."""
    picture = decode(photograph.path)
    found = [Example(numbers_of(picture), photograph.path.stem, photograph.source, RETINA)]
    for other, changed in forms(picture).items() if in_forms else ():
        found.append(Example(numbers_of(changed), photograph.path.stem, photograph.source, RETINA, form=other))
    return found


def hospital(path: Path) -> list[Example]:
    """Return a photograph in the size a hospital's camera has; its name is that of the small form behind the source."""
    source, name = path.stem.split("_", 1)
    return [Example(numbers_of(decode(path)), name, source, RETINA, form=HOSPITAL)]


def damaged(photograph: Photograph, number: int) -> list[Example]:
    """Return a photograph spoilt in one way, the kinds in turn, as badly as should be refused, half in another form."""
    picture = decode(photograph.path)
    circle = find_circle(picture)
    if circle is None:
        return []
    random = random_for("damaged", photograph.path.name)
    name, kind = list(KINDS.items())[number % len(KINDS)]
    severity = float(random.choice([severity for severity in kind.severities if kind.is_bad(severity)]))
    spoilt, form = kind.damage(picture, circle, severity, random), GIVEN
    if random.random() < 0.5:
        others = list(forms(spoilt).items())
        form, spoilt = others[random.integers(len(others))]
    return [Example(numbers_of(spoilt), photograph.path.stem, photograph.source, name, severity, form)]


def damaged_in_every_way(photograph: Photograph) -> list[Example]:
    """Return a photograph spoilt in every way at every severity."""
    picture = decode(photograph.path)
    circle = find_circle(picture)
    if circle is None:
        return []
    found = []
    for name, kind in KINDS.items():
        for severity in kind.severities:
            # Chance is the same at every severity: each picture gets worse in one way.
            spoilt = kind.damage(picture, circle, severity, random_for(name, photograph.path.name))
            found.append(Example(numbers_of(spoilt), photograph.path.stem, photograph.source, name, severity))
    return found


def original_of(name: str) -> str:
    """Return what stands behind a picture of ``negatives``: several files may be made from one original."""
    found = re.search(r"cju\w{11}|(?:CNV|DME|DRUSEN)-\d+", name)
    return found.group(0) if found else re.sub(r"^(round_red_|round_|sk_|sl_)|\.jpg$", "", name)


def kind_of(name: str) -> str:
    """Return the kind of a picture of ``negatives``."""
    if name.startswith("endoscopy_round"):
        return "endoscopy, round field"
    if name.startswith(("endoscopy_", "oct_", "noise_", "plain_", "empty_", "chart_")):
        first = name.split("_", 1)[0]
        return {"oct": "OCT", "empty": "empty red disc"}.get(first, first)
    return "other round field" if name.startswith("round") else "other picture"


def negative(path: Path, palette: Palette, sizes: Sizes) -> list[Example]:
    """Return a picture of ``negatives`` in all forms, and round crops of it where it is not round already."""
    # Some have one channel, which the reader would refuse before the gate sees them.
    picture = np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB"), np.uint8)
    name, random = path.name, random_for("crop", path.name)
    original, kind = original_of(name), kind_of(name)
    found = [Example(numbers_of(picture), original, MADE, kind)]
    found += [Example(numbers_of(other), original, MADE, kind, form=form) for form, other in forms(picture).items()]
    if name.startswith(("round", "endoscopy_round", "empty")):
        return found
    for _ in range(sizes.crops_of_red if kind == _HARDEST else sizes.crops):
        crop = lookalikes.round_crop(picture, palette, random)
        if kind == _HARDEST:
            crop = lookalikes.tinted(crop, random)
        found.append(Example(look(crop, lookalikes.WHOLE), original, MADE, f"{CROP}{kind}"))
    return found


def drawn(palette: Palette, number: int) -> list[Example]:
    """Return one picture each of the anterior eye, an OCT screen and a pattern."""
    eye = lookalikes.anterior_eye(random_for("eye", number))
    screen = lookalikes.oct_screen(random_for("screen", number))
    cloud = lookalikes.pattern(palette, random_for("pattern", number))
    return [
        Example(numbers_of(eye), f"eye {number}", MADE, "anterior eye (drawn)"),
        Example(numbers_of(screen), f"screen {number}", MADE, "OCT screen (drawn)"),
        Example(look(cloud, lookalikes.WHOLE), f"pattern {number}", MADE, "pattern (drawn)"),
    ]


def synthetic(seed: int, *, spoilt: bool) -> list[Example]:
    """Return a phantom, and each kind of damage to it, where that begins to be bad, if asked for."""
    side, lesions = _PHANTOM_SIDES[seed % len(_PHANTOM_SIDES)], _LESIONS[seed % len(_LESIONS)]
    picture = phantom.draw(seed, lesions=lesions, size=side)
    found = [Example(numbers_of(picture), f"phantom {seed}", PHANTOM, RETINA)]
    circle = Circle(side / 2 - 0.5, side / 2 - 0.5, phantom.RETINA * side)
    for name, kind in KINDS.items() if spoilt else ():
        bad = kind.damage(picture, circle, kind.bad, random_for(name, seed))
        found.append(Example(numbers_of(bad), f"phantom {seed}", PHANTOM, name, kind.bad))
    return found


def to_fit(photographs: Sequence[Photograph], negatives: Path, sizes: Sizes) -> list[Job]:
    """Return the work that makes what the gate is fitted on: photographs of ``train``, and what is none."""
    train = _mixed(_of_each_source(_mixed(photographs, "train"), sizes.retinas), "train")
    palette, in_forms = _palette(train), {one.path for one in _of_each_source(train, sizes.in_forms)}
    jobs: list[Job] = [partial(retina, one, in_forms=one.path in in_forms) for one in train]
    jobs += [partial(damaged, one, number) for number, one in enumerate(train[: sizes.damaged])]
    jobs += [partial(negative, path, palette, sizes) for path in sorted(negatives.glob("*.jpg"))]
    jobs += [partial(synthetic, 1000 + seed, spoilt=False) for seed in range(sizes.phantoms)]
    return jobs + [partial(drawn, palette, number) for number in range(sizes.drawn)]


def to_measure(photographs: Sequence[Photograph], highres: Path, sizes: Sizes) -> list[Job]:
    """Return the work that makes what the gate is measured on: photographs of ``valid``, their forms and bad forms."""
    valid = _mixed(photographs, "valid")
    palette, in_forms = _palette(valid), {one.path for one in _of_each_source(valid, sizes.forms_measured)}
    jobs: list[Job] = [partial(retina, one, in_forms=one.path in in_forms) for one in valid]
    jobs += [partial(hospital, path) for path in sorted(highres.glob("*.jpg"))]
    jobs += [partial(damaged_in_every_way, one) for one in _of_each_source(valid, sizes.spoilt_measured)]
    jobs += [partial(synthetic, seed, spoilt=True) for seed in range(sizes.spoilt_measured)]
    return jobs + [partial(drawn, palette, sizes.drawn + number) for number in range(sizes.drawn // 2)]


def examples_of(jobs: Sequence[Job]) -> list[Example]:
    """Do the work, on all processors where it is long."""
    if len(jobs) < _FEW:
        return [one for job in jobs for one in job()]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), initializer=_alone) as pool:
        return [one for found in pool.map(_done, jobs, chunksize=8) for one in found]


def _alone() -> None:
    cv2.setNumThreads(1)


def _done(job: Job) -> list[Example]:
    return job()


def _mixed(photographs: Sequence[Photograph], split: str) -> list[Photograph]:
    """Return a split in an order that has nothing to do with what the photographs show."""
    return sorted(
        (one for one in photographs if one.split == split), key=lambda one: zlib.crc32(one.path.name.encode())
    )


def _of_each_source(photographs: Sequence[Photograph], count: int) -> list[Photograph]:
    sources = sorted({one.source for one in photographs})
    return [one for source in sources for one in [other for other in photographs if other.source == source][:count]]


def _palette(photographs: Sequence[Photograph]) -> Palette:
    """Return the colours of some retinas."""
    found = []
    for photograph in photographs[:_COLOURS]:
        picture = decode(photograph.path)
        circle = find_circle(picture)
        if circle is not None:
            found.append(lookalikes.colours(picture, circle))
    return found
