"""Measures the gate on what it was not fitted on: the split ``valid``, bad forms of it, look-alikes by original.

``caught at 2 %`` moves all limits together until 2 % of the retinas of ``valid`` are refused, every source counting
alike; ``refused`` and ``limited`` are the gate as it ships.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casebook.words import Reason
from inference.gradability import REASONS, Check, Gate
from training.gate.damage import KINDS
from training.gate.examples import CROP, GIVEN, HOSPITAL, MADE, PHANTOM, RETINA, Example, Sizes, examples_of, to_measure
from training.photographs.sources import Photograph

FALSE_REJECTION = 0.02


@dataclass(frozen=True, slots=True)
class Judged:
    """An example, the largest weight of any check, and what the gate says when it refuses; None without a disc."""

    example: Example
    weight: float
    says: Reason | None

    @classmethod
    def of(cls, example: Example, weights: Mapping[Check, float]) -> "Judged":
        """Judge by the weights of the checks, as ``inference.gradability.judge`` does."""
        first = next((check for check, weight in weights.items() if weight >= 1), None)
        return cls(example, max(weights.values()), REASONS[first] if first else None)

    @classmethod
    def without_disc(cls, example: Example) -> "Judged":
        """Refuse what shows no disc, as ``inference.gradability.judge`` does, whatever it then calls it."""
        return cls(example, float("inf"), None)

    @property
    def step(self) -> int:
        """0 gradable, 1 limited, 2 refused."""
        return int(self.weight >= 0.5) + int(self.weight >= 1)


def report(
    gate: Gate, left_out: Sequence[Judged], photographs: Sequence[Photograph], highres: Path, sizes: Sizes
) -> dict[str, Any]:
    """Measure a gate.

    Args:
        gate: as it ships.
        left_out: what it was fitted on, judged without having seen anything made from the same original.
        photographs: those of ``valid`` are used.
        highres: folder with photographs in the size a hospital's camera has.
        sizes: how many pictures to measure on.

    Returns:
        Counts by kind, for JSON.
    """
    rows = judged(gate, examples_of(to_measure(photographs, highres, sizes)))
    retinas = [row for row in rows if row.example.kind == RETINA]
    real = [row for row in retinas if row.example.form == GIVEN and row.example.source != PHANTOM]
    damaged = [row for row in rows if row.example.kind in KINDS]
    bad = [row for row in damaged if KINDS[row.example.kind].is_bad(row.example.severity)]
    limit = limit_for(real)
    return {
        "weight at 2 % false rejection": limit,
        "retinas": {name: counts(theirs, limit) for name, theirs in by(real, lambda one: one.source).items()},
        "refused retinas": {row.example.group: row.says for row in real if row.step == 2},
        "hospital size": counts([row for row in retinas if row.example.form == HOSPITAL], limit),
        "phantoms": counts([row for row in retinas if row.example.source == PHANTOM], limit),
        "damaged": {name: _told(theirs, limit) for name, theirs in by(_of(bad, real=True), _kind).items()},
        "damaged phantoms": {name: _told(theirs, limit) for name, theirs in by(_of(bad, real=False), _kind).items()},
        "severities": severities(_of(damaged, real=True)),
        "drawn": {name: counts(group, limit) for name, group in by(rows, _kind).items() if name.endswith("(drawn)")},
        "look-alikes left out": _look_alikes(left_out, limit),
        "retinas left out": {
            name: counts(theirs, limit)
            for name, theirs in by(
                [row for row in left_out if row.example.kind == RETINA], lambda one: one.source
            ).items()
        },
        "forms": forms_differ(retinas),
    }


def judged(gate: Gate, examples: Iterable[Example]) -> list[Judged]:
    """Judge examples by their numbers; what has no disc is refused."""
    return [
        Judged.of(one, gate.weights(one.numbers)) if one.numbers is not None else Judged.without_disc(one)
        for one in examples
    ]


def limit_for(retinas: Sequence[Judged], share: float = FALSE_REJECTION) -> float:
    """Return the weight from which on ``share`` of the retinas is refused, every source counting alike."""
    many = Counter(row.example.source for row in retinas)
    ordered = sorted(retinas, key=lambda row: -row.weight)
    reached = np.cumsum([1 / many[row.example.source] for row in ordered]) / len(many)
    return ordered[min(int(np.searchsorted(reached, share, side="right")), len(ordered) - 1)].weight + 1e-9


def counts(rows: Sequence[Judged], limit: float) -> dict[str, int]:
    """Count what is refused and doubtful as shipped, and what is refused at the limit of 2 % false rejection."""
    steps = Counter(row.step for row in rows)
    caught = sum(row.weight >= limit for row in rows)
    return {"pictures": len(rows), "refused": steps[2], "limited": steps[1], "caught at 2 %": caught}


def by(rows: Iterable[Judged], key: Callable[[Example], Any]) -> dict[Any, list[Judged]]:
    """Group judged examples, in the order of their first."""
    groups: dict[Any, list[Judged]] = defaultdict(list)
    for row in rows:
        groups[key(row.example)].append(row)
    return dict(groups)


def severities(rows: Sequence[Judged]) -> dict[str, Any]:
    """Return for every kind of damage what share is refused at each severity, and from where on half and 95 % are."""
    found = {}
    for name, theirs in by(rows, _kind).items():
        groups = by(theirs, lambda one: one.severity)
        shares = {at: sum(row.step == 2 for row in group) / len(group) for at, group in groups.items()}
        found[name] = {
            "unit": KINDS[name].unit,
            "refused": {f"{at:g}": round(share, 3) for at, share in shares.items()},
            "half refused from": _reached(shares, 0.5),
            "95 % refused from": _reached(shares, 0.95),
        }
    return found


def _look_alikes(left_out: Sequence[Judged], limit: float) -> dict[str, Any]:
    """Count what is no retina, and how many originals stand behind it."""
    made = [row for row in left_out if row.example.source == MADE and not row.example.kind.endswith("(drawn)")]
    return {
        kind: {**counts(theirs, limit), "originals": len({row.example.group for row in theirs})}
        for kind, theirs in sorted(by(made, _kind).items(), key=lambda item: (item[0].startswith(CROP), item[0]))
    }


def forms_differ(retinas: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Return for every source and form how often its answer is another than that of the photograph as given."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (source, _), theirs in by(retinas, lambda one: (one.source, one.group)).items():
        steps = {row.example.form: row.step for row in theirs}
        for form, step in steps.items():
            if form != GIVEN and GIVEN in steps:
                found[f"{source}, {form}"].update(
                    pairs=1, differ=int(step != steps[GIVEN]), graded_or_not=int((step == 2) != (steps[GIVEN] == 2))
                )
    return {pair: dict(counted) for pair, counted in sorted(found.items())}


def table(found: Mapping[str, Any]) -> str:
    """Return the measurements as lines to read."""
    lines = [f"{'':28}{'pictures':>9}{'refused':>9}{'limited':>9}{'at 2 %':>9}"]
    for title in ("retinas", "damaged", "damaged phantoms", "drawn", "look-alikes left out", "retinas left out"):
        lines.append(f"{title}:")
        lines += [_line(name, row) for name, row in found[title].items()]
    lines += [_line(title, found[title]) for title in ("hospital size", "phantoms")]
    lines.append("refused from: half, 95 %")
    for name, row in found["severities"].items():
        lines.append(f"  {name:26}{row['half refused from']!s:>9}{row['95 % refused from']!s:>9} {row['unit']}")
    lines.append("another answer than as given: pairs, differ, graded or not")
    for pair, row in found["forms"].items():
        lines.append(f"  {pair:26}{row['pairs']:9}{row['differ']:9}{row['graded_or_not']:9}")
    return "\n".join(lines)


def _line(name: str, row: Mapping[str, int]) -> str:
    return f"  {name:26}{row['pictures']:9}{row['refused']:9}{row['limited']:9}{row['caught at 2 %']:9}"


def _told(rows: Sequence[Judged], limit: float) -> dict[str, int]:
    """Count as ``counts`` does, and how many of the refused are refused for what is wrong with them."""
    right = sum(row.step == 2 and row.says is REASONS[KINDS[row.example.kind].check] for row in rows)
    return {**counts(rows, limit), "for the right reason": right}


def _of(rows: Sequence[Judged], *, real: bool) -> list[Judged]:
    return [row for row in rows if (row.example.source != PHANTOM) is real]


def _kind(example: Example) -> str:
    return example.kind


def _reached(shares: Mapping[float, float], wanted: float) -> float | None:
    """Return the first severity from which on at least the wanted share is refused, at every worse one too."""
    reached = None
    for severity in reversed(shares):
        if shares[severity] < wanted:
            break
        reached = severity
    return reached
