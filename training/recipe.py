"""A recipe: every number that makes a bundle, in one readable file."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from casebook.errors import Misconfigured
from inference.preprocess import Preprocessing

PRECISIONS = ("bfloat16", "float32")


@dataclass(frozen=True, slots=True)
class Fit:
    """How the network is fitted; the meaning of each number stands in ``recipes/compact.toml``."""

    epochs: int
    draws: int
    batch: int
    learning_rate: float
    weight_decay: float
    warm_up: float
    dropout: float
    average: float
    precision: str
    threads: int
    calibration_share: float
    balance: float


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


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe as read from its file."""

    name: str
    version: str
    architecture: str
    seed: int
    preprocessing: Preprocessing
    fit: Fit
    augment: Augment
    sources: dict[str, float]
    text: str


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
            augment=Augment(**{key: _pair(value) for key, value in values.pop("augment", {}).items()}),
            sources={name: float(weight) for name, weight in values.pop("sources").items()},
            text=text,
            **values,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"The recipe is wrong: {error}.", "Compare it with training/recipes/compact.toml."
        ) from error
    if recipe.fit.precision not in PRECISIONS:
        raise Misconfigured("The recipe's precision is unknown.", f"Choose one of {', '.join(PRECISIONS)}.")
    return recipe


def _preprocessing(values: dict[str, Any]) -> Preprocessing:
    return Preprocessing.from_card({"mean": (127, 127, 127), "scale": (128, 128, 128), **values})


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
