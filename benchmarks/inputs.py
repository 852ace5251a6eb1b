"""From a hospital's JPEG to the network's input, and what the short cuts change in the grade (rules P15 to P20)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks import chains
from benchmarks.measure import interleaved
from benchmarks.plan import Plan
from benchmarks.report import Claim, Figure, Part
from casebook.errors import BadInput
from inference import phantom, reader
from inference.bundle import SHIPPED, Bundle, load_bundle
from inference.preprocess import BenGraham, Preprocessing
from inference.runners.choice import choose
from inference.runners.runner import Tensor

_QUICKER = 2
_GRAIN = 4.0  # of the drawn photograph, in grey levels: it makes the file as large as a camera's (0.9 MB)
_FILTERED = BenGraham(sigma=10 / 256, gain=4.0)  # the notebooks' filter: sigma 10 at 512

_CHAINS: dict[str, Callable[[Path, Preprocessing], Tensor]] = {
    "the service": chains.service,
    "careful": chains.careful,
    "careful, tuned": chains.careful_tuned,
    "notebook, small blur": chains.notebook_small_blur,
    "notebook, full-size blur": chains.notebook_full_blur,
}


def inputs(plan: Plan) -> Part:
    """Measure the chains on a drawn photograph and, where there are some, on real ones.

    Raises:
        BadInput: the folder of real ones holds none.
    """
    part = Part("input")
    photographs = sorted(plan.data.glob("*.jpg")) if plan.data else []
    if plan.data and not photographs:
        raise BadInput(f"There is no .jpg in {plan.data}.", "Give the folder that holds them.")
    bundle = load_bundle(SHIPPED)
    filtered, drawn = Preprocessing(size=plan.size, ben_graham=_FILTERED), _drawn(plan)
    width, height = plan.photograph
    shipped = f"to {bundle.preprocessing.size}, as the bundle that ships wants it"
    _time(part, f"drawn {width}x{height} to {plan.size}, filtered", drawn, filtered, plan.rounds)
    _time(part, f"drawn {width}x{height} {shipped}", drawn, bundle.preprocessing, plan.rounds)
    if not photographs:
        part.left_out.append("real photographs; give their folder with --data.")
        return part
    frame = next(reader.frames(photographs[0]))
    _time(part, f"real {frame.width}x{frame.height} to {plan.size}, filtered", photographs[0], filtered, plan.rounds)
    _drift(part, photographs, bundle)
    return part


def _time(part: Part, title: str, photograph: Path, preprocessing: Preprocessing, rounds: int) -> None:
    sides = {f"{title}: {name}": partial(chain, photograph, preprocessing) for name, chain in _CHAINS.items()}
    service, careful, tuned, small, full = interleaved(sides, _QUICKER * rounds).values()
    part.timings += [service, careful, tuned, small, full]
    part.compare(f"{title}: the service over careful", careful, service, goal=14.0)
    part.compare(f"{title}: the service over careful, tuned", tuned, service)
    part.compare(f"{title}: the service over notebook, small blur", small, service)
    part.compare(f"{title}: the service over notebook, full-size blur", full, service)
    part.figures.append(Figure(f"{title}: file", photograph.stat().st_size / 1e6, "MB"))


def _drift(part: Part, photographs: list[Path], bundle: Bundle) -> None:
    """Grade every photograph after both chains with the very files that ship."""
    choice = choose(bundle, device="cpu", threads=1)
    fast, careful = (
        np.array([choice.runner.run(chain(path, bundle.preprocessing)).score for path in photographs])
        for chain in (chains.service, chains.careful)
    )
    drift = np.abs(fast - careful)
    grades = [np.searchsorted(choice.card.thresholds, scores, side="right") for scores in (fast, careful)]
    title = f"{len(photographs)} real photographs, {bundle.card.name}, the service's input against careful"
    part.claims += [
        Claim(f"{title}: score differs, mean", float(drift.mean())),
        Claim(f"{title}: score differs, most", float(drift.max())),
        Claim(f"{title}: photographs with another grade", float((grades[0] != grades[1]).sum())),
    ]


def _drawn(plan: Plan) -> Path:
    """Return a drawn eye in a camera's frame, compressed as cameras do."""
    width, height = plan.photograph
    path = plan.work / f"drawn-{width}x{height}.jpg"
    if not path.exists():
        side = min(width, height)
        frame = np.zeros((height, width, 3), np.uint8)
        left, top = (width - side) // 2, (height - side) // 2
        eye = phantom.draw(1, lesions=phantom.MANY, size=side)
        grain = np.random.default_rng(1).normal(0, _GRAIN, eye.shape) * (eye.max(axis=2, keepdims=True) > 0)
        frame[top : top + side, left : left + side] = np.clip(eye + grain, 0, 255)
        path.write_bytes(simplejpeg.encode_jpeg(frame, quality=92, colorspace="RGB", colorsubsampling="420"))
    return path
