"""Fits the gate: four logistic regressions and the limits of every check, on photographs of ``train`` alone.

The retinas of all sources are assumed gradable, so every limit lies where hardly any of them is refused. What is bad is
made (``training.gate.damage``, ``training.gate.lookalikes``) or comes from ``negatives``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.gradability import Check, Classifier, Gate, Limits, measured, read_gate
from training.gate.damage import KINDS
from training.gate.examples import PHANTOM, RETINA, Example, Sizes, examples_of, to_fit
from training.gate.report import Judged, report, table
from training.photographs.sources import read_labels

DOUBTED_SHARE = 0.008  # of the retinas of the source that a check likes least: so many may it call doubtful or worse
HARDLY_BAD = 0.4  # share of what a check should refuse that it finds least bad; half way to these it refuses
HARDLY_FOREIGN = 0.25  # the same of pictures that are no retina: to grade one is worse than to refuse a poor retina
_FINEST = {
    f"{name}_0" for name in ("band", "slope", "skew", "peak", "red_band", "blue_band", "red_agrees", "blue_agrees")
}
_RIDGE = 25.0
_FOLDS = 5
_Rows = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]


def fit_gate(data: Path, out: Path, folder: Path | None, sizes: Sizes) -> str:
    """Fit the gate, write it, and measure it on what it was not fitted on.

    Args:
        data: folder with ``labels.csv`` and ``negatives/``.
        out: where the gate is written, such as ``inference/fundus.json``.
        folder: where ``gate.json`` is written, all that was measured; None: nothing is measured.
        sizes: how many pictures to fit and measure on.

    Returns:
        The measurements as a table, or one sentence.

    Raises:
        BadInput: the data cannot be read.
    """
    photographs = read_labels(data)
    examples = examples_of(to_fit(photographs, data / "negatives", sizes))
    fitted = fit(examples)
    # What is measured is what was written, rounded as it is.
    content = json.loads(json.dumps(_content(fitted.gate)))
    out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if folder is None:
        return f"The gate was fitted on {len(examples)} pictures."
    found = report(read_gate(content), fitted.left_out, photographs, data / "highres", sizes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gate.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return table(found)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A gate, and how each example is judged when nothing made from the same original was fitted on."""

    gate: Gate
    left_out: tuple[Judged, ...]


def fit(examples: Sequence[Example]) -> Fitted:
    """Fit the classifiers, then every limit on what its check says of retinas that its classifier did not see."""
    seen = [example for example in examples if example.numbers is not None]
    numbers = [example.numbers or {} for example in seen]
    names = tuple(sorted(set(numbers[0]) - {"seen"}))
    rows = np.array([[one[name] for name in names] for one in numbers])
    sides = [_side(example) for example in seen]
    retina = np.array([example.kind == RETINA for example in seen])
    sources = np.array([example.source for example in seen])
    fold = _folds(seen)
    plain = [measured(one) for one in numbers]
    bad = {check: np.array([one[check] for one in plain]) for check in plain[0]}
    classifiers = {}
    for check in Check:
        if check in bad:
            continue
        # How strong the finest structure is tells a small photograph from a large one more than a blurred from a sharp.
        used = [place for place, name in enumerate(names) if check is not Check.SHARP or name not in _FINEST]
        task = _Task(
            tuple(names[place] for place in used),
            rows[:, used],
            np.array([side is check for side in sides]),
            *_counting(seen, sides, check),
        )
        whole = classifiers[check] = task.fit(fold >= 0)
        bad[check] = np.zeros(len(seen))
        for number in range(_FOLDS):
            left = fold == number
            bad[check][left] = task.fit(~left, whole).logits(task.rows[left])
    limits = {
        check: _limits(
            bad[check],
            retina,
            sources,
            np.array([side is check for side in sides]),
            HARDLY_FOREIGN if check is Check.FUNDUS else HARDLY_BAD,
        )
        for check in Check
    }
    weights = [{check: limits[check].weight(float(bad[check][row])) for check in Check} for row in range(len(seen))]
    left_out = [Judged.of(*one) for one in zip(seen, weights, strict=True)]
    left_out += [Judged.without_disc(example) for example in examples if example.numbers is None]
    return Fitted(Gate(limits, classifiers), tuple(left_out))


def _folds(examples: Sequence[Example]) -> npt.NDArray[np.int64]:
    """Deal the originals into folds, those with like names (three B-scans, four endoscopies) into different ones."""
    groups = {group: number % _FOLDS for number, group in enumerate(sorted({example.group for example in examples}))}
    return np.array([groups[example.group] for example in examples])


