"""Work in a process of its own, for what only a fresh process shows: CPU time from its start, and memory.

    python -m benchmarks.fresh WORK ARGUMENT...

A process tells its own peak (VmHWM): the resource usage its parent sees would count the parent's size in.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from casebook.errors import Misconfigured

ROOT = Path(__file__).resolve().parent.parent
_SIZES = {"VmHWM": "peak", "VmRSS": "now"}


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a fresh process took.

    Attributes:
        cpu: seconds from its start to its end.
        wall: the same by the clock, process creation included.
        before: resident bytes when everything was imported.
        peak: most resident bytes.
    """

    cpu: float
    wall: float
    before: int
    peak: int


def fresh(work: str, *arguments: object) -> Fresh:
    """Run ``work`` of ``benchmarks.works`` in a new interpreter, on one thread.

    Raises:
        Misconfigured: it failed; with the last line it said.
    """
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.fresh", work, *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise Misconfigured(f"{work} failed: {(ended.stderr.strip().splitlines() or ['without a word'])[-1]}", "")
    told = json.loads(ended.stdout.splitlines()[-1])
    return Fresh(told["cpu"], time.perf_counter() - began, told["before"], told["peak"])


def memory(process: str = "self") -> dict[str, int]:
    """Return ``peak`` and ``now``, resident bytes of a process."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return {name: 1024 * int(told[key].split()[0]) for key, name in _SIZES.items()}


def main() -> None:
    """Do the work named, then say in one line of JSON what it took."""
    module, function = sys.argv[1].rsplit(".", 1)
    work = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    before = work(*sys.argv[2:])
    told = {"cpu": time.process_time(), "before": before, "peak": memory()["peak"]}
    print(json.dumps(told), flush=True)
    os._exit(0)  # what is torn down afterwards belongs to no first answer


if __name__ == "__main__":
    main()
