"""From nothing to the first grade: CPU time and memory of a worker, with and without compiled graphs on disk (P13)."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import simplejpeg

from benchmarks import models
from benchmarks.fresh import Fresh, fresh, memory
from benchmarks.measure import Timing
from benchmarks.plan import Plan
from benchmarks.report import Claim, Figure, Part
from inference import phantom
from inference.bundle import SHIPPED
from inference.child import Child

_MIB = 1 << 20


def start(plan: Plan) -> Part:
    """Measure a worker of the largest network beside torch, and the service's own child with the bundle that ships."""
    part = Part("start")
    _largest(plan, part)
    _child(plan, part)
    return part


def _largest(plan: Plan, part: Part) -> None:
    made, cache = models.make(plan, plan.resnext[0]), plan.work / "compiled"
    title = f"{made.architecture} {plan.size}"

    def first_start() -> Fresh:
        shutil.rmtree(cache, ignore_errors=True)
        return fresh("works.open_vino", made.int8, plan.size, cache)

    sides: dict[str, Callable[[], Fresh]] = {
        f"{title}, torch eager: import, weights, forward": lambda: fresh(
            "works.torch_eager", made.architecture, plan.size, made.weights
        ),
        f"{title}, OpenVINO int8, first start": first_start,
        f"{title}, OpenVINO int8, graph compiled before": lambda: fresh("works.open_vino", made.int8, plan.size, cache),
    }
    taken: dict[str, list[Fresh]] = {side: [] for side in sides}
    for run in sides.values():  # once unmeasured: files come from the page cache afterwards
        run()
    for _ in range(plan.rounds):
        for side, run in sides.items():  # the second start follows the first one that fills its cache
            taken[side].append(run())
    eager, first, again = (
        Timing(side, tuple(one.cpu for one in times), tuple(one.wall for one in times)) for side, times in taken.items()
    )
    part.timings += [eager, first, again]
    part.compare(
        f"{title}, first grade with a compiled graph, share of torch eager", again, eager, goal=0.3, at_most=True
    )
    part.compare(f"{title}, first grade at the first start, share of torch eager", first, eager, goal=0.6, at_most=True)
    peaks = {side: sorted(one.peak for one in times)[len(times) // 2] / _MIB for side, times in taken.items()}
    part.figures += [Figure(f"{side}, peak resident", peak, "MiB") for side, peak in peaks.items()]
    torch_peak, first_peak, again_peak = peaks.values()
    part.claims += [
        Claim(
            f"{title}, peak resident with a compiled graph, share of torch eager",
            again_peak / torch_peak,
            "x",
            0.35,
            at_most=True,
        ),
        Claim(
            f"{title}, peak resident at the first start, share of torch eager",
            first_peak / torch_peak,
            "x",
            0.40,
            at_most=True,
        ),
    ]


def _child(plan: Plan, part: Part) -> None:
    """Start the real child, which also checks the bundle and its golden pictures, and grade one photograph."""
    photograph, cache = plan.work / "eye.jpg", plan.work / "compiled-for-child"
    picture = phantom.draw(1, lesions=phantom.MANY, size=1024)
    photograph.write_bytes(simplejpeg.encode_jpeg(picture, quality=92, colorspace="RGB"))
    taken: dict[str, list[tuple[float, float]]] = {}
    peaks: dict[str, int] = {}
    for _ in range(plan.rounds):
        shutil.rmtree(cache, ignore_errors=True)
        for which in ("first start", "graph compiled before"):
            ready, graded, peak = _life(photograph, cache)
            for until, times in (("ready", ready), ("first grade", graded)):
                taken.setdefault(f"the service's child, bundle that ships, {which}, {until}", []).append(times)
            peaks[f"the service's child, bundle that ships, {which}, peak resident"] = peak
    part.timings += [
        Timing(side, tuple(cpu for cpu, _ in times), tuple(wall for _, wall in times)) for side, times in taken.items()
    ]
    part.figures += [Figure(what, peak / _MIB, "MiB") for what, peak in peaks.items()]


def _life(photograph: Path, cache: Path) -> tuple[tuple[float, float], tuple[float, float], int]:
    """Return CPU and wall seconds until ready and until the first grade, and the peak."""
    child, began = Child(SHIPPED, threads=1, cache=cache), time.perf_counter()
    try:
        child.wait_ready()
        process = _newest_child()
        ready = _processor_seconds(process), time.perf_counter() - began
        answer = child.examine(photograph, None)
        assert answer.worst is not None, "a drawn eye is graded"
        graded = _processor_seconds(process), time.perf_counter() - began
        return ready, graded, memory(process)["peak"]
    finally:
        child.stop()


def _newest_child() -> str:
    threads = Path("/proc/self/task").iterdir()
    return max(
        (number for thread in threads for number in (thread / "children").read_text(encoding="ascii").split()), key=int
    )


def _processor_seconds(process: str) -> float:
    after_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)
