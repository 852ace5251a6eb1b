"""The parent's side of the network process: starts it, hears whether it is ready, and starts it again when it ends.

The parent keeps the door, so whoever knocks while the process starts again waits there and is answered after.
"""

import contextlib
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from casebook.clock import SYSTEM, Clock
from casebook.errors import Misconfigured
from inference import processes, wire
from inference.wire import Message

log = logging.getLogger(__name__)

START_SECONDS = 120.0
DELAYS = (0.0, 1.0, 5.0, 30.0)  # before each start after one that did not get ready
_MOST_WAITING = 64
# How torch finds driver and GPU; nothing else of our environment is handed on.
_HANDED_ON = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES")


class NetworkReady(BaseModel):
    """What the process says once it has reproduced the golden pictures.

    Attributes:
        runner: what computes.
        gpus: how many there are on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runner: str = Field(min_length=1)
    gpus: int = Field(ge=0)


class NetworkProcess:
    """One process with a network on one GPU; it may die without harm.

    Attributes:
        address: path of the socket it answers on.
        failures: how often in a row it ended before it was ready.
        refusal: why it cannot run here; None while nobody knows of a reason.
        cause: the same, as the end of a sentence.

    Args:
        bundle: folder of the bundle.
        device: torch's name of what computes.
        cache: folder for compiled kernels, writable by this user only.
        module: what it runs; tests name a hostile one.
        clock: what measures how long it takes to start.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        device: str = "cuda:0",
        cache: Path | None = None,
        module: str = "inference.network_main",
        clock: Clock = SYSTEM,
    ) -> None:
        self._bundle = bundle
        self._device = device
        self._cache = cache
        self._module = module
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: NetworkReady | None = None
        self.failures = 0
        self.refusal: Misconfigured | None = None
        self.cause = ""
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._folder = tempfile.mkdtemp(prefix="retinagate-")  # for this user alone
        self.address = str(Path(self._folder) / "network")
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(self.address)
        self._door.listen(_MOST_WAITING)
        # The kernel kills a process when the *thread* that made it ends, so this one makes them all and stays.
        self._keeper = threading.Thread(target=self._keep, name=f"network-{device}", daemon=True)

    @property
    def ready(self) -> NetworkReady | None:
        """What it said when it was ready; None while it starts or is gone."""
        return self._ready

    @property
    def process_id(self) -> int | None:
        """Its process, where there is one."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start it and keep it going, unless that is done."""
        with self._changed:
            if self._keeper.ident is None and not self._stopped.is_set():
                self._keeper.start()

    def wait_settled(self, seconds: float) -> bool:
        """Wait until it is ready, refused, stopped, or has ended twice over its start; say whether one is so."""
        with self._changed:
            return self._changed.wait_for(self._is_settled, seconds)

    def stop(self) -> None:
        """End it for good."""
        self._stopped.set()
        with self._changed:
            if self._process is not None:
                processes.kill(self._process)
            self._changed.notify_all()
        if self._keeper.is_alive():
            self._keeper.join()
        self._door.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_settled(self) -> bool:
        return self._ready is not None or self.refusal is not None or self.failures > 1 or self._stopped.is_set()

    def _keep(self) -> None:
        was_ready = False
        while not self._stopped.is_set():
            try:
                self._live()
            except OSError:
                log.warning("no process can be started to compute the network")
            with self._changed:
                was_ready |= self._ready is not None
                self.failures = 0 if self._ready is not None else self.failures + 1
                self._ready = None
                self._changed.notify_all()
            if self.refusal is not None and not was_ready:
                return
            if not self._stopped.is_set():
                log.warning("the network process ended and is started again", extra={"failures": self.failures})
                self._stopped.wait(DELAYS[min(self.failures, len(DELAYS) - 1)])

    def _live(self) -> None:
        """Make one process, hear what it says, and come back when it has ended."""
        with self._changed:
            if self._stopped.is_set():
                return
            self._process = process = processes.make(
                self._module, self._environment(), handed_over=[self._door.fileno()]
            )
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = self._clock.monotonic() + START_SECONDS
        try:
            wire.send(
                process.stdin.fileno(),
                {
                    "parent": os.getpid(),
                    "bundle": str(self._bundle.absolute()),
                    "device": self._device,
                    "door": self._door.fileno(),
                },
            )
            while self._ready is None:
                self._hear(wire.receive(process.stdout.fileno(), lambda: deadline - self._clock.monotonic()))
            while True:
                self._hear(wire.receive(process.stdout.fileno()))
        except wire.TooLate:
            log.warning("the network process does not get ready")
        except (wire.Closed, wire.Garbled, ValidationError):
            pass  # it has ended, or speaks another language
        finally:
            with self._changed:
                processes.kill(process)
                processes.close_pipes(process)
                self._process = None

    def _hear(self, message: Message) -> None:
        if "died" in message:
            log.warning("the network process met an error", extra={"error": str(message["died"])[:100]})
            return
        with self._changed:
            if "refused" in message:
                self.refusal = Misconfigured(str(message["refused"]), str(message.get("remedy", "")))
                self.cause = str(message.get("cause", ""))
            elif "ready" in message:
                self._ready = NetworkReady.model_validate(message["ready"])
                self.refusal, self.cause = None, ""
                log.info("the network process is ready", extra={"runner": self._ready.runner})
            self._changed.notify_all()

    def _environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        given["OMP_NUM_THREADS"] = "1"  # the GPU computes, and the cores are the reading children's
        if self._cache is not None:
            with contextlib.suppress(OSError):
                self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            given["CUDA_CACHE_PATH"] = str(self._cache.absolute())
        return given
