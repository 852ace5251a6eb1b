"""Makes and ends the processes that foreign pixels and the network live in: no secret, no terminal, an own group."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping


def make(module: str, environment: Mapping[str, str], *, handed_over: Iterable[int] = ()) -> "subprocess.Popen[bytes]":
    """Start a module in an interpreter of its own, with pipes as its standard input and output.

    Args:
        module: what it runs.
        environment: what it is given besides a path to import from: none of ours, for ours may hold secrets.
        handed_over: descriptors it inherits.

    Raises:
        OSError: no process can be made now.
    """
    return subprocess.Popen(
        # -P and -s: nothing from the working directory or the user's own packages is ever imported.
        [sys.executable, "-P", "-s", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        env={
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            **environment,
        },
        start_new_session=True,
        pass_fds=tuple(handed_over),
    )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all it has forked, and wait for its end; one that has been waited for is left alone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def close_pipes(process: "subprocess.Popen[bytes]") -> None:
    """Close our ends of its pipes."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
