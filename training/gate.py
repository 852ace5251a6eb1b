"""Fits the gate's question "is this a retina at all?": a logistic regression over the numbers of an appearance.

Retinas are the photographs of the split ``train``, and blurred, dark, bright and grey forms of some of them, so that
bad photographs of retinas are refused for what is bad about them. What is no retina are the pictures of ``negatives``,
round crops of them in the colours of retinas, and patterns drawn by a program. Few originals stand behind many crops:
everything made from one original stays on one side of a fold.
"""

import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from inference.appearance import look
from inference.gradability import REFUSED_LOGIT, Classifier
from inference.retina import Circle, Picture, find_circle
from training.dataset import decode
from training.sources import Photograph, read_labels

_SIDE = 256
_WHOLE = Circle(_SIDE / 2 - 0.5, _SIDE / 2 - 0.5, _SIDE / 2)
_CROPS = 24  # round crops of every original
_PATTERNS = 300
_DAMAGED = 900
_RIDGE = 1.0
_FOLDS = 10
_Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """One picture's numbers, what it is made from, and what it is."""

    numbers: dict[str, float]
    group: str
    kind: str
    retina: bool


def fit_gate(data: Path, out: Path) -> dict[str, dict[str, int]]:
    """Fit the classifier, cross-validate it by original, write it.

    Returns:
        How many of each kind were told wrongly in the cross-validation.
    """
    cv2.setNumThreads(1)
    random = np.random.default_rng(20260312)
    retinas, palette = _retinas(data, random)
    examples = retinas + _others(data, palette, random)
    names = tuple(sorted(set(examples[0].numbers) - {"seen"}))
    rows = np.array([[example.numbers[name] for name in names] for example in examples])
    retina = np.array([example.retina for example in examples])
    kinds = np.array([example.kind for example in examples])
    fold = np.array([zlib.crc32(example.group.encode()) % _FOLDS for example in examples])
    logits = np.zeros(len(examples))
    for number in range(_FOLDS):
        fitted = _fitted(names, rows[fold != number], retina[fold != number], kinds[fold != number])
        logits[fold == number] = fitted.logits(rows[fold == number])
    classifier = _fitted(names, rows, retina, kinds)
    out.write_text(json.dumps(_content(classifier), indent=1) + "\n", encoding="utf-8")
    told = {}
    for kind in sorted(set(kinds)):
        theirs = kinds == kind
        wrong, seen = (logits >= REFUSED_LOGIT) != retina, (classifier.logits(rows) >= REFUSED_LOGIT) != retina
        told[kind] = {
            "pictures": int(theirs.sum()),
            "wrong in cross-validation": int(wrong[theirs].sum()),
            "wrong when fitted": int(seen[theirs].sum()),
        }
    return told


def _retinas(data: Path, random: np.random.Generator) -> tuple[list[Example], list[_Rows]]:
    """Return the retinas, and the colours of some of them from dark to bright as (5, 3) shares of full scale."""
    examples, palette = [], []
    photographs = [photograph for photograph in read_labels(data) if photograph.split == "train"]
    damaged = set(random.choice(len(photographs), min(_DAMAGED, len(photographs)), replace=False).tolist())
    for number, photograph in enumerate(photographs):
        picture = decode(photograph.path)
        circle = find_circle(picture)
        if circle is None:
            continue
        examples.append(_retina(photograph, picture, circle, photograph.source))
        if number in damaged:
            examples.append(_retina(photograph, _damaged(picture, circle, random), circle, "damaged"))
            palette.append(_colours(picture, circle))
    return examples, palette


def _retina(photograph: Photograph, picture: Picture, circle: Circle, kind: str) -> Example:
    return Example(look(picture, circle), photograph.patient, kind, retina=True)


def _damaged(picture: Picture, circle: Circle, random: np.random.Generator) -> Picture:
    """Blur, darken, over-expose or take away the colour."""
    match random.integers(4):
        case 0:
            spoilt = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.008, 0.04) * circle.radius)
        case 1:
            spoilt = picture * random.uniform(0.1, 0.5)
        case 2:
            spoilt = np.clip(picture * random.uniform(1.2, 2.5), 0, 255)
        case _:
            spoilt = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return np.asarray(spoilt, dtype=np.uint8)


def _colours(picture: Picture, circle: Circle) -> _Rows:
    reach = 0.6 * circle.radius
    top, left = max(0, int(circle.y - reach)), max(0, int(circle.x - reach))
    pixels = picture[top : int(circle.y + reach), left : int(circle.x + reach)].reshape(-1, 3) / 255
    order = np.argsort(pixels.mean(axis=1))
    return np.array([pixels[part].mean(axis=0) for part in np.array_split(order, 5)])


def original_of(name: str) -> str:
    """Return what stands behind a picture of ``negatives``: several files may be made from one original."""
    found = re.search(r"cju\w{11}|(?:CNV|DME|DRUSEN)-\d+", name)
    return found.group(0) if found else re.sub(r"^(round_red_|round_|sk_|sl_)|\.jpg$", "", name)


