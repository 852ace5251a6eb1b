"""Golden pictures: phantoms whose scores stand in the card; a service computes them at every start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2

from casebook.errors import Misconfigured
from inference import phantom
from inference.bundle import RunnerCard
from inference.grading import grade_of
from inference.preprocess import Preprocessing, normalise, prepare
from inference.retina import Picture, find_circle
from inference.runners.runner import Runner

# Other processors round otherwise, above all in whole numbers.
TOLERANCE = 0.05
_STATES = {"healthy": phantom.HEALTHY, "few_lesions": phantom.FEW, "many_lesions": phantom.MANY}
_SIDE = 512
_SEEDS = range(8)


@dataclass(frozen=True, slots=True)
class GoldenPicture:
    """A phantom and what the bundle answers to it.

    Attributes:
        file: of the bundle.
        scores: by runner.
        grade: the same from every runner.
    """

    file: str
    scores: dict[str, float]
    grade: int


def draw(
    folder: Path, preprocessing: Preprocessing, runners: Mapping[str, tuple[Runner, RunnerCard]]
) -> list[GoldenPicture]:
    """Draw phantoms into ``golden/`` of a bundle's folder and let every runner answer.

    For each state of the eye that one of some phantoms is taken whose scores lie farthest from every runner's
    thresholds, so that rounding changes no grade.

    Raises:
        Misconfigured: the runners never agree on a grade.
    """
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    found = []
    for name, lesions in _STATES.items():
        pictures = [phantom.draw(seed, lesions=lesions, size=_SIDE) for seed in _SEEDS]
        scores = [_scores(picture, preprocessing, runners) for picture in pictures]
        best = max(_SEEDS, key=lambda seed, scores=scores: _room(scores[seed], runners))  # type: ignore[misc]
        grades = _grades(scores[best], runners)
        if len(grades) > 1:
            raise Misconfigured(
                f"The files of this bundle grade every {name.replace('_', ' ')} phantom differently.",
                "Fit the network longer.",
            )
        file = f"golden/{name}.png"
        (folder / file).write_bytes(_png(pictures[best]))
        rounded = {runner: round(score, 4) for runner, score in scores[best].items()}
        found.append(GoldenPicture(file, rounded, min(grades)))
    return found


def _scores(
    picture: Picture, preprocessing: Preprocessing, runners: Mapping[str, tuple[Runner, RunnerCard]]
) -> dict[str, float]:
    circle = find_circle(picture)
    assert circle is not None, "a phantom has a retina"
    tensor = normalise(prepare(picture, circle, preprocessing), preprocessing)
    return {name: runner.run(tensor).score for name, (runner, _) in runners.items()}


def _grades(scores: dict[str, float], runners: Mapping[str, tuple[Runner, RunnerCard]]) -> set[int]:
    return {grade_of(score, runners[name][1]) for name, score in scores.items()}


def _room(scores: dict[str, float], runners: Mapping[str, tuple[Runner, RunnerCard]]) -> float:
    """Return how far the nearest threshold is; less than nothing where the runners disagree."""
    if len(_grades(scores, runners)) > 1:
        return -1.0
    return min(abs(score - cut) for name, score in scores.items() for cut in runners[name][1].thresholds)


def _png(picture: Picture) -> bytes:
    done, coded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done, "OpenCV writes PNG"
    return bytes(coded)
