"""How large the model files are."""

from pathlib import Path

from benchmarks import models
from benchmarks.plan import RESNEXT, Plan
from benchmarks.report import Claim, Part
from inference.bundle import SHIPPED

_MB = 1e6


def sizes(plan: Plan) -> Part:
    """Weigh the files made here, and those of the bundle that ships."""
    part = Part("sizes")
    for architecture in (*plan.resnext, plan.compact):
        made = models.make(plan, architecture)
        compact = architecture == plan.compact
        goal = 5.0 if compact else 46.0 if architecture == RESNEXT[1] else None
        _weigh(part, f"{architecture}, int8 ONNX", made.int8, goal)
        _weigh(part, f"{architecture}, float ONNX", made.graph, 15.0 if compact else None)
    for path in sorted((*SHIPPED.glob("*.onnx"), *SHIPPED.glob("*.safetensors"))):
        _weigh(part, f"bundle that ships, {path.name}", path, 5.0 if "int8" in path.name else 15.0)
    return part


def _weigh(part: Part, what: str, path: Path, goal: float | None) -> None:
    part.claims.append(Claim(what, path.stat().st_size / _MB, "MB", goal, at_most=True))
