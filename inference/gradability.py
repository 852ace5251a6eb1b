"""The gate: can this photograph be graded, and if not, why? What cannot be graded is never called healthy.

Each check turns what it measures into a weight: from 0.5 on a person should look, from 1 on it is not graded.
Whether it is a retina at all is decided by a small logistic regression over the same numbers; its weights lie readable
in ``fundus.json`` and are fitted by ``python -m training gate``.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from casebook.words import Gradability, Reason
from inference.appearance import cut_straight, look
from inference.retina import Circle, Picture

REFUSED_LOGIT = -1.0  # log odds of being a retina from which downwards it is refused
_DARK_WITHOUT_DISC = 40  # brightest value below which a picture without a visible disc is called too dark


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
    weights = _weights(look(picture, circle))
    refusing = [reason for reason, weight in weights.items() if weight >= 1]
    if refusing:
        # The order of the checks: what explains the others comes first.
        return Verdict(Gradability.UNGRADABLE, _certainty(max(weights[reason] for reason in refusing)), refusing[0])
    worst = max(weights, key=lambda reason: weights[reason])
    if weights[worst] >= 0.5:
        return Verdict(Gradability.LIMITED, _certainty(weights[worst]), worst)
    return Verdict(Gradability.GRADABLE, _certainty(weights[worst]), None)


def _without_disc(picture: Picture) -> Verdict:
    brightest = float(np.percentile(picture[::4, ::4].max(axis=2), 99.5))
    if brightest < _DARK_WITHOUT_DISC:
        return Verdict(Gradability.UNGRADABLE, 0.9, Reason.TOO_DARK)
    red, green, blue = picture[::4, ::4].reshape(-1, 3).mean(axis=0)
    if red > 0.4 * (red + green + blue) and cut_straight(picture):
        return Verdict(Gradability.UNGRADABLE, 0.8, Reason.TRUNCATED)
    return Verdict(Gradability.UNGRADABLE, 0.95, Reason.NOT_FUNDUS)


def _weights(numbers: dict[str, float]) -> dict[Reason, float]:
    """Weigh every reason; thresholds were set on the photographs named in docs/training.md."""
    sharpness = 0.5 * (numbers["slope_1"] + numbers["slope_2"])
    burnt = max(numbers["burnt"], numbers["clipped"] * (numbers["green"] - 0.25))
    return {
        Reason.TOO_DARK: _weight(numbers["light"], limited=0.2, refused=0.115),
        Reason.TOO_BRIGHT: _weight(burnt, limited=0.15, refused=0.35),
        Reason.TRUNCATED: _weight(numbers["seen"], limited=0.74, refused=0.62),
        Reason.MONOCHROME: _weight(numbers["colour"], limited=0.03, refused=0.02),
        Reason.NOT_FUNDUS: _weight(fundus_logit(numbers), limited=2.0, refused=REFUSED_LOGIT),
        Reason.BLURRED: _weight(sharpness, limited=-0.36, refused=-0.44),
    }


def _weight(measured: float, *, limited: float, refused: float) -> float:
    """Return 0.5 at the limit of doubt, 1 at the limit of refusal, straight between and beyond, never below 0."""
    return max(0.0, 0.5 + 0.5 * (measured - limited) / (refused - limited))


def _certainty(weight: float) -> float:
    """Return how far a weight lies from the nearest limit, as a number from 0.5 to 0.99."""
    return float(min(0.99, 0.5 + min(abs(weight - 0.5), abs(weight - 1.0))))


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
        """Return (n,) log odds of being a retina."""
        return np.asarray(self.terms(numbers) @ self.weights + self.bias)


def fundus_logit(numbers: dict[str, float]) -> float:
    """Return the log odds that this is a photograph of a retina."""
    classifier = _classifier()
    return float(classifier.logits(np.array([[numbers[name] for name in classifier.names]]))[0])


@cache
def _classifier() -> Classifier:
    content = json.loads((resources.files("inference") / "fundus.json").read_text(encoding="utf-8"))
    return Classifier(
        names=tuple(content["numbers"]),
        mean=np.array([part["mean"] for part in content["numbers"].values()]),
        spread=np.array([part["spread"] for part in content["numbers"].values()]),
        weights=np.array(
            [part["weight"] for part in content["numbers"].values()]
            + [part["weight_of_square"] for part in content["numbers"].values()]
        ),
        bias=float(content["bias"]),
    )
