"""Grades files without any service, home folder or network: ``retinagate grade PATH...``."""

import json
import sys
import time
from pathlib import Path

import click

from casebook.words import RESEARCH_USE, Gradability, Reason, grade_words, reason_sentence
from inference.bundle import SHIPPED
from inference.child import Child
from inference.files import FileAnswer, grade_files

_PIPE_EVERY = 10.0


def run(paths: list[Path], *, as_json: bool, heatmaps: Path | None, bundle: Path | None) -> int:
    """Answer every file, and return 0 when all were.

    Raises:
        Misconfigured: the bundle is refused.
    """
    child = Child(bundle or SHIPPED)
    progress = _Progress()
    answered = 0
    try:
        for answer in grade_files(paths, child, heatmaps):
            answered += 1
            progress.clear()
            print(json.dumps(answer.as_json(), ensure_ascii=False) if as_json else _row(answer), flush=True)  # noqa: T201
            progress.show(answered)
    finally:
        progress.clear()
        child.stop()
    if not as_json:
        click.echo(RESEARCH_USE, err=True)
    return 0


def _row(answer: FileAnswer) -> str:
    match answer.gradability:
        case Gradability.GRADABLE | Gradability.LIMITED if answer.grade is not None:
            said = (
                f"{answer.grade}  {grade_words(answer.grade)}, score {answer.score:.2f}, {answer.confidence:.0%} sure"
            )
            kind = "unsure" if answer.reason is Reason.UNSURE else answer.gradability
            doubt = f" ({kind}: {reason_sentence(answer.reason)})" if answer.reason else ""
        case _:
            said = f"-  {answer.gradability}"
            doubt = f": {reason_sentence(answer.reason)}" if answer.reason else ""
    return f"{answer.path}  {said}{doubt}"


class _Progress:
    """How far it is, on a terminal in place, in a pipe a line every ten seconds."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._in_place = sys.stderr.isatty() and not sys.stdout.isatty()

    def show(self, answered: int) -> None:
        now = time.monotonic()
        rate = answered / max(now - self._began, 1e-9)
        text = f"{answered:,} answered  {rate:.1f}/s"
        if self._in_place:
            sys.stderr.write(f"\r{text}\x1b[K")
        elif now - self._told >= _PIPE_EVERY and not sys.stderr.isatty():
            self._told = now
            click.echo(text, err=True)

    def clear(self) -> None:
        if self._in_place:
            sys.stderr.write("\r\x1b[K")
