"""A bundle: the folder that holds one trained grader and the card that says everything about it (rule S21).

Every file is read once, hashed, and used from those bytes; what the card does not list must not be there.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from casebook.errors import Misconfigured
from inference.preprocess import Preprocessing

FORMAT = 1
CARD = "card.json"
SHIPPED = Path(__file__).resolve().parent / "bundles" / "compact"

_SUFFIXES = {".onnx", ".safetensors", ".json", ".png", ".html"}
_DOCUMENTS = {"README", "NOTICE", "LICENSE"}
_MAX_CARD = 1 << 20
_REMEDY = "Install the bundle again, or set model.bundle to another one."

Cuts = Annotated[tuple[float, float, float, float], Field()]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListedFile(_Part):
    """A file of the bundle as the card names it."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Calibration(_Part):
    """Proportional odds: P(grade >= k | score) = 1 / (1 + exp(-slope * (score - cuts[k - 1])))."""

    slope: float = Field(gt=0)
    cuts: Cuts


class RunnerCard(_Part):
    """What holds when one runner computes.

    Attributes:
        file: its model.
        thresholds: between the grades.
        calibration: from score to probability.
        doubt_below: a grading less sure than this of referable disease asks for a human first; 0 never asks.
        golden: its own scores of the golden pictures, in the card's order; without them those of the card hold.
    """

    file: str
    thresholds: Cuts
    calibration: Calibration
    doubt_below: float = Field(default=0.0, ge=0, le=1)
    golden: tuple[float, ...] = ()


class Golden(_Part):
    """A phantom photograph and what the bundle answers to it."""

    file: str
    score: float
    grade: int = Field(ge=0, le=4)


class Outputs(_Part):
    """Names of the graph's outputs."""

    score: str
    activation: str


class Network(_Part):
    """What the weights belong to."""

    architecture: str
    parameters: int


class Card(BaseModel):
    """``card.json``, format 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    version: str = Field(min_length=1, max_length=32)
    preprocessing: dict[str, Any]
    outputs: Outputs
    network: Network | None = None  # cards written before there was a runner for bare weights need none
    files: dict[str, ListedFile]
    runners: dict[Literal["openvino", "openvino_float", "onnxruntime", "torch"], RunnerCard] = Field(min_length=1)
    golden: tuple[Golden, ...] = Field(min_length=1)
    golden_tolerance: float = Field(gt=0)
    licence: str
    intended_use: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every byte is what its card says.

    Attributes:
        card: what it says about itself.
        card_json: the card as it stands on disk.
        sha256: of the card; it names every other file's hash, so this is the bundle's identity.
        preprocessing: how a photograph becomes the network's input.
        files: contents by name.
    """

    card: Card
    card_json: str
    sha256: str
    preprocessing: Preprocessing
    files: Mapping[str, bytes]


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check it against its card.

    Args:
        folder: the bundle's folder.

    Raises:
        Misconfigured: it is missing, incomplete, changed, of another format, or holds what it does not list.
    """
    if not folder.is_dir():
        raise Misconfigured(f"There is no bundle at {folder}.", "Set model.bundle to the folder of a bundle.")
    if not (folder / CARD).exists():
        raise Misconfigured(f"The folder {folder} holds no {CARD}.", "Set model.bundle to the folder of a bundle.")
    raw = _read(folder, CARD, _MAX_CARD)
    card = _card(raw)
    _check_listing(folder, card)
    files = {name: _listed(folder, name, listed) for name, listed in card.files.items()}
    try:
        preprocessing = Preprocessing.from_card(card.preprocessing)
    except (TypeError, ValueError, KeyError) as error:
        raise Misconfigured(
            "The bundle's card has a section preprocessing that cannot be understood.", _REMEDY
        ) from error
    for name in (*(runner.file for runner in card.runners.values()), *(golden.file for golden in card.golden)):
        if name not in files:
            raise Misconfigured(f"The bundle's card uses the file {name} but does not list it.", _REMEDY)
    if any(len(runner.golden) not in {0, len(card.golden)} for runner in card.runners.values()):
        raise Misconfigured("The bundle's card does not say what each runner scores the golden pictures.", _REMEDY)
    return Bundle(card, raw.decode(), hashlib.sha256(raw).hexdigest(), preprocessing, files)


def _card(raw: bytes) -> Card:
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise Misconfigured(f"The bundle's {CARD} is no JSON.", _REMEDY) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Misconfigured(
            f"The bundle's card is of a format this version does not know (it reads format {FORMAT}).",
            "Install a newer RetinaGate, or set model.bundle to another bundle.",
        )
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"The bundle's card is wrong at {place}: {first['msg']}.", _REMEDY) from error


def _check_listing(folder: Path, card: Card) -> None:
    """Compare the folder with the card: regular files only, all of them listed, under plain names."""
    for name in card.files:
        listed = PurePosixPath(name)
        plain = listed.as_posix() == name and not listed.is_absolute() and ".." not in listed.parts
        if not plain or "\\" in name or not (listed.suffix in _SUFFIXES or listed.stem in _DOCUMENTS):
            raise Misconfigured("The bundle's card lists a file under a name that is not allowed.", _REMEDY)
    for where, folders, names in os.walk(folder):
        for entry in (*folders, *names):
            path = Path(where, entry)
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise Misconfigured(f"The bundle holds a link: {name}.", _REMEDY)
            if entry in names and name != CARD and name not in card.files:
                raise Misconfigured(f"The bundle holds a file that its card does not list: {name}.", _REMEDY)


def _listed(folder: Path, name: str, listed: ListedFile) -> bytes:
    data = _read(folder, name, listed.size)
    if len(data) != listed.size or hashlib.sha256(data).hexdigest() != listed.sha256:
        raise Misconfigured(f"The bundle's file {name} is not the one its card names.", _REMEDY)
    return data


def _read(folder: Path, name: str, limit: int) -> bytes:
    """Read a regular file of the bundle, at most one byte over the limit."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Misconfigured(f"The bundle's file {name} is missing or cannot be read.", _REMEDY) from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Misconfigured(f"The bundle's file {name} is no regular file.", _REMEDY)
        return stream.read(limit + 1)
