"""What a part has to say: timings, other figures, and claims held against their goals; written as Markdown."""

import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Timing
from casebook.errors import BadInput

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is no time: memory, bytes, a difference of scores."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure and the goal it is held against.

    Attributes:
        what: both sides of the ratio, in words.
        value: as measured.
        unit: ``x`` for a ratio, ``%``, ``MB``; nothing for a plain number.
        goal: the limit, or None where the figure stands for comparison only.
        at_most: whether less is better.
        noisy: whether a timing behind it is.
    """

    what: str
    value: float
    unit: str = ""
    goal: float | None = None
    at_most: bool = False
    noisy: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    @property
    def verdict(self) -> str:
        """Return ``met`` or ``missed``, and whether it may be quoted."""
        word = {None: "-", True: "met", False: "**missed**"}[self.met]
        return f"{word}, noisy" if self.noisy else word


@dataclass(slots=True)
class Part:
    """One part's results; ``left_out`` says in a sentence what could not be measured here."""

    name: str
    claims: list[Claim] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    load: tuple[float, float] = (0.0, 0.0)

    def compare(
        self, what: str, above: Timing, below: Timing, *, goal: float | None = None, at_most: bool = False
    ) -> None:
        """Claim the ratio of two medians."""
        noisy = above.noisy or below.noisy
        self.claims.append(Claim(what, above.median / below.median, "x", goal, at_most, noisy))


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and with which versions."""
    from importlib.metadata import version

    names = ("torch", "openvino", "onnxruntime", "nncf", "onnx", "opencv-python-headless", "simplejpeg", "numpy")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    told = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    return {
        "processor": told.get("model name", platform.processor()).strip(),
        "cores": len(os.sched_getaffinity(0)),
        "int8": [flag for flag in ("avx2", "avx512_vnni", "amx_int8") if flag in told.get("flags", "").split()],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
    }


def as_json(parts: Iterable[Part], about: dict[str, Any]) -> dict[str, Any]:
    """Return everything measured, every round of it."""
    return {"machine": about, "parts": [asdict(part) for part in parts]}


def markdown(parts: list[Part], about: dict[str, Any]) -> str:
    """Write the table of goals, then what stands behind it."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        f"{about['processor']}, {about['cores']} cores ({', '.join(about['int8']) or 'no AVX2'}), "
        f"Python {about['python']}, {versions}.",
        "",
        "| part | what | measured | goal | verdict |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {part.name} | {claim.what} | {_number(claim.value)}{_unit(claim.unit)} | {_goal(claim)} | {claim.verdict} |"
        for part in parts
        for claim in part.claims
    ]
    lines += [
        "",
        "| part | side | CPU ms, median | least | wall ms, median | rounds | load before, after | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {part.name} | {timing.side} | {_number(1e3 * timing.median)} | {_number(1e3 * min(timing.cpu))} "
        f"| {_number(1e3 * statistics.median(timing.wall))} | {len(timing.cpu)} "
        f"| {part.load[0]:.1f}, {part.load[1]:.1f} | {'noisy' if timing.noisy else ''} |"
        for part in parts
        for timing in part.timings
    ]
    if any(part.figures for part in parts):
        lines += ["", "| part | what | measured |", "|---|---|---|"]
        lines += [
            f"| {part.name} | {figure.what} | {_number(figure.value)}{_unit(figure.unit)} |"
            for part in parts
            for figure in part.figures
        ]
    lines += [f"\nNot measured ({part.name}): {sentence}" for part in parts for sentence in part.left_out]
    return "\n".join(lines) + "\n"


def on_page(page: str, tables: str) -> str:
    """Return a page with its tables, which stand between two marks, replaced.

    Raises:
        BadInput: the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not end:
        raise BadInput("The page has no place for the tables.", f"Write {BEGIN} and {END} where they belong.")
    return f"{before}{begin}\n{tables}{end}{after}"


def _goal(claim: Claim) -> str:
    if claim.goal is None:
        return "-"
    return f"{'<=' if claim.at_most else '>='} {_number(claim.goal)}{_unit(claim.unit)}"


def _unit(unit: str) -> str:
    return unit if unit in {"x", ""} else f" {unit}"


def _number(value: float) -> str:
    """Write three figures, never in powers of ten but where it is tiny."""
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
