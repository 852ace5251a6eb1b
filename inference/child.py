"""The parent's side of the child: the warm process that reads what peers sent, runs the network, and may die (R14, S7).

A decoder that crashes, hangs or eats memory takes only the child with it. The parent reads nothing from it but short
JSON messages, checks each against its type, and kills it at the deadline.
"""

import contextlib
import logging
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from casebook.clock import SYSTEM, Clock
from casebook.errors import Misconfigured, RetinaGateError, Unavailable
from inference import processes, wire
from inference.child_words import ChildDied, ChildStopped, DeadlinePassed, NeverTaken, Ready
from inference.examination import Examination, Stage
from inference.wire import Message

log = logging.getLogger(__name__)

PICTURE_SECONDS = 30.0
FILE_SECONDS = 600.0  # of all frames together
READY_SECONDS = 120.0
_WORD_SECONDS = 5.0  # for a message that has begun to arrive
FILES_A_CHILD = 500
NETWORK_SECONDS = 120.0  # for an answer of the network process, which watches over itself and may have to start again
MAX_THREADS = 8  # more gain a compact network nothing, and each needs address space


class Child:
    """A warm child. ``examine`` is for one thread at a time; ``stop`` may come from any.

    Attributes:
        refusal: why the bundle was refused, as a sentence; empty while it was not.

    Args:
        bundle: folder of the bundle.
        threads: how many cores it may use; by default all this process may.
        cache: folder for compiled graphs, writable by this user only; None compiles at every start.
        network: address of the network process that computes; None computes in the child.
        picture_seconds: how long one picture may take by the clock on the wall.
        module: what the child runs; tests name a hostile one.
        clock: what measures the deadline.
    """

    def __init__(
        self,
        bundle: Path,
        *,
        threads: int | None = None,
        cache: Path | None = None,
        network: str | None = None,
        picture_seconds: float = PICTURE_SECONDS,
        module: str = "inference.child_main",
        clock: Clock = SYSTEM,
    ) -> None:
        self._bundle = bundle
        self._threads = min(threads or len(os.sched_getaffinity(0)), MAX_THREADS)
        self._cache = cache
        self._network = network
        self._picture_seconds = picture_seconds
        self._module = module
        self._clock = clock
        self._avoid: set[str] = set()
        self._loading = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: Ready | None = None
        self._files = 0
        self.refusal = ""
        self._working = threading.RLock()
        self._reaping = threading.Lock()
        self._stopped = threading.Event()
        # The kernel kills the child when the *thread* that made it ends, so one thread makes them all and stays.
        self._nursery = ThreadPoolExecutor(1, thread_name_prefix="child-nursery")

    @property
    def hands(self) -> int:
        """How many files can be under way at once."""
        return 1

    @property
    def ready(self) -> Ready | None:
        """What the child said when its model was checked; None while it is not running or still loading."""
        return self._ready

    @property
    def process_id(self) -> int | None:
        """The child's process, where there is one."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start the child, unless it runs; it loads its model while the caller goes on.

        Raises:
            ChildStopped: it was stopped for good.
            Unavailable: no process can be made now.
        """
        with self._working:
            if self._process is None:
                self._spawn()

    def wait_ready(self, seconds: float = READY_SECONDS) -> Ready:
        """Wait until the child's model is loaded and answers as its card says; starts the child where needed.

        Raises:
            Misconfigured: the bundle is refused.
            Unavailable: the child ended, or is not ready in time. Trying again starts a new one.
            ChildStopped: it was stopped.
        """
        with self._working:
            self._bury_the_dead()
            self.start()
            deadline = self._clock.monotonic() + seconds
            while self._ready is None:
                self._hear(deadline)
            return self._ready

    def is_ready(self) -> bool:
        """Say, without waiting, whether a file could be examined now; a child that died idle is started again.

        Once the bundle was refused the answer stays no, and ``refusal`` says why.
        """
        if not self._working.acquire(blocking=False):
            return self._ready is not None  # at work
        try:
            self._bury_the_dead()
            while self._ready is None:
                if self.refusal:
                    return False
                self.start()
                if not self._has_word():
                    return False
                self._hear(self._clock.monotonic() + _WORD_SECONDS)
        except RetinaGateError as error:
            log.warning("no photograph can be read now", extra={"error": str(error)})
            return False
        else:
            return True
        finally:
            self._working.release()

    def examine(self, path: Path, out: Path | None) -> Examination:
        """Let the child answer to one file, in a fresh child where the last one died or has served 500.

        Args:
            path: DICOM, JPEG or PNG.
            out: an empty folder for the pictures it makes; None makes none.

        Raises:
            ChildDied: it ended over this file, by itself or at the deadline (``DeadlinePassed``).
            ChildStopped: it was stopped meanwhile.
            Misconfigured: the bundle is refused.
            Unavailable: the child cannot be started, or the file not read or its pictures not written just now.
        """
        with self._working:
            if self._files >= FILES_A_CHILD:
                self._bury()
            try:
                return self._examine(path, out)
            except NeverTaken:
                # It died between two files, and its kernel had not said so yet: that is not this file's fault.
                return self._examine(path, out)

    def _examine(self, path: Path, out: Path | None) -> Examination:
        self.wait_ready()
        self._files += 1
        stage, taken = Stage.READING, False
        end = self._clock.monotonic() + FILE_SECONDS
        deadline = self._clock.monotonic() + self._picture_seconds
        try:
            self._send({"path": str(path.absolute()), "out": None if out is None else str(out.absolute())})
            while True:
                message = self._receive(deadline)
                taken = True
                if "stage" in message:
                    stage = Stage(message["stage"])
                    if stage is Stage.READING:  # another frame
                        deadline = min(end, self._clock.monotonic() + self._picture_seconds)
                    elif self._network is not None:
                        deadline = min(end, self._clock.monotonic() + NETWORK_SECONDS)
                elif "unavailable" in message:
                    self._bury()  # it may be the child itself that has run out of something
                    raise Unavailable(str(message["unavailable"])[:200])
                elif "died" in message:
                    log.warning("the child met an error", extra={"error": str(message["died"])[:100]})
                else:
                    return Examination.model_validate(message["examination"])
        except wire.TooLate:
            self._bury()
            raise DeadlinePassed(f"A picture took longer than {self._picture_seconds:.0f} s.", stage) from None
        except (wire.Closed, wire.Garbled, ValidationError, ValueError, KeyError):
            self._bury()
            kind = ChildDied if taken else NeverTaken
            raise kind("The process that reads photographs ended over this one.", stage) from None

    def stop(self) -> None:
        """Kill the child for good; whoever waits for it is told (``ChildStopped``)."""
        self._stopped.set()
        self._kill()
        with self._working:  # whoever waited has seen the end of the pipe by now
            self._bury()
        self._nursery.shutdown(wait=False)

    def _spawn(self) -> None:
        self._check_stopped()
        self._ready, self._files, self._loading, self.refusal = None, 0, "", ""
        try:
            if self._cache is not None:
                self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._process = self._nursery.submit(self._make_process).result()
        except OSError as error:
            raise Unavailable("No process can be started to read photographs.") from error
        with contextlib.suppress(wire.Closed):  # who reads the answer will notice
            self._send(
                {
                    "parent": os.getpid(),
                    "bundle": str(self._bundle.absolute()),
                    "threads": self._threads,
                    "network": self._network,
                    "cache": None if self._cache is None else str(self._cache.absolute()),
                    "avoid": sorted(self._avoid),
                }
            )
        if self._stopped.is_set():  # between the check and the birth
            self._bury()

    def _make_process(self) -> "subprocess.Popen[bytes]":
        return processes.make(
            self._module,
            {
                "OMP_NUM_THREADS": str(self._threads),
                "OPENBLAS_NUM_THREADS": "1",
                "MALLOC_ARENA_MAX": "2",  # else every thread reserves address space, and that is limited
            },
        )

    def _hear(self, deadline: float) -> None:
        """Take one message of a child that is loading its model."""
        try:
            message = self._receive(deadline)
        except wire.TooLate:
            self._bury()
            raise Unavailable("The model is not loaded in time.", "The machine may be overloaded.") from None
        except (wire.Closed, wire.Garbled):
            self._bury()
            if self._loading != "openvino":
                raise Unavailable("The process that reads photographs ended while loading its model.") from None
            # Some processors lack instructions OpenVINO takes for granted: the next child does without it.
            self._avoid.add(self._loading)
            self._spawn()
            return
        self._loading = str(message.get("loading", self._loading))
        if "refused" in message:
            self._bury()
            self.refusal = str(message["refused"])
            raise Misconfigured(self.refusal, str(message.get("remedy", "")))
        if "ready" in message:
            try:
                self._ready = Ready.model_validate(message["ready"])
            except ValidationError:
                self._bury()
                raise Unavailable("The process that reads photographs speaks another language.") from None

    def _send(self, message: Message) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        wire.send(process.stdin.fileno(), message)

    def _receive(self, deadline: float) -> Message:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            return wire.receive(process.stdout.fileno(), lambda: deadline - self._clock.monotonic())
        except wire.Closed:
            self._check_stopped()
            raise

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            self._bury()
            raise ChildStopped("The process that reads photographs was stopped.")

    def _has_word(self) -> bool:
        """Say whether the child has said something, or is gone."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        return wire.waiting(process.stdout.fileno())

    def _bury_the_dead(self) -> None:
        """Forget a child that ended between two files: that is nobody's fault."""
        if self._ready is not None and self._process is not None and self._process.poll() is not None:
            self._bury()

    def _bury(self) -> None:
        """Kill and forget the child; the next call makes a new one."""
        self._kill()
        process, self._process, self._ready = self._process, None, None
        if process is not None:
            processes.close_pipes(process)

    def _kill(self) -> None:
        with self._reaping:
            if self._process is not None:
                processes.kill(self._process)