def _others(data: Path, palette: list[_Rows], random: np.random.Generator) -> list[Example]:
    """Return what is no retina."""
    examples = []
    for path in sorted((data / "negatives").glob("*.jpg")):
        picture = decode(path)
        circle = find_circle(picture)
        if circle is not None:
            examples.append(Example(look(picture, circle), original_of(path.name), "negative", retina=False))
        if not path.name.startswith(("round", "endoscopy_round", "empty")):
            examples += [
                Example(look(crop, _WHOLE), original_of(path.name), "crop of a negative", retina=False)
                for crop in (_round_crop(picture, palette, random) for _ in range(_CROPS))
            ]
    return examples + [
        Example(look(_pattern(palette, random), _WHOLE), f"pattern {number}", "pattern", retina=False)
        for number in range(_PATTERNS)
    ]


def _round_crop(picture: Picture, palette: list[_Rows], random: np.random.Generator) -> Picture:
    """Cut a square anywhere, often in a retina's colours, sometimes vignetted or soft."""
    height, width = picture.shape[:2]
    side = int(min(height, width) * random.uniform(0.45, 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    crop = cv2.resize(picture[top : top + side, left : left + side], (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    crop = np.ascontiguousarray(np.rot90(crop, int(random.integers(4))))
    if random.random() < 0.6:
        crop = _recoloured(crop.mean(axis=2) / 255, palette, random)
    if random.random() < 0.4:
        steps = np.linspace(-1, 1, _SIDE)
        fall = 1 - random.uniform(0.1, 0.5) * (steps[:, None] ** 2 + steps[None, :] ** 2)
        crop = (crop * fall[..., None]).astype(np.uint8)
    if random.random() < 0.3:
        crop = cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 4))
    return np.asarray(crop, dtype=np.uint8)


def _recoloured(grey: _Rows, palette: list[_Rows], random: np.random.Generator) -> Picture:
    """Give a (SIDE, SIDE) brightness of 0-1 the colours of one retina."""
    colours = palette[random.integers(len(palette))]
    marks = np.linspace(0, 1, 5)
    if random.random() < 0.5:
        marks = np.quantile(grey, [0.02, 0.25, 0.5, 0.75, 0.98]) + np.arange(5) * 1e-6
    place = np.interp(grey, marks, np.arange(5))
    planes = [np.interp(place, np.arange(5), colours[:, channel]) for channel in range(3)]
    return np.clip(np.stack(planes, axis=-1) * 255, 0, 255).astype(np.uint8)


def _pattern(palette: list[_Rows], random: np.random.Generator) -> Picture:
    """Draw clouds of some roughness, with or without lines and spots, in the colours of a retina."""
    steps = np.fft.fftfreq(_SIDE)
    distance = np.hypot(steps[:, None], steps[None, :])
    distance[0, 0] = 1
    noise = np.fft.fft2(random.normal(size=(_SIDE, _SIDE))) / distance ** random.uniform(0.5, 3)
    clouds = np.fft.ifft2(noise).real
    clouds = (clouds - clouds.mean()) / clouds.std()
    grey = np.clip(0.5 + random.uniform(0, 0.35) * clouds, 0, 1)
    for _ in range(random.integers(1, 20) if random.random() < 0.3 else 0):
        begin, end = (tuple(int(v) for v in random.integers(0, _SIDE, 2)) for _ in range(2))
        cv2.line(grey, begin, end, random.uniform(0, 1), int(random.integers(1, 6)), cv2.LINE_AA)
    for _ in range(random.integers(1, 8) if random.random() < 0.5 else 0):
        centre = tuple(int(v) for v in random.integers(0, _SIDE, 2))
        cv2.circle(grey, centre, int(random.integers(4, 50)), random.uniform(0, 1), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(grey, (0, 0), random.uniform(0.3, 3))
    return _recoloured(np.asarray(soft, dtype=np.float64), palette, random)


def _fitted(
    names: tuple[str, ...], rows: _Rows, retina: npt.NDArray[np.bool_], kinds: npt.NDArray[np.str_]
) -> Classifier:
    """Fit by Newton's method with a ridge; every kind counts alike within its class."""
    usual = retina & (kinds != "damaged")
    classifier = Classifier(names, rows[usual].mean(axis=0), rows[usual].std(axis=0) + 1e-6, np.zeros(0), 0.0)
    terms = classifier.terms(rows)
    terms = np.concatenate([terms, np.ones((len(terms), 1))], axis=1)
    counts = np.zeros(len(rows))
    for kind in set(kinds):
        counts[kinds == kind] = 1 / (kinds == kind).sum()
    for side in (retina, ~retina):
        counts[side] *= 1000 / counts[side].sum()
    ridge = np.diag([_RIDGE] * (terms.shape[1] - 1) + [1e-6])
    weights = np.zeros(terms.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
        slope = terms.T @ (counts * (chance - retina)) + ridge @ weights
        curvature = (terms * (counts * chance * (1 - chance))[:, None]).T @ terms + ridge
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-5:
            break
    return Classifier(names, classifier.mean, classifier.spread, weights[:-1], float(weights[-1]))


def _content(classifier: Classifier) -> dict[str, object]:
    """Return what is written: each number with its mean, spread and two weights."""
    half = len(classifier.names)
    return {
        "what": "Log odds of being a photograph of a retina, over numbers of inference.appearance",
        "bias": round(classifier.bias, 5),
        "numbers": {
            name: {
                "mean": float(f"{classifier.mean[i]:.6g}"),
                "spread": float(f"{classifier.spread[i]:.6g}"),
                "weight": round(float(classifier.weights[i]), 5),
                "weight_of_square": round(float(classifier.weights[half + i]), 5),
            }
            for i, name in enumerate(classifier.names)
        },
    }
