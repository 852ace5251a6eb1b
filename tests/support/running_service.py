"""The real service as a process: started with settings from the environment, asked over HTTP, killed without mercy."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from private_orthanc import free_port

QUIET_SECONDS = 2
ARMED = Path(__file__).with_name("armed_service.py")
COMMAND = str(Path(sys.executable).with_name("retinagate"))


def wait_for(question: Callable[[], Any], seconds: float, what: str) -> Any:
    """Ask until the answer is true; fail naming what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)


class Service:
    """A service of its own in a home folder.

    Args:
        home: its home folder.
        settings: environment variables without their prefix, such as ``CASES__QUIET_SECONDS``.
    """

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = home
        self.dicom_port, self.http_port = free_port(), free_port()
        self.log = home.parent / f"{home.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token: str | None = None
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("RETINAGATE")}
        self.environment |= {
            "RETINAGATE_HOME": str(home),
            "RETINAGATE__LISTENER__PORT": str(self.dicom_port),
            "RETINAGATE__DASHBOARD__PORT": str(self.http_port),
            "RETINAGATE__ARCHIVE__RESERVE_MB": "1",
        }
        for name, value in settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self.environment[f"RETINAGATE__{name}"] = text

    def start(self, *, armed: str | None = None) -> "Service":
        """Start it, and wait until it is ready.

        Args:
            armed: the failpoint at which it shall die.
        """
        command = [COMMAND, "up"] if armed is None else [sys.executable, str(ARMED), armed]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_ready()
        return self

    def wait_killed(self) -> None:
        """Wait until it died at its failpoint."""
        assert self._process is not None
        assert self._process.wait(timeout=60) == -signal.SIGKILL

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until a photograph could be taken."""
        wait_for(lambda: self._alive() and self._get("/readyz")[0] == 200, seconds, f"readiness (log: {self.tail()})")

    def _alive(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the service ended with {self._process.returncode}: {self.tail()}")
        return True

    @property
    def pid(self) -> int:
        """The service's process."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """Return the processes it has made."""
        lists = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(child) for one in lists for child in one.read_text().split()]

    def kill(self) -> None:
        """Kill it and its child at once, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=40)

    def end(self) -> None:
        """Kill it if it still runs; the end of a test."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run another command with the same settings."""
        return subprocess.run(
            [COMMAND, *arguments], env=self.environment, capture_output=True, text=True, timeout=120, **options
        )

    def api(self, path: str) -> Any:
        """Return what the API answers."""
        status, body = self._get(f"/api/v1{path}", token=True)
        assert status == 200, (path, status, body[:300])
        return json.loads(body)

    def download(self, path: str) -> bytes:
        """Return the bytes behind a path of the API."""
        status, body = self._get(path, token=True)
        assert status == 200, (path, status)
        return body

    def metrics(self) -> str:
        """Return its metrics."""
        return self._get("/metrics")[1].decode()

    def tail(self) -> str:
        """Return the last of its log."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""

    def _get(self, path: str, *, token: bool = False) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}")
        if token:
            if self._token is None:
                added = self.run("token", "add", f"test-{time.monotonic_ns()}", "--scope", "read")
                assert added.returncode == 0, added.stderr
                self._token = added.stdout.strip()
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""
