"""A recipe: every number that makes a bundle, in one readable file."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from casebook.errors import Misconfigured
from inference.preprocess import Preprocessing

STRIDE = 32  # of every network in the catalogue: the side of the input is a multiple of it

_Count = Annotated[int, Field(ge=1)]
_Whole = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Change = Annotated[float, Field(ge=0)]
_STRICT = ConfigDict(strict=True, extra="forbid")
_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Fit:
    """How the network is fitted.

    Attributes:
        batch: photographs a step.
        accumulate: parts a batch is computed in, where it does not fit the memory at once.
        optimizer: ``adamw``, or ``sgd`` with ``momentum``.
        momentum: of SGD.
        weight_decay: of weights; norms and biases are spared.
        loss: ``smooth_l1`` or ``mse`` on the grade as a number, or ``ordinal``: proportional odds over the score.
        dropout: share of pooled features dropped.
        average: exponential moving average of the weights, per step; 0 keeps none.
        precision: of the forward pass; weights and their sums stay float32.
        threads: cores of the CPU.
        folds: parts the training patients are dealt into; one of them is held out for thresholds and calibration.
        balance: how far rare grades of a source are drawn more often: 0 as they are, 1 all grades alike.
        fellow: share of the fellow eye's grade in the target, where both eyes of a patient are known.
        patience: epochs without a better loss on the held-out part after which a stage ends; 0 never.
        clip: longest gradient of a step; a longer one is shortened to it; 0 shortens none.
        deterministic: on CUDA, only kernels that give the same bits again, which are slower; a CPU does so anyway.
    """

    batch: _Count
    accumulate: _Count = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: _Share = 0.0
    weight_decay: _Change = 0.0
    loss: Literal["smooth_l1", "mse", "ordinal"] = "smooth_l1"
    dropout: _Share = 0.0
    average: _Share = 0.0
    precision: Literal["bfloat16", "float16", "float32"] = "float32"
    threads: _Count = 2
    folds: Annotated[int, Field(ge=2)] = 8
    balance: _Share = 0.0
    fellow: _Share = 0.0
    patience: _Whole = 0
    clip: _Change = 5.0
    deterministic: bool = False


@dataclass(frozen=True, slots=True, config=_STRICT)
class Stage:
    """A part of the fit with its own optimizer.

    Attributes:
        epochs: how many.
        learning_rate: the highest.
        size: side of the input in pixels; 0 is the recipe's own.
        draws: photographs an epoch; 0 is every photograph once, and a few twice so that the last batch is full.
        warm_up: share of the stage's steps in which the rate rises.
        schedule: ``cosine`` falls to nothing, ``constant`` stays.
        frozen: only the head is fitted, the backbone and its statistics stay.
    """

    epochs: _Count
    learning_rate: Annotated[float, Field(gt=0)]
    size: _Whole = 0
    draws: _Whole = 0
    warm_up: _Share = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    frozen: bool = False


@dataclass(frozen=True, slots=True, config=_STRICT)
class Augment:
    """How far photographs are varied; every number is the largest change, a share where not said otherwise.

    Attributes:
        scale: zoom in or out.
        shift: of the centre, in radii.
        aspect: squeeze, in either direction.
        cut: probability that the disc is cut above and below, as some cameras do, and how deep at most in radii.
        brightness: gain of all channels together.
        tint: gain of single channels.
        gamma: exponent.
        saturation: towards grey or away from it.
        blur: probability, and largest sigma in pixels.
        sharpen: probability for what is not blurred, and largest amount of its edges added.
        jpeg: probability of another JPEG compression, and its lowest quality.
        small: probability that a photograph is reduced, so compressed, and enlarged again, and how small at least.
    """

    scale: _Change = 0.12
    shift: _Change = 0.04
    aspect: _Change = 0.06
    cut: tuple[_Share, _Share] = (0.5, 0.32)
    brightness: _Change = 0.25
    tint: _Change = 0.12
    gamma: _Change = 0.2
    saturation: _Change = 0.3
    blur: tuple[_Share, _Change] = (0.25, 1.2)
    sharpen: tuple[_Share, _Change] = (0.0, 1.0)
    jpeg: tuple[_Share, Annotated[int, Field(ge=1, le=95)]] = (0.25, 45)
    small: tuple[_Share, Annotated[float, Field(gt=0, le=1)]] = (0.0, 0.5)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Teacher:
    """Whose scores the network is fitted to beside the readers' grades (distillation).

    Attributes:
        scores: CSV of ``python -m training teach``: a path from where the command is given, or a file of this package's
            recipes.
        share: of the teacher's score in the target; the rest is the grade.
    """

    scores: str
    share: _Share


@dataclass(frozen=True, slots=True, config=_STRICT)
class Recipe:
    """One recipe as read from its file.

    Attributes:
        name: of the bundle that comes of it.
        version: of that bundle.
        architecture: of ``inference.network.catalogue``.
        seed: of everything that is drawn.
        preprocessing: how a photograph becomes input.
        fit: what holds for the whole fit.
        stages: one after the other.
        augment: how photographs are varied; None leaves them as they are.
        sources: how often a source is drawn, relative to its number of photographs; an unnamed one has 1.
        text: the file.
        weights: what the fit starts from: a file beside the data or in its folder ``weights``, ``torchvision`` or
            ``random``; nothing: ``--weights`` must say it.
        teacher: whose scores join the grades, or None.
    """

    name: str
    version: str
    architecture: str
    seed: int
    preprocessing: Preprocessing
    fit: Fit
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    augment: Augment | None
    sources: dict[str, _Change]
    text: str
    weights: str = ""
    teacher: Teacher | None = None

    def stage_of(self, epoch: int) -> tuple[Stage, int]:
        """Return the stage an epoch of the whole fit belongs to, and which epoch of that stage it is."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage, epoch
            epoch -= stage.epochs
        raise ValueError("the fit has fewer epochs")

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def fits_as(self, other: "Recipe") -> bool:
        """Return whether another recipe fits the same once begun: comments and start weights may differ."""
        return replace(self, text="", weights="") == replace(other, text="", weights="")

    def size_of(self, stage: Stage) -> int:
        """Return the side of the input in a stage, in pixels."""
        return stage.size or self.preprocessing.size

    def steps_of(self, stage: Stage, photographs: int) -> int:
        """Return how many whole batches an epoch of a stage has, of so many photographs to fit on."""
        return stage.draws // self.fit.batch if stage.draws else -(-photographs // self.fit.batch)

    def pixels_from(self, epoch: int, photographs: int) -> int:
        """Return how many pixels are still to be fitted from an epoch on: a measure of the time left."""
        stages = [stage for stage in self.stages for _ in range(stage.epochs)][epoch:]
        return sum(self.steps_of(stage, photographs) * self.fit.batch * self.size_of(stage) ** 2 for stage in stages)


