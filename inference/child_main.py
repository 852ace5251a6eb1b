"""What runs inside the child: limits first, then the model, then one file after another until the pipe closes.

Started by ``inference.child`` as a module of its own interpreter. Nothing in here is worth protecting: it holds no
secret, no connection and no state, and dies with its parent.
"""

import os
import resource
import sys
import traceback
from pathlib import Path
from types import TracebackType

from inference import wire
from inference.wire import Message

_GIB = 1 << 30
ADDRESS_SPACE = 5 * _GIB // 2  # measured with the largest network: 1.2 GiB; a bomb's 4 GiB are refused
_CPU_SECONDS_A_FILE = 120
_CPU_SECONDS = 500 * _CPU_SECONDS_A_FILE
_FILE_SIZE = _GIB // 2
_OPEN_FILES = 64
_NICE = 5  # the listener comes first
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


def main() -> None:
    """Serve the parent until it closes the pipe."""
    requests, answers = take_pipes()
    report_death_to(answers)
    try:
        start = wire.receive(requests)
        die_with(int(start["parent"]))
        _confine()
        examine = load(start, answers)
        while True:
            request = wire.receive(requests)
            limit_processor_time()
            wire.send(answers, {"stage": "reading"})
            wire.send(answers, examine(request))
    except wire.Closed:
        return


class Examine:
    """Answers requests with one bundle; the model is loaded and checked when this is made."""

    def __init__(self, start: Message, answers: int) -> None:
        import cv2
        import numpy as np

        from inference import gradability
        from inference.bundle import load_bundle
        from inference.examine import Examiner
        from inference.retina import Circle
        from inference.runners.choice import Choice, choose
        from inference.runners.remote import RemoteRunner

        cv2.setNumThreads(start["threads"])
        bundle = load_bundle(Path(start["bundle"]))
        cache = Path(start["cache"]) if start["cache"] else None
        if start["network"]:
            # It has reproduced the golden pictures before it answers to anybody.
            remote = RemoteRunner(start["network"], bundle.preprocessing.size, bundle=bundle.sha256)
            choice = Choice(remote, bundle.card.runners["torch"])
        else:
            choice = choose(
                bundle,
                device="cpu",
                threads=start["threads"],
                cache=cache,
                avoid=frozenset(start["avoid"]),
                loading=lambda name: wire.send(answers, {"loading": name}),
            )
        # The gate reads its weights at first use: now, while nothing foreign has been touched.
        gradability.judge(np.zeros((64, 64, 3), np.uint8), Circle(31.5, 31.5, 30.0))
        self._examiner = Examiner(bundle, choice)
        self._answers = answers
        card = bundle.card
        wire.send(
            answers,
            {
                "ready": {
                    "name": card.name,
                    "version": card.version,
                    "sha256": bundle.sha256,
                    "card": bundle.card_json,
                    "runner": choice.runner.name,
                    "fallback": choice.fallback,
                }
            },
        )

    def __call__(self, request: Message) -> Message:
        """Examine one file; stages are reported on the way."""
        from inference.runners.remote import NetworkAway

        out = Path(request["out"]) if request["out"] else None
        try:
            examination = self._examiner.examine(
                Path(request["path"]), out, stage=lambda stage: wire.send(self._answers, {"stage": stage.value})
            )
        except NetworkAway as away:
            return {"unavailable": away.message}
        except OSError as error:
            return {"unavailable": f"A file could not be read or written ({type(error).__name__})."}
        return {"examination": examination.model_dump(mode="json")}


def load(start: Message, answers: int) -> Examine:
    """Load the model, or say why it cannot be had and end."""
    from casebook.errors import Misconfigured

    try:
        return Examine(start, answers)
    except Misconfigured as refusal:
        wire.send(answers, {"refused": refusal.message, "remedy": refusal.remedy})
        raise SystemExit(3) from refusal
    except OSError as missing:
        wire.send(answers, {"refused": "A part of the program is missing.", "remedy": "Install RetinaGate again."})
        raise SystemExit(3) from missing


def limit_processor_time() -> None:
    """Let the kernel end this process when the next file takes too much computing (the parent watches the clock)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS_A_FILE
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, _CPU_SECONDS), _CPU_SECONDS))


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(4)  # it died before we asked to be told


def _confine() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    os.nice(_NICE)


def take_pipes() -> tuple[int, int]:
    """Move the pipes away from standard input and output, where a decoder's mutterings would spoil them."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, answers


def report_death_to(answers: int) -> None:
    """Tell the parent type and place of the exception that ends this process; its text might quote the file."""

    def hook(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
        last = traceback.extract_tb(trace)[-1:]
        place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "?"
        wire.send(answers, {"died": f"{kind.__name__} at {place}"})

    sys.excepthook = hook


if __name__ == "__main__":
    main()
