"""All that grades in one worker: one child that does everything, or reading children before a network process per GPU.

On the CPU a batch gains nothing (P7), so one child reads and computes. A GPU wants batches: several children read,
find the retina, judge and draw, and what they prepare is computed together by a process that sees no foreign pixels.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from casebook.clock import SYSTEM
from casebook.errors import Unavailable
from inference.child import READY_SECONDS, Child
from inference.child_words import ChildStopped, Ready
from inference.examination import Examination
from inference.network_process import NetworkProcess

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda"]
MOST_READERS = 16  # as many as a batch holds


class Children:
    """Answers to files, several at once where there is a GPU; any thread may ask.

    Args:
        bundle: folder of the bundle.
        device: ``auto`` takes a GPU where torch, weights and GPU are there, else the CPU.
        threads: how many cores may be used; by default all this process may.
        cache: folder for compiled graphs and kernels, writable by this user only.
        readers: how many reading children stand before a GPU; by default one a core.
        torch_device: torch's name of what computes; tests name ``cpu``, to prove the rest without a GPU.
        network_module: what a network process runs; tests name a hostile one.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        device: Device = "auto",
        threads: int | None = None,
        cache: Path | None = None,
        readers: int | None = None,
        torch_device: str = "cuda",
        network_module: str = "inference.network_main",
    ) -> None:
        self._bundle = bundle
        self._cache = cache
        self._threads = threads or len(os.sched_getaffinity(0))
        self._readers = readers or min(self._threads, MOST_READERS)
        self._torch_device = torch_device
        self._network_module = network_module
        self._must_be_gpu = device == "cuda"
        self._fallback = ""
        self._networks: list[NetworkProcess] = []
        self._all: list[Child] = []
        self._free: list[Child] = []
        self._changed = threading.Condition()
        self._stopped = False
        if device == "cpu" or (device == "auto" and not gpu_is_likely(bundle)):
            self._take_on([self._child()])
        else:
            self._networks.append(self._network(0))

    @property
    def hands(self) -> int:
        """How many files can be under way at once."""
        return max(1, len(self._all))

    @property
    def refusal(self) -> str:
        """Why the bundle or the device was refused, as a sentence; empty while it was not."""
        if self._must_be_gpu and self._networks[0].refusal is not None:
            return self._networks[0].refusal.message
        return next((child.refusal for child in self._all if child.refusal), "")

    @property
    def ready(self) -> Ready | None:
        """What a child said when the model was checked; None while none could answer."""
        if not all(network.ready for network in self._networks):
            return None
        return next((self._as_is(child.ready) for child in self._all if child.ready), None)

    def start(self) -> None:
        """Start what can be started, unless that is done; the caller goes on meanwhile."""
        with self._changed:
            networks = list(self._networks)
        for network in networks:
            network.start()
        for child in self._all:
            child.start()

    def is_ready(self) -> bool:
        """Say, without waiting, whether a file could be examined now; what died idle is started again by asking."""
        if not self._all:
            self.start()
        if not self._settle(0.0) or not all(network.ready for network in self._networks):
            return False
        ready = [child.is_ready() for child in self._all]  # each is asked, for that starts it
        return any(ready)

    def wait_ready(self, seconds: float = READY_SECONDS) -> Ready:
        """Wait until a file can be examined; starts what is needed.

        Raises:
            Misconfigured: the bundle is refused, or the device.
            Unavailable: nothing is ready in time; trying again helps.
            ChildStopped: all were stopped.
        """
        end = SYSTEM.monotonic() + seconds
        self._await_settled(seconds)
        with self._one() as child:
            return self._as_is(child.wait_ready(max(0.0, end - SYSTEM.monotonic())))

    def examine(self, path: Path, out: Path | None) -> Examination:
        """Let a free child answer to one file; what is raised says ``Child.examine``."""
        self._await_settled(READY_SECONDS)
        with self._one() as child:
            return child.examine(path, out)

    def stop(self) -> None:
        """Kill all of them for good; whoever waits is told (``ChildStopped``)."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for child in self._all:
            child.stop()
        for network in self._networks:
            network.stop()

    def _await_settled(self, seconds: float) -> None:
        if not self._all:
            self.start()
        if self._settle(seconds):
            return
        if self._stopped:
            raise ChildStopped("The processes that read photographs were stopped.")
        refusal = self._networks[0].refusal
        if refusal is not None:
            raise refusal
        raise Unavailable("The network is not loaded in time.", "The machine or its GPU may be overloaded.")

    def _settle(self, seconds: float) -> bool:
        """Wait until it is known what computes, and have the children for it; say whether there are any."""
        if self._all:
            return True
        first = self._networks[0]
        if not first.wait_settled(seconds):
            return False
        with self._changed:
            if self._all or self._stopped:
                return bool(self._all)
            if first.ready is not None:
                self._networks += [self._network(number) for number in range(1, first.ready.gpus)]
                for network in self._networks:
                    network.start()
                count = max(self._readers, len(self._networks))
                self._take_on([self._child(self._networks[n % len(self._networks)]) for n in range(count)])
                log.info("photographs are computed on the GPU", extra={"runner": first.ready.runner, "readers": count})
                return True
            if self._must_be_gpu:
                return False
            cause = first.cause or "the process for it ended while it was loading the network."
            self._fallback = f"The GPU is not used: {cause}"
            first.stop()
            self._networks.clear()
            self._take_on([self._child()])
            log.warning("photographs are computed on the CPU", extra={"cause": cause})
            return True

    def _take_on(self, children: list[Child]) -> None:
        self._free = list(children)
        self._all = children

    @contextmanager
    def _one(self) -> Iterator[Child]:
        """Have a child for oneself, the one used last before the others: it is warm."""
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._stopped)
            if self._stopped:
                raise ChildStopped("The processes that read photographs were stopped.")
            child = self._free.pop()
        try:
            yield child
        finally:
            with self._changed:
                self._free.append(child)
                self._changed.notify()

    def _as_is(self, ready: Ready) -> Ready:
        return ready.model_copy(update={"fallback": f"{self._fallback} {ready.fallback}".strip()})

    def _network(self, number: int) -> NetworkProcess:
        device = f"{self._torch_device}:{number}"
        return NetworkProcess(self._bundle, device=device, cache=self._cache, module=self._network_module)

    def _child(self, network: NetworkProcess | None = None) -> Child:
        return Child(
            self._bundle,
            threads=self._threads if network is None else 1,
            cache=self._cache,
            network=None if network is None else network.address,
        )


def gpu_is_likely(bundle: Path) -> bool:
    """Say, without loading torch or touching a GPU, whether it is worth asking a network process."""
    try:
        runners = json.loads((bundle / "card.json").read_bytes())["runners"]
    except (OSError, ValueError, KeyError, TypeError):
        return False  # whoever loads the bundle says what is wrong with it
    return "torch" in runners and find_spec("torch") is not None and gpu_is_here()


def gpu_is_here() -> bool:
    """Say whether this machine shows a GPU of NVIDIA's to its processes (under Windows' Linux it is ``dxg``)."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