def _side(example: Example) -> Check | None:
    """Return the check that should refuse an example; None for retinas."""
    if example.kind == RETINA:
        return None
    return KINDS[example.kind].check if example.kind in KINDS else Check.FUNDUS


def _counting(
    examples: Sequence[Example], sides: Sequence[Check | None], check: Check
) -> tuple[npt.NDArray[np.str_], _Mask]:
    """Return under which name an example counts (nothing: not at all), and whether it is a retina as usual.

    A damaged retina is a retina when that is the question: it shall be refused for what is bad about it.
    """
    kinds = []
    for example, side in zip(examples, sides, strict=True):
        if side is None:
            kinds.append(f"{RETINA} {example.source}")
        elif side is check:
            kinds.append(example.kind)
        else:
            kinds.append("damaged" if check is Check.FUNDUS else "")
    return np.array(kinds), np.array([side is None for side in sides])


def _limits(bad: _Rows, retina: _Mask, sources: npt.NDArray[np.str_], spoilt: _Mask, hardly: float) -> Limits:
    """Put doubt where the retinas of the worst source end, and refusal half way from there to the bad pictures."""
    theirs = [bad[retina & (sources == source)] for source in sorted(set(sources[retina]) - {PHANTOM})]
    limited = max(float(np.quantile(one, 1 - DOUBTED_SHARE)) for one in theirs)
    beyond = float(np.quantile(bad[spoilt], hardly)) if spoilt.any() else limited
    # Where the two overlap nothing lies between, and the limit of the retinas is the one that counts.
    return Limits(
        limited=limited, refused=max((limited + beyond) / 2, limited + 0.02 * float(bad[retina].std()) + 1e-6)
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """What a logistic regression is fitted on; both sides count alike, and every kind within its side."""

    names: tuple[str, ...]
    rows: _Rows
    bad: _Mask
    kinds: npt.NDArray[np.str_]
    usual: _Mask

    def fit(self, chosen: _Mask, start: Classifier | None = None) -> Classifier:
        """Fit on some of the rows, by Newton's method with a ridge; another fit's weights save it most of the steps."""
        chosen = chosen & (self.kinds != "")
        rows, bad, kinds, usual = self.rows[chosen], self.bad[chosen], self.kinds[chosen], self.usual[chosen]
        blank = Classifier(self.names, rows[usual].mean(axis=0), rows[usual].std(axis=0) + 1e-6, np.zeros(0), 0.0)
        terms = np.concatenate([blank.terms(rows), np.ones((len(rows), 1))], axis=1)
        counts = np.zeros(len(rows))
        for kind in set(kinds):
            counts[kinds == kind] = 1 / (kinds == kind).sum()
        for side in (bad, ~bad):
            counts[side] *= 1000 / max(counts[side].sum(), 1e-9)  # a fold of few pictures may have one side only
        ridge = np.diag([_RIDGE] * (terms.shape[1] - 1) + [1e-6])
        weights = np.zeros(terms.shape[1]) if start is None else np.append(start.weights, start.bias)
        for _ in range(30):
            chance = 1 / (1 + np.exp(-np.clip(terms @ weights, -30, 30)))
            slope = terms.T @ (counts * (chance - bad)) + ridge @ weights
            curvature = (terms * (counts * chance * (1 - chance))[:, None]).T @ terms + ridge
            step = np.linalg.solve(curvature, slope)
            weights -= step
            if np.abs(step).max() < 1e-4:
                break
        return Classifier(self.names, blank.mean, blank.spread, weights[:-1], float(weights[-1]))


def _content(gate: Gate) -> dict[str, Any]:
    """Return what is written: limits, and each number with its mean, spread and two weights."""
    return {
        "what": "The gate's limits, and log odds of being bad, over numbers of inference.appearance",
        "limits": {
            check: {"limited": _short(limits.limited), "refused": _short(limits.refused)}
            for check, limits in gate.limits.items()
        },
        "classifiers": {check: _readable(classifier) for check, classifier in gate.classifiers.items()},
    }


def _readable(classifier: Classifier) -> dict[str, Any]:
    half = len(classifier.names)
    return {
        "bias": _short(classifier.bias),
        "numbers": {
            name: {
                "mean": _short(classifier.mean[i]),
                "spread": _short(classifier.spread[i]),
                "weight": _short(classifier.weights[i]),
                "weight_of_square": _short(classifier.weights[half + i]),
            }
            for i, name in enumerate(classifier.names)
        },
    }


def _short(number: float) -> float:
    return float(f"{number:.6g}")
