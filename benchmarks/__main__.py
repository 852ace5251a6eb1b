"""``python -m benchmarks [PART...]``: measures, and prints the table as Markdown."""

import argparse
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.parts import PARTS, measured
from benchmarks.plan import ROUNDS, Plan
from benchmarks.report import BEGIN, END, Part, as_json, machine, markdown, on_page
from casebook.errors import BadInput

_QUICK = 2


def main(arguments: list[str] | None = None) -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, both sides of each ratio in turn."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without one")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the slowest rows (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} rounds: to see that it works, not to quote")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="JPEG photographs of hospital size")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keeps the models made, for the next run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every round there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="rewrites the tables on this page (docs/speed.md)")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown or given.rounds < 1:
        parser.error(f"there is no part {unknown[0]}" if unknown else "there is at least one round")
    try:  # before minutes are spent
        page = given.page.read_text(encoding="utf-8") if given.page else f"{BEGIN}{END}"
        on_page(page, "")
    except (OSError, BadInput) as error:
        parser.error(str(error))
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="retinagate-bench-") as temporary:
        work = given.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        plan = Plan(work.absolute(), _QUICK if given.quick else given.rounds, given.data and given.data.absolute())
        about, parts = machine(), list[Part]()
        for name in given.parts or PARTS:
            parts.append(_alone(name, plan))
            if given.json:  # a run that is broken off keeps what it has
                given.json.write_text(json.dumps(as_json(parts, about), indent=1) + "\n", encoding="utf-8")
    print(markdown(parts, about))
    if given.page:
        given.page.write_text(on_page(page, markdown(parts, about)), encoding="utf-8")


def _alone(name: str, plan: Plan) -> Part:
    """Run a part in a process of its own: none inherits memory or threads, and one that fails ends nothing else."""
    print(f"measuring {name}", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        part = process.submit(measured, name, plan)
        error = part.exception()
        return Part(name, left_out=[f"{type(error).__name__}: {error}"]) if error else part.result()


if __name__ == "__main__":
    main()
