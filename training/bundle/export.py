"""Makes a bundle of a checkpoint: graphs, weights, thresholds, golden pictures and the card that tells all."""

import io
import random
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save

from casebook.errors import BadInput, Misconfigured
from inference.bundle import RunnerCard, load_bundle
from inference.network.catalogue import build
from inference.network.head import Grader
from inference.runners.choice import TITLES, choose, load_torch
from inference.runners.onnx import OnnxRunner
from inference.runners.openvino import OpenVinoRunner
from inference.runners.runner import Runner, RunnerFailed
from training.bundle import card, golden
from training.bundle.quantise import OUTPUTS, THREADS, Answers, Quantised, answers_of, is_depthwise, quantise
from training.fit import checkpoint
from training.fit.checkpoint import Progress
from training.fit.provenance import digest, split_of
from training.measure.calibrate import fit_runner
from training.measure.evaluate import evaluate, of_split
from training.photographs.dataset import Crops
from training.photographs.sources import Photograph
from training.photographs.split import deal
from training.recipe import Recipe

MODEL, QUANTISED, WEIGHTS = "model.onnx", "model.int8.onnx", "weights.safetensors"
_SAMPLES = 300  # photographs from which the ranges of the activations are taken


@dataclass(frozen=True, slots=True)
class Network:
    """A checkpoint, opened.

    Attributes:
        weights: the averaged ones.
        recipe: it was fitted by.
        progress: how far the fit came.
        fitted: the photographs it was fitted on.
        held: those that were held out.
    """

    weights: dict[str, torch.Tensor]
    recipe: Recipe
    progress: Progress
    fitted: list[Photograph]
    held: list[Photograph]

    @classmethod
    def load(cls, path: Path, photographs: list[Photograph]) -> "Network":
        """Open a checkpoint.

        Raises:
            BadInput: it is no checkpoint of ours, or was fitted on other photographs.
            Misconfigured: its recipe is of another version of this program.
        """
        weights, recipe, progress = checkpoint.load_average(path)
        fitted, held = deal(photographs, folds=recipe.fit.folds, fold=progress.fold, seed=recipe.seed)
        if progress.data not in {"", digest(split_of(fitted, held))}:
            # Else what was fitted could be taken for held out.
            raise BadInput(f"{path} was fitted on other photographs.", "Give the data folders of its run.")
        return cls(weights, recipe, progress, fitted, held)

    def module(self) -> Grader:
        """Return it as a module."""
        network = build(self.recipe.architecture)
        network.load_state_dict(self.weights)
        return network

    def crops(self, photographs: list[Photograph]) -> Crops:
        """Return photographs as it sees them."""
        return Crops(photographs, self.recipe.preprocessing, fitting=False)


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What the networks of other folds scored the photographs they did not see; (n,) raw scores."""

    photographs: list[Photograph]
    scores: npt.NDArray[np.float64]


def export(
    path: Path, photographs: list[Photograph], out: Path, *, created: date, folds: Sequence[Path] = ()
) -> dict[str, Any]:
    """Make a bundle and measure it.

    Args:
        path: of the checkpoint; its averaged weights are taken.
        photographs: all there are; thresholds and calibration come from patients held out of the fit, the scores
            in the card from the split ``valid``.
        out: folder of the bundle; must not exist.
        created: the date in the card.
        folds: checkpoints of the same recipe with other parts held out; thresholds and calibration are then fitted on
            the photographs of all of them, each scored by the network that did not see it.

    Returns:
        What ``evaluate`` found.

    Raises:
        Misconfigured: ``out`` exists, or a runner does not answer as the card says.
        BadInput: checkpoints or labels cannot be used.
    """
    if out.exists():
        raise Misconfigured(f"{out} exists already.", "Give another folder, or remove it.")
    of_split(photographs, "valid")
    network = Network.load(path, photographs)
    others = out_of_fold(network, [Network.load(fold, photographs) for fold in folds])
    recipe, preprocessing = network.recipe, network.recipe.preprocessing
    module = network.module()
    graph, held = to_onnx(module, preprocessing.size), network.crops(network.held)
    of_float = answers_of(_open_vino(graph, preprocessing.size), held)
    samples = network.crops(_drawn(network.fitted, recipe.seed))
    quantised = quantise(graph, preprocessing.size, samples, held, of_float)
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as folder:
        made = Path(folder) / out.name
        made.mkdir()
        (made / MODEL).write_bytes(graph)
        if quantised.graph is not None:
            (made / QUANTISED).write_bytes(quantised.graph)
        (made / WEIGHTS).write_bytes(_half(module))
        card.write_notice(made, recipe.architecture, network.progress.weights)
        runners: dict[str, tuple[Runner, RunnerCard]] = {}
        for name, (file, runner) in runners_of(graph, quantised, preprocessing.size).items():
            scores, grades = joined(others, held, answers_of(runner, held), of_float)
            runners[name] = runner, fit_runner(file, scores, grades)
        pictures = golden.draw(made, preprocessing, runners)
        plain = "openvino_float" if "openvino_float" in runners else "openvino"
        cards = {
            name: runner.model_copy(update={"golden": tuple(picture.scores[name] for picture in pictures)})
            for name, (_, runner) in runners.items()
        }
        # Torch computes the float graph's own numbers, from weights of half precision.
        cards["torch"] = cards[plain].model_copy(update={"file": WEIGHTS})
        told = {
            "format": 1,
            "name": recipe.name,
            "version": recipe.version,
            "created": created.isoformat(),
            "network": {
                "architecture": recipe.architecture,
                "parameters": sum(weight.numel() for weight in module.parameters()),
            },
            "preprocessing": card.preprocessing_in_card(preprocessing),
            "outputs": {name: name for name in OUTPUTS},
            "runners": {name: runner.model_dump(mode="json") for name, runner in cards.items()},
            "golden": [
                {"file": picture.file, "score": picture.scores[plain], "grade": picture.grade} for picture in pictures
            ],
            "golden_tolerance": golden.TOLERANCE,
            "quantisation": card.quantisation_in_card(quantised.tried, len(samples)),
            "training": card.training_in_card(
                recipe, network.progress, network.fitted, [*held.photographs, *others.photographs]
            ),
            "scores": {},
            "licence": card.licence(recipe.architecture, network.progress.weights),
            "intended_use": card.INTENDED_USE,
        }
        card.write_card(made, told)
        _reproduce(made)
        scores_found = evaluate(made, photographs)
        card.write_card(made, told | {"scores": scores_found})
        shutil.move(made, out)
    return scores_found


def to_onnx(network: Grader, size: int) -> bytes:
    """Return the network as an ONNX graph: ``photograph`` (1, 3, size, size) to ``score`` (1,) and ``activation``."""
    network.eval()
    graph = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is called old, but it needs no further package and folds the norms into the convolutions.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, size, size),),
            graph,
            input_names=["photograph"],
            output_names=list(OUTPUTS),
            opset_version=17,
            dynamo=False,
        )
    return graph.getvalue()


def out_of_fold(network: Network, others: list[Network]) -> OutOfFold:
    """Let each other fold's network score what it did not see.

    Raises:
        BadInput: a checkpoint is not of another fold of the same recipe.
    """
    folds = {network.progress.fold}
    for other in others:
        if other.recipe.text != network.recipe.text:
            raise BadInput("The folds were fitted by different recipes.", "Give checkpoints of one recipe.")
        if other.progress.fold in folds:
            raise BadInput(f"Fold {other.progress.fold} is given twice.", "Give each fold once.")
        folds.add(other.progress.fold)
    found, scores = [], [np.zeros(0)]
    for other in others:
        held = other.crops(other.held)
        size = other.recipe.preprocessing.size
        scores.append(answers_of(_open_vino(to_onnx(other.module(), size), size), held).scores)
        found += held.photographs
    return OutOfFold(found, np.concatenate(scores))


def joined(
    others: OutOfFold, held: Crops, answers: Answers, of_float: Answers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return scores and grades of all photographs out of fold, as a runner of the exported network scores them.

    Args:
        others: what the other folds' networks scored, in float.
        held: the exported network's own.
        answers: the runner's to them.
        of_float: the float graph's to them; the line from these scores to the runner's moves the others'.
    """
    grades = [*held.grades.astype(int), *(photograph.grade for photograph in others.photographs)]
    spread = float(np.var(of_float.scores))
    slope = float(np.cov(of_float.scores, answers.scores, bias=True)[0, 1]) / spread if spread else 1.0
    moved = answers.scores.mean() + slope * (others.scores - of_float.scores.mean())
    return np.concatenate([answers.scores, moved]), np.array(grades, dtype=np.int64)


