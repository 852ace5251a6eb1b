"""Chooses what computes a bundle: the first runner that reproduces its golden pictures, or none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from casebook.errors import Misconfigured
from inference import grading, preprocess, retina
from inference.bundle import Bundle, RunnerCard
from inference.reading import decoders, png
from inference.runners.cuda import TorchRunner
from inference.runners.onnx import OnnxRunner
from inference.runners.openvino import OpenVinoRunner
from inference.runners.runner import Runner, RunnerFailed

Device = Literal["auto", "cpu", "cuda"]
RunnerName = Literal["openvino", "openvino_float", "onnxruntime"]
# In order of preference. A bundle of whole numbers names its float file beside them, for processors that round them
# differently.
TITLES: dict[RunnerName, str] = {
    "openvino": "OpenVINO",
    "openvino_float": "OpenVINO with the float file",
    "onnxruntime": "ONNX Runtime",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A runner that answers as the card says, with the thresholds and the calibration that belong to it.

    Attributes:
        runner: what computes.
        card: its part of the card.
        fallback: why it is not the first choice, as one sentence; empty when it is.
    """

    runner: Runner
    card: RunnerCard
    fallback: str = ""


def choose(
    bundle: Bundle,
    *,
    device: Device,
    threads: int,
    cache: Path | None = None,
    avoid: frozenset[str] = frozenset(),
    loading: Callable[[str], None] = lambda _name: None,
) -> Choice:
    """Load the runners in order of preference until one reproduces the golden pictures.

    Args:
        bundle: what to run.
        device: ``cuda`` takes torch alone; ``auto`` and ``cpu`` are the same here, for a GPU belongs to a process of
            its own (``inference.children``).
        threads: how many cores may compute (rule P8).
        cache: where OpenVINO may keep compiled graphs.
        avoid: names of runners that ended the process that loaded them.
        loading: told the name of each runner before it is loaded, for it may end the process.

    Raises:
        Misconfigured: the device has no runner here, or no runner answers as the card says.
    """
    if device == "cuda":
        try:
            return Choice(load_torch(bundle), bundle.card.runners["torch"])
        except RunnerFailed as failure:
            raise cuda_refused(failure) from failure
    complaints: list[str] = []
    for name, title in TITLES.items():
        card = bundle.card.runners.get(name)
        if card is None:
            continue
        if name in avoid:
            complaints.append(f"{title} is not used: it ended the process that loaded it.")
            continue
        loading(name)
        try:
            runner = _load(name, bundle, card, threads, cache)
            _check_golden(bundle, runner, card)
        except RunnerFailed as failure:
            complaints.append(f"{title} is not used: {failure.message}")
            continue
        return Choice(runner, card, " ".join(complaints))
    raise Misconfigured(
        f"Nothing here computes the bundle {bundle.card.name} as its card says. {' '.join(complaints)}",
        "Install the bundle again, or set model.bundle to another one.",
    )


def load_torch(bundle: Bundle, *, device: str = "cuda") -> TorchRunner:
    """Load the bundle's weights with torch, and let it reproduce the golden pictures.

    Args:
        bundle: what to run.
        device: torch's name of what computes; ``cpu`` is for tests and comparisons.

    Raises:
        RunnerFailed: weights, torch or GPU are not there, or it does not answer as the card says.
    """
    name, card, network = bundle.card.name, bundle.card.runners.get("torch"), bundle.card.network
    if card is None or network is None:
        raise RunnerFailed(f"the bundle {name} has no weights for torch.", "Set model.bundle to one that has them.")
    runner = TorchRunner(bundle.files[card.file], network.architecture, bundle.preprocessing.size, device=device)
    try:
        _check_golden(bundle, runner, card)
    except RunnerFailed as failure:
        raise RunnerFailed(
            f"torch does not compute the bundle {name} as its card says: {failure.message}", "Install the bundle again."
        ) from failure
    return runner


def cuda_refused(failure: RunnerFailed) -> Misconfigured:
    """Say why what was asked for cannot be had, and what else there is."""
    remedy = failure.remedy.removesuffix(".")
    return Misconfigured(
        f"model.device is cuda, but {failure.message}", f"{remedy or 'Free the GPU'}, or set model.device to cpu."
    )


def _load(name: RunnerName, bundle: Bundle, card: RunnerCard, threads: int, cache: Path | None) -> Runner:
    model, size = bundle.files[card.file], bundle.preprocessing.size
    outputs = (bundle.card.outputs.score, bundle.card.outputs.activation)
    if name == "onnxruntime":
        return OnnxRunner(model, size, outputs, threads=threads)
    return OpenVinoRunner(model, size, outputs, threads=threads, cache=cache, name=name)


def _check_golden(bundle: Bundle, runner: Runner, card: RunnerCard) -> None:
    """Compute the golden pictures the whole way a photograph goes; it warms the runner up too (rule P9).

    Raises:
        RunnerFailed: a score is further off than the card allows, or a grade differs.
    """
    scores = card.golden or tuple(golden.score for golden in bundle.card.golden)
    for golden, expected in zip(bundle.card.golden, scores, strict=True):
        data = bundle.files[golden.file]
        picture = decoders.png(data, png.parse(data))
        circle = retina.find_circle(picture)
        if circle is None:
            raise RunnerFailed(f"the golden picture {golden.file} shows no retina.")
        crop = preprocess.prepare(picture, circle, bundle.preprocessing)
        score = runner.run(preprocess.normalise(crop, bundle.preprocessing)).score
        if not abs(score - expected) <= bundle.card.golden_tolerance:
            raise RunnerFailed(f"it scores {golden.file} {score:.3f} where the card says {expected:.3f}.")
        if grading.grade_of(score, card) != golden.grade:
            raise RunnerFailed(f"it grades {golden.file} differently from the card.")
