"""A listener in a process of its own, so that a test can kill it, limit it and look at its memory.

``python listener_process.py HOME [--arm POINT] [--file-size BYTES] [--tls CERTIFICATE KEY]`` prints its port and listens until it is killed.
"""

import argparse
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent


class Holding(NamedTuple):
    """What a process holds of the machine."""

    threads: int
    descriptors: int
    memory_kib: int


class ListenerProcess:
    """Runs this file; used as a context manager it is killed at the end."""

    def __init__(self, home: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(home), *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        assert self.port, "the listener did not start"

    def __enter__(self) -> "ListenerProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.port)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for its end and return how it ended."""
        code = self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def peak_memory_kib(self) -> int:
        """The most memory it ever held."""
        return self._status("VmHWM")

    def holds(self) -> "Holding":
        """What it holds now."""
        descriptors = len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))
        return Holding(self._status("Threads"), descriptors, self._status("VmRSS"))

    def _status(self, key: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split(f"{key}:")[1].split()[0])


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from casebook import failpoints
    from casebook.archive import Archive
    from casebook.database import Database
    from casebook.settings import Listener
    from dicom_listener.server import make_server
    from dicom_listener.tls import server_context

    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--arm")
    parser.add_argument("--file-size", type=int)
    parser.add_argument("--tls", type=Path, nargs=2)
    asked = parser.parse_args()
    database = Database(f"sqlite:///{asked.home / 'casebook.sqlite3'}")
    database.create_schema()
    archive = Archive(asked.home / "archive", reserve_mb=0)
    archive.prepare("test", is_new=not archive.root.exists())
    tls = server_context(*asked.tls) if asked.tls else None
    listener = make_server(Listener().model_copy(update={"port": 0}), database, archive, tls=tls)
    listener.start()
    if asked.arm:
        failpoints.arm(asked.arm)
    if asked.file_size:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked.file_size, asked.file_size))
    print(listener.address[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