def _drawn(photographs: list[Photograph], seed: int) -> list[Photograph]:
    """Draw the photographs from which ranges are taken."""
    return random.Random(seed).sample(photographs, min(_SAMPLES, len(photographs)))  # noqa: S311 (no secret)


def runners_of(graph: bytes, quantised: Quantised, size: int) -> dict[str, tuple[str, Runner]]:
    """Say which file each runner takes, and load it (rule P5)."""
    if quantised.graph is None:
        return {"openvino": (MODEL, _open_vino(graph, size)), "onnxruntime": (MODEL, _onnx_runtime(graph, size))}
    onnx = (MODEL, graph) if is_depthwise(graph) else (QUANTISED, quantised.graph)
    return {
        "openvino": (QUANTISED, _open_vino(quantised.graph, size)),
        "openvino_float": (MODEL, _open_vino(graph, size)),
        "onnxruntime": (onnx[0], _onnx_runtime(onnx[1], size)),
    }


def _open_vino(graph: bytes, size: int) -> Runner:
    return OpenVinoRunner(graph, size, OUTPUTS, threads=THREADS)


def _onnx_runtime(graph: bytes, size: int) -> Runner:
    return OnnxRunner(graph, size, OUTPUTS, threads=THREADS)


def _half(network: Grader) -> bytes:
    """Return the weights in half precision, in our own key layout."""
    return bytes(
        save(
            {
                key: (value.half() if value.is_floating_point() else value).contiguous()
                for key, value in network.state_dict().items()
            }
        )
    )


def _reproduce(made: Path) -> None:
    """Let every runner reproduce the golden pictures as a service would.

    Raises:
        Misconfigured: one does not.
    """
    bundle = load_bundle(made)
    for name in TITLES:
        if name in bundle.card.runners:
            choose(bundle, device="cpu", threads=THREADS, avoid=frozenset(TITLES) - {name})
    try:
        load_torch(bundle, device="cpu")
    except RunnerFailed as failure:
        raise Misconfigured(failure.message, failure.remedy) from failure
