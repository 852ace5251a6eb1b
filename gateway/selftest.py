"""Two synthetic eyes go the whole way through the running service: ``retinagate selftest`` (ux C12).

Each of the six steps is timed and green or red; at the first red it stops and says what to do.
"""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import click

from casebook.errors import RetinaGateError
from casebook.settings import Settings
from gateway.self_test_steps import SelfTest
from gateway.terminal import green, red


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step."""

    step: int
    name: str
    ok: bool
    seconds: float
    detail: str
    do_this: str = ""


def run(settings: Settings, *, as_json: bool) -> int:
    """Walk the six steps and return 0 when all were green."""
    with ExitStack() as stack:
        test = SelfTest(settings, stack)
        for number, (name, step) in enumerate(test.steps.items(), 1):
            done = _walk(number, name, step)
            test.waiting.clear()
            _print(done, len(test.steps), as_json=as_json)
            if not done.ok:
                test.record(red=name)
                return 1
        test.record(red="")
    if not as_json:
        click.echo("All six green.")
    return 0


def _walk(number: int, name: str, step: Callable[[], str]) -> Step:
    began = time.monotonic()
    detail, remedy, ok = "", "", False
    try:
        detail, ok = step(), True
    except RetinaGateError as error:
        detail, remedy = error.message, error.remedy
    return Step(number, name, ok, round(time.monotonic() - began, 3), detail, remedy)


def _print(step: Step, count: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(step), ensure_ascii=False))
        return
    took = f"{step.seconds:.2f} s" if step.seconds < 1 else f"{step.seconds:.1f} s"
    verdict = green("ok   ") if step.ok else red("RED  ")
    click.echo(f"{step.step}/{count} {step.name:<23}{verdict}{took:<8}{step.detail}".rstrip())
    if not step.ok:
        click.echo(f"    {'do this':<23}{step.do_this}".rstrip())
