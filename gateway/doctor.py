"""``retinagate doctor``: looks at everything the service stands on, in order of cause, and says what to do.

It changes nothing, works beside a running service and without one, and ends in time whoever hangs.
"""

import importlib
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

import click

from casebook.clock import SYSTEM
from casebook.settings import Settings
from gateway import running
from gateway.checks import broker, clock, destinations, disk, model, ports, rows
from gateway.checks.finding import Finding, Status, red
from gateway.checks.shortly import begin

log = logging.getLogger(__name__)

SECONDS = 15.0
_MODEL_SECONDS = 12.0
_AGAIN = ", then run retinagate doctor again"

# Imported before any thread starts: two threads that import one package at once can see it half made.
_NEEDED = ("alembic.config", "alembic.runtime.migration", "alembic.script", "psycopg", "kombu.transport.pyamqp")

Check = Callable[[], Finding | list[Finding]]


def run(settings: Settings, *, as_json: bool) -> int:
    """Print every finding, and return 1 if one is red, else 0.

    Args:
        settings: what to look at.
        as_json: one object a line, and nothing else.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries say of a peer is said here in words
    counts = Counter[Status]()
    for finding in examine(settings):
        counts[finding.status] += 1
        for line in [json.dumps(asdict(finding), ensure_ascii=False)] if as_json else _lines(finding):
            click.echo(line)
    if not as_json:
        warnings = f"{counts[Status.WARN]} warning{'' if counts[Status.WARN] == 1 else 's'}"
        click.echo(f"{counts[Status.OK]} ok, {warnings}, {counts[Status.RED]} red")
    return 1 if counts[Status.RED] else 0


def examine(settings: Settings, seconds: float = SECONDS) -> Iterator[Finding]:
    """Give what is found, in order of cause.

    Args:
        settings: what to look at.
        seconds: after so many, what has not answered is red.
    """
    for module in _NEEDED:
        importlib.import_module(module)
    end = time.monotonic() + seconds
    asked = [(name, begin(_careful(name, check))) for name, check in _checks(settings)]
    with _Waiting() as waiting:
        for name, answer in asked:
            waiting.say(name)
            found = answer.within(end - time.monotonic())
            waiting.clear()
            if found is None:
                found = red(
                    name, f"no answer within {seconds:.0f} s", "find out what holds it up, such as a name server"
                )
            yield from found if isinstance(found, list) else [found]


def _checks(settings: Settings) -> list[tuple[str, Check]]:
    alive = running.read(settings.home)
    checks: list[tuple[str, Check]] = [
        ("home", lambda: disk.home(settings)),
        ("database", lambda: rows.database(settings)),
        ("audit", lambda: rows.audit_chain(settings)),
        ("archive", lambda: rows.archive(settings)),
        ("broker", lambda: broker.broker(settings)),
        ("model", lambda: model.model(settings, _MODEL_SECONDS)),
        ("listener", lambda: ports.port("listener", settings, alive, SYSTEM)),
        ("callers", lambda: ports.callers(settings, SYSTEM)),
        ("dashboard", lambda: ports.port("dashboard", settings, alive, SYSTEM)),
    ]
    checks += [
        ("destination", partial(destinations.destination, settings, alive, asked)) for asked in settings.destinations
    ] or [("destination", destinations.none_set)]
    checks.append(("clock", clock.clock))
    return checks


def _careful(name: str, check: Check) -> Check:
    """Return a check that finds its own failure instead of raising: the others must still be heard."""

    def careful() -> Finding | list[Finding]:
        try:
            return check()
        except Exception as error:  # whatever it is: one check must not silence the others
            log.warning("a check failed", exc_info=True)
            return red(
                name, f"the check itself failed ({type(error).__name__})", "report this as a fault of RetinaGate"
            )

    return careful


def _lines(finding: Finding) -> list[str]:
    mark = "RED" if finding.status is Status.RED else str(finding.status)
    lines = [f"{mark:<6}{finding.check:<14}{finding.what}"]
    if finding.remedy:
        again = _AGAIN if finding.status is Status.RED else ""
        lines.append(f"{'':<6}{'do this':<14}{finding.remedy}{again}")
    return lines


class _Waiting:
    """What is being waited for, on a terminal, in place."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> "_Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def say(self, name: str) -> None:
        if self._shown:
            sys.stderr.write(f"\rlooking at {name} ...\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