def load_recipe(name: str) -> Recipe:
    """Read a recipe of this package by name, or any TOML file by path.

    Raises:
        Misconfigured: it does not exist, or a key is missing, unknown or wrong.
    """
    path = Path(name)
    if path.suffix != ".toml":
        inside = resources.files("training") / "recipes" / f"{name}.toml"
        if not inside.is_file():
            raise Misconfigured(
                f"There is no recipe {name}.", "Give one of training/recipes, or a path ending in .toml."
            )
        return parse_recipe(inside.read_text(encoding="utf-8"))
    try:
        return parse_recipe(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The recipe {name} cannot be read.", "Check the path.") from error


def parse_recipe(text: str) -> Recipe:
    """Read a recipe from its text.

    Raises:
        Misconfigured: a key is missing, unknown or wrong.
    """
    try:
        values = tomllib.loads(text)
        recipe = Recipe(
            preprocessing=_preprocessing(values.pop("preprocessing")),
            fit=_section(Fit, values.pop("fit")),
            stages=tuple(_section(Stage, stage) for stage in values.pop("stages")),
            augment=_section(Augment, values.pop("augment")) if "augment" in values else None,
            teacher=_section(Teacher, values.pop("teacher")) if "teacher" in values else None,
            sources=values.pop("sources", {}),
            text=text,
            **values,
        )
        _check(recipe)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"])
        reason = f"{error.title.lower()} {key}: {wrong['msg'][0].lower()}{wrong['msg'][1:]}"
    except KeyError as error:
        reason = f"{error} is missing"
    except (AttributeError, TypeError, ValueError) as error:
        reason = str(error)
    else:
        return recipe
    raise Misconfigured(f"The recipe is wrong: {reason}.", "Compare it with training/recipes/compact.toml.")


def _check(recipe: Recipe) -> None:
    for size in (recipe.preprocessing.size, *(stage.size for stage in recipe.stages if stage.size)):
        if size % STRIDE or size < STRIDE:
            raise ValueError(f"size {size} is no multiple of {STRIDE}")
    if any(0 < stage.draws < recipe.fit.batch for stage in recipe.stages):
        raise ValueError("a stage draws less than one batch")


def _section(kind: Callable[..., _Section], values: dict[str, Any]) -> _Section:
    """Read a section; TOML knows lists only where a pair is meant."""
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _preprocessing(values: dict[str, Any]) -> Preprocessing:
    if not isinstance(values["size"], int):
        raise TypeError("size is no whole number")
    return Preprocessing.from_card({"mean": (127, 127, 127), "scale": (128, 128, 128), **values})
