"""Pictures of a fit and of a grader: learning curves, confusion matrix, ROC, calibration. One quiet style for all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.measure.scores import Grades, Numbers, auc

Truths = npt.NDArray[np.bool_]

_INK, _QUIET, _RULE = "#24323d", "#6b7a86", "#dde3e8"
_FIRST, _SECOND = "#0b7285", "#d9480f"
_GROUPS = 8
_PIXELS_PER_INCH = 144


def curves(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Draw loss on fitted and on held-out photographs, and kappa, over the epochs of a log."""
    figure, (left, right) = _figure("Learning curves", 2)
    epochs = [row["epoch"] for row in rows]
    for key, colour, name in (("loss", _FIRST, "fitted"), ("held_loss", _SECOND, "held out")):
        shown = [row.get(key, float("nan")) for row in rows]
        left.plot(epochs, shown, color=colour, marker="o", markersize=3, label=name)
    _named(left, "epoch", "loss")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylim(bottom=0)
    left.legend(frameon=False, labelcolor=_INK)
    for key in sorted({key for row in rows for key in row if key.endswith(" kappa")}):
        right.plot(epochs, [row.get(key, float("nan")) for row in rows], linewidth=1, alpha=0.6, label=key[:-6])
    right.plot(epochs, [row.get("kappa", float("nan")) for row in rows], color=_SECOND, marker="o", markersize=3,
               label="all")  # fmt: skip
    _named(right, "epoch", "quadratic kappa, held out (cuts fitted to it)")
    right.legend(frameon=False, labelcolor=_INK)
    _save(figure, path)


def confusion(path: Path, truth: Grades, shown: Grades, title: str) -> None:
    """Draw how often each grade of the reader (row) was shown as which grade (column)."""
    table = np.zeros((5, 5), dtype=int)
    np.add.at(table, (truth, shown), 1)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, (axes,) = _figure(title, 1)
    axes.imshow(share, cmap="GnBu", vmin=0, vmax=1)
    for row in range(5):
        for column in range(5):
            axes.text(
                column, row, f"{table[row, column]}", ha="center", va="center",
                color="white" if share[row, column] > 0.6 else _INK,
            )  # fmt: skip
    axes.set_xticks(range(5))
    axes.set_yticks(range(5))
    axes.grid(visible=False)
    _named(axes, "grade shown", "grade of the reader")
    _save(figure, path)


def roc(path: Path, positive: Truths, scores: Numbers, title: str) -> None:
    """Draw sensitivity against false alarms over all thresholds of the score."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    found, wrong = np.cumsum(positive[order]), np.cumsum(~positive[order])
    # Equal scores are passed together.
    ends = np.r_[np.flatnonzero(np.diff(np.asarray(scores)[order])), len(order) - 1]
    sensitivity = np.r_[0, found[ends] / max(int(found[-1]), 1)]
    alarms = np.r_[0, wrong[ends] / max(int(wrong[-1]), 1)]
    figure, (axes,) = _figure(title, 1)
    axes.plot([0, 1], [0, 1], color=_RULE)
    axes.plot(alarms, sensitivity, color=_FIRST)
    axes.text(0.97, 0.05, f"area {auc(positive, scores):.3f}", ha="right", color=_INK, transform=axes.transAxes)
    axes.set_aspect("equal")
    _named(axes, "1 - specificity", "sensitivity")
    _save(figure, path)


def calibration(path: Path, positive: Truths, chance: Numbers, title: str) -> None:
    """Draw how often it was so against how likely it was called, in groups of equal size, with 95 % intervals."""
    figure, (axes,) = _figure(title, 1)
    axes.plot([0, 1], [0, 1], color=_RULE)
    for group in np.array_split(np.argsort(chance, kind="stable"), min(_GROUPS, len(chance))):
        said, low, was, high = float(np.mean(np.asarray(chance)[group])), *_interval(positive[group])
        axes.plot([said, said], [low, high], color=_FIRST, linewidth=1, alpha=0.5)
        axes.plot(said, was, color=_FIRST, marker="o", markersize=5)
    axes.set_aspect("equal")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    _named(axes, "probability said", "share that was so")
    _save(figure, path)


def _interval(positive: Truths) -> tuple[float, float, float]:
    """Return the lower end, share and upper end (Wilson, J Am Stat Assoc 1927;22:209)."""
    count, share, z = len(positive), float(np.mean(positive)), 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * float(np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)))
    return middle - reach, share, middle + reach


def _figure(title: str, panels: int) -> tuple[Figure, tuple[Axes, ...]]:
    figure = Figure(figsize=(4.6 * panels, 4.2), dpi=_PIXELS_PER_INCH, layout="constrained")
    figure.suptitle(title, color=_INK, fontsize=11, x=0.02, ha="left")
    axes = tuple(figure.add_subplot(1, panels, number + 1) for number in range(panels))
    for one in axes:
        one.grid(color=_RULE, linewidth=0.6)
        one.set_axisbelow(True)
        one.tick_params(colors=_QUIET, labelsize=8, length=0)
        for spine in one.spines.values():
            spine.set_visible(False)
    return figure, axes


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=_QUIET, fontsize=9)
    axes.set_ylabel(y, color=_QUIET, fontsize=9)


def _save(figure: Figure, path: Path) -> None:
    """Write the picture beside the old one, then put it in its place: who watches never sees half of it."""
    part = path.with_name(f".{path.name}")
    figure.savefig(part, format="png")
    part.replace(path)
