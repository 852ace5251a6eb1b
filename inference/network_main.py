"""What runs in the network process: torch and the GPU, no foreign pixels, and therefore no limit on address space.

Started by ``inference.network_process``. It is handed the door reading children knock at, loads the bundle, reproduces
its golden pictures, and then computes what comes in until it is killed with its parent.
"""

import os
import resource
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from inference import wire
from inference.child_main import die_with, report_death_to, take_pipes
from inference.wire import Message

if TYPE_CHECKING:
    from inference.batches import Computes
    from inference.runners.runner import Tensor

COMPUTE_SECONDS = 20.0  # no batch takes so long
_NICE = 5  # the listener comes first


def main() -> None:
    """Serve reading children until the end."""
    requests, answers = take_pipes()
    report_death_to(answers)
    start = wire.receive(requests)
    die_with(int(start["parent"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICE)
    serve(start, answers)


def serve(start: Message, answers: int) -> None:
    """Load the network, or say why it cannot be had and end; then compute."""
    from casebook.errors import Misconfigured
    from inference.batches import MOST, Batches
    from inference.bundle import load_bundle
    from inference.runners.choice import cuda_refused, load_torch
    from inference.runners.cuda import count_gpus
    from inference.runners.runner import RunnerFailed

    try:
        bundle = load_bundle(Path(start["bundle"]))
        runner = load_torch(bundle, device=start["device"])
        runner.warm_up(MOST)
    except Misconfigured as refusal:
        wire.send(answers, {"refused": refusal.message, "remedy": refusal.remedy, "cause": refusal.message})
        raise SystemExit(3) from refusal
    except RunnerFailed as failure:
        told = cuda_refused(failure)
        wire.send(answers, {"refused": told.message, "remedy": told.remedy, "cause": failure.message})
        raise SystemExit(3) from failure
    door = socket.socket(fileno=int(start["door"]))
    batches = Batches(Watched(runner), bundle.preprocessing.size, {"runner": runner.name, "bundle": bundle.sha256})
    threading.Thread(target=batches.let_in, args=(door,), daemon=True).start()
    wire.send(answers, {"ready": {"runner": runner.name, "gpus": count_gpus()}})
    while True:
        batches.compute_next()


class Watched:
    """A runner that ends this process when it hangs: the kernel does it, whoever holds the interpreter.

    Args:
        runner: computes.
    """

    def __init__(self, runner: "Computes") -> None:
        self._runner = runner

    def compute(self, tensors: "Tensor") -> "tuple[Tensor, Tensor]":
        """Compute, or end."""
        signal.setitimer(signal.ITIMER_REAL, COMPUTE_SECONDS)
        try:
            return self._runner.compute(tensors)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
