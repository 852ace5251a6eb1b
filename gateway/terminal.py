"""What a command shows: colour and a line in place on a terminal, a line now and then in a pipe (ux C3)."""

import os
import sys
import time

import click

PIPE_EVERY = 10.0


def green(text: str) -> str:
    """Return a text in green, where standard output takes colour."""
    return _styled(text, "green")


def red(text: str) -> str:
    """Return a text in red, where standard output takes colour."""
    return _styled(text, "red")


def bold(text: str) -> str:
    """Return a text in bold, where standard output takes it."""
    return _styled(text, None)


def _styled(text: str, colour: str | None) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else click.style(text, fg=colour, bold=True)


class Waiting:
    """Says on standard error what is waited for (C4)."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._told = time.monotonic()

    def say(self, text: str) -> None:
        """Show what is waited for now, or in a pipe every ten seconds."""
        if self._in_place:
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()
        elif time.monotonic() - self._told >= PIPE_EVERY:
            self._told = time.monotonic()
            click.echo(text, err=True)

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        if self._in_place:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
