"""How the model introduces itself beside what it said: trained on what, how well, and what it cannot do (ux U8)."""

import json
from dataclasses import dataclass
from typing import Any

from casebook.models import BundleRow, Grading


@dataclass(frozen=True, slots=True)
class Introduction:
    """A bundle in a few lines."""

    bundle: str
    runner: str
    trained_on: str
    tested: str
    limits: str


def introduce(gradings: list[Grading]) -> list[Introduction]:
    """Return every bundle, with its runner, that answered for a case; mostly there is one."""
    pairs = {(grading.bundle.id, grading.runner): grading.bundle for grading in gradings}
    return [_introduction(bundle, runner) for (_, runner), bundle in sorted(pairs.items())]


def _introduction(bundle: BundleRow, runner: str) -> Introduction:
    card: dict[str, Any] = json.loads(bundle.card)
    return Introduction(
        bundle=f"{bundle.name} {bundle.version}",
        runner=runner,
        trained_on=_trained_on(card.get("training", {}).get("data", [])),
        tested=_tested(card.get("scores", {}).get("sources", {}).get("all", {})),
        limits=str(card.get("intended_use", "")),
    )


def _trained_on(data: list[dict[str, Any]]) -> str:
    if not data:
        return ""
    photographs = sum(int(source.get("fitted", 0)) for source in data)
    names = "; ".join(str(source.get("source", "")) for source in data)
    return f"{photographs:,} photographs: {names}"


def _tested(scores: dict[str, Any]) -> str:
    found = {name: scores.get(name, {}).get("value") for name in ("sensitivity", "specificity")}
    if None in found.values():
        return ""
    return (
        f"{scores.get('photographs', 0):,} other photographs of the same sources: "
        f"{100 * found['sensitivity']:.0f} % of referable eyes found, "
        f"{100 * found['specificity']:.0f} % of the others left alone"
    )
