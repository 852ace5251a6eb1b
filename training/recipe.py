"""A recipe: every number that makes a bundle, in one readable file."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from casebook.errors import Misconfigured
from inference.preprocess import Preprocessing

PRECISIONS = ("bfloat16", "float16", "float32")
LOSSES = ("smooth_l1", "mse", "ordinal")
OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True, slots=True)
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
    """

    batch: int
    accumulate: int = 1
    optimizer: str = "adamw"
    momentum: float = 0.0
    weight_decay: float = 0.0
    loss: str = "smooth_l1"
    dropout: float = 0.0
    average: float = 0.0
    precision: str = "float32"
    threads: int = 2
    folds: int = 8
    balance: float = 0.0
    fellow: float = 0.0
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the fit with its own optimizer.

    Attributes:
        epochs: how many.
        learning_rate: the highest.
        size: side of the input in pixels; 0 is the recipe's own.
        draws: photographs an epoch; 0 is every photograph once.
        warm_up: share of the stage's steps in which the rate rises.
        schedule: ``cosine`` falls to nothing, ``constant`` stays.
        frozen: only the head is fitted, the backbone and its statistics stay.
    """

    epochs: int
    learning_rate: float
    size: int = 0
    draws: int = 0
    warm_up: float = 0.0
    schedule: str = "cosine"
    frozen: bool = False


@dataclass(frozen=True, slots=True)
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
        jpeg: probability of another JPEG compression, and its lowest quality.
        small: probability that a photograph is reduced and enlarged again, and how small at least.
    """

    scale: float = 0.12
    shift: float = 0.04
    aspect: float = 0.06
    cut: tuple[float, float] = (0.5, 0.32)
    brightness: float = 0.25
    tint: float = 0.12
    gamma: float = 0.2
    saturation: float = 0.3
    blur: tuple[float, float] = (0.25, 1.2)
    jpeg: tuple[float, int] = (0.25, 45)
    small: tuple[float, float] = (0.0, 0.5)


@dataclass(frozen=True, slots=True)
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
    """

    name: str
    version: str
    architecture: str
    seed: int
    preprocessing: Preprocessing
    fit: Fit
    stages: tuple[Stage, ...]
    augment: Augment | None
    sources: dict[str, float]
    text: str

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
    except OSError as error:
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
            fit=Fit(**values.pop("fit")),
            stages=tuple(Stage(**stage) for stage in values.pop("stages")),
            augment=_augment(values.pop("augment", None)),
            sources={name: float(weight) for name, weight in values.pop("sources", {}).items()},
            text=text,
            **values,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"The recipe is wrong: {error}.", "Compare it with training/recipes/compact.toml."
        ) from error
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    chosen = [
        ("precision", recipe.fit.precision, PRECISIONS),
        ("loss", recipe.fit.loss, LOSSES),
        ("optimizer", recipe.fit.optimizer, OPTIMIZERS),
        *(("schedule", stage.schedule, SCHEDULES) for stage in recipe.stages),
    ]
    for key, value, known in chosen:
        if value not in known:
            raise Misconfigured(f"The recipe's {key} {value} is unknown.", f"Choose one of {', '.join(known)}.")
    if not recipe.stages or recipe.fit.folds < 2:
        raise Misconfigured("The recipe needs at least one stage and two folds.", "Add what is missing.")


def _preprocessing(values: dict[str, Any]) -> Preprocessing:
    return Preprocessing.from_card({"mean": (127, 127, 127), "scale": (128, 128, 128), **values})


def _augment(values: dict[str, Any] | None) -> Augment | None:
    return None if values is None else Augment(**{key: _pair(value) for key, value in values.items()})


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
