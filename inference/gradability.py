"""The gate: can this photograph be graded, and if not, why? What cannot be graded is never called healthy.

Every check has one number that says how bad it is, and two limits: from the first on a person should look, from the
second on it is not graded. Darkness, burnt-out areas, missing parts and missing colour are measured plainly; haze,
shade, blur, and whether it is a retina at all, are logistic regressions over the same numbers. Limits and weights lie
readable in ``fundus.json`` and are measured by ``python -m training gate`` (docs/gate.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from casebook.words import Gradability, Reason
from inference.appearance import cut_straight, look
from inference.retina import Circle, Picture

_DARK_WITHOUT_DISC = 40  # brightest value below which a picture without a visible disc is called too dark


class Check(StrEnum):
    """What is looked at; what explains the others comes first."""

    LIGHT = "light"
    BURNT = "burnt"
    SEEN = "seen"
    COLOUR = "colour"
    FUNDUS = "fundus"
    HAZE = "haze"
    SHADE = "shade"
    SHARP = "sharp"


REASONS = {
    Check.LIGHT: Reason.TOO_DARK,
    Check.BURNT: Reason.TOO_BRIGHT,
    Check.SEEN: Reason.TRUNCATED,
    Check.COLOUR: Reason.MONOCHROME,
    Check.FUNDUS: Reason.NOT_FUNDUS,
    Check.HAZE: Reason.TOO_BRIGHT,
    Check.SHADE: Reason.TOO_DARK,
    Check.SHARP: Reason.BLURRED,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer.

    Attributes:
        gradability: gradable, limited (graded, but a person should look) or ungradable.
        certainty: how sure the gate is of this answer, 0.5 to 0.99.
        reason: why not, or only with doubt; None when gradable.
    """

    gradability: Gradability
    certainty: float
    reason: Reason | None


def judge(picture: Picture, circle: Circle | None) -> Verdict:
    """Judge a photograph; its small and its hospital-size form get the same answer.

    Args:
        picture: (H, W, 3) uint8 RGB.
        circle: what ``find_circle`` found in it.
    """
    if circle is None:
        return _without_disc(picture)
    weights = shipped().weights(look(picture, circle))
    worst = max(weights, key=lambda check: weights[check])
    if weights[worst] >= 1:
        first = next(check for check, weight in weights.items() if weight >= 1)
        return Verdict(Gradability.UNGRADABLE, _certainty(weights[worst]), REASONS[first])
    if weights[worst] >= 0.5:
        return Verdict(Gradability.LIMITED, _certainty(weights[worst]), REASONS[worst])
    return Verdict(Gradability.GRADABLE, _certainty(weights[worst]), None)


def _without_disc(picture: Picture) -> Verdict:
    brightest = float(np.percentile(picture[::4, ::4].max(axis=2), 99.5))
    if brightest < _DARK_WITHOUT_DISC:
        return Verdict(Gradability.UNGRADABLE, 0.9, Reason.TOO_DARK)
    red, green, blue = picture[::4, ::4].reshape(-1, 3).mean(axis=0)
    if red > 0.4 * (red + green + blue) and cut_straight(picture):
        return Verdict(Gradability.UNGRADABLE, 0.8, Reason.TRUNCATED)
    return Verdict(Gradability.UNGRADABLE, 0.95, Reason.NOT_FUNDUS)


def _certainty(weight: float) -> float:
    """Return how far a weight lies from the nearest limit, as a number from 0.5 to 0.99."""
    return float(min(0.99, 0.5 + min(abs(weight - 0.5), abs(weight - 1.0))))


@dataclass(frozen=True, slots=True)
class Limits:
    """Where doubt and where refusal begin, on a number that is larger the worse it is."""

    limited: float
    refused: float

    def weight(self, bad: float) -> float:
        """Return 0.5 at the limit of doubt, 1 at the limit of refusal, straight between and beyond, never below 0."""
        return max(0.0, 0.5 + 0.5 * (bad - self.limited) / (self.refused - self.limited))


@dataclass(frozen=True, slots=True)
class Classifier:
    """A logistic regression over the numbers of ``look`` and their squares."""

    names: tuple[str, ...]
    mean: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    bias: float

    def terms(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (n, 2 k) standardised numbers and their squares for (n, k) numbers."""
        standard = np.clip((numbers - self.mean) / self.spread, -4, 4)
        return np.concatenate([standard, standard**2], axis=1)

    def logits(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (n,) log odds of being bad."""
        return np.asarray(self.terms(numbers) @ self.weights + self.bias)

    def logit(self, numbers: Mapping[str, float]) -> float:
        """Return the log odds of one photograph."""
        return float(self.logits(np.array([[numbers[name] for name in self.names]]))[0])


@dataclass(frozen=True, slots=True)
class Gate:
    """Turns the numbers of a photograph into the weight of every check."""

    limits: Mapping[Check, Limits]
    classifiers: Mapping[Check, Classifier]

    def weights(self, numbers: Mapping[str, float]) -> dict[Check, float]:
        """Return the weight of every check: from 0.5 on a person should look, from 1 on it is not graded."""
        bad = measured(numbers) | {check: fitted.logit(numbers) for check, fitted in self.classifiers.items()}
        return {check: self.limits[check].weight(bad[check]) for check in Check}


def measured(numbers: Mapping[str, float]) -> dict[Check, float]:
    """Return what needs no classifier: how dark, burnt out, incomplete and colourless, larger being worse."""
    return {
        Check.LIGHT: -numbers["light"],
        Check.BURNT: max(numbers["burnt"], numbers["clipped"] * (numbers["green"] - 0.25)),
        Check.SEEN: -numbers["seen"],
        Check.COLOUR: -numbers["colour"],
    }


@cache
def shipped() -> Gate:
    """Return the gate of ``fundus.json``."""
    return read_gate(json.loads((resources.files("inference") / "fundus.json").read_text(encoding="utf-8")))


def read_gate(content: Mapping[str, Any]) -> Gate:
    """Return the gate that a file such as ``fundus.json`` describes."""
    return Gate(
        limits={Check(name): Limits(**limits) for name, limits in content["limits"].items()},
        classifiers={Check(name): _classifier(part) for name, part in content["classifiers"].items()},
    )


def _classifier(content: Mapping[str, Any]) -> Classifier:
    parts = content["numbers"].values()
    return Classifier(
        names=tuple(content["numbers"]),
        mean=np.array([part["mean"] for part in parts]),
        spread=np.array([part["spread"] for part in parts]),
        weights=np.array([part["weight"] for part in parts] + [part["weight_of_square"] for part in parts]),
        bias=float(content["bias"]),
    )
