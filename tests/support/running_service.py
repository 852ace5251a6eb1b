"""The real service as one process or three: settings from the environment, asked over HTTP, killed without mercy."""

import json
import os
import signal
import socket
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
    """Ask until the answer is true, ever more seldom, for the API has its limits; fail naming what did not come."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(pause)
        pause = min(0.5, pause * 1.1)


class Process:
    """One command of ours as a process.

    Args:
        command: such as ``up`` or ``listen``.
        log: where its output goes.
    """

    def __init__(self, command: str, log: Path) -> None:
        self.command, self.log = command, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: dict[str, str], *, armed: str | None = None) -> None:
        """Start it, with the failpoint at which it shall die."""
        command = [COMMAND, self.command] if armed is None else [sys.executable, str(ARMED), armed]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def check_alive(self) -> bool:
        """Fail when it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self.command} ended with {self._process.returncode}: {self.tail()}")
        return True

    @property
    def pid(self) -> int:
        """Its number."""
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

    def ask_to_stop(self) -> None:
        """Ask it to stop."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=seconds)

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def tail(self) -> str:
        """Return the last of its log."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""


class Service:
    """A service of its own in a home folder.

    Args:
        home: its home folder.
        commands: the commands that together are the service, one process each; ``work-2`` is a second ``work``.
        settings: environment variables without their prefix, such as ``CASES__QUIET_SECONDS``.
    """

    def __init__(self, home: Path, *, commands: tuple[str, ...] = ("up",), **settings: object) -> None:
        self.home = home
        self.dicom_port, self.http_port = free_port(), free_port()
        self._processes = {
            name: Process(name.partition("-")[0], home.parent / f"{home.name}-{name}.log") for name in commands
        }
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

    def start(self, *names: str, armed: str | None = None) -> "Service":
        """Start it, and wait until it is ready.

        Args:
            names: the processes to start; all when none is named.
            armed: the failpoint at which it shall die.
        """
        if "up" not in self._processes and not self.home.exists():
            migrated = self.run("migrate")
            assert migrated.returncode == 0, migrated.stderr
        for process in self._named(names):
            process.start(self.environment, armed=armed)
        self.wait_ready()
        return self

    def wait_killed(self) -> None:
        """Wait until it died at its failpoint."""
        (process,) = self._processes.values()
        assert process.wait(60) == -signal.SIGKILL

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until a photograph could be taken."""
        wait_for(self._is_ready, seconds, f"readiness (log: {self.tail()})")

    def _is_ready(self) -> bool:
        alive = all(process.check_alive() for process in self._processes.values())
        return alive and self.is_listening() and self._get("/readyz")[0] == 200

    def is_listening(self) -> bool:
        """Say whether the listener takes connections: of a killed one its sign of life stays fresh for a while."""
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.dicom_port)) == 0

    def process(self, name: str | None = None) -> Process:
        """Return one of its processes; none needs to be named where there is one."""
        if name is None:
            (name,) = self._processes
        return self._processes[name]

    def _named(self, names: tuple[str, ...]) -> list[Process]:
        return [self._processes[name] for name in names or self._processes]

    @property
    def pid(self) -> int:
        """The service's process, where it is one."""
        return self.process().pid

    def children(self, name: str | None = None) -> list[int]:
        """Return the processes one of its processes has made."""
        return self.process(name).children()

    def kill(self, *names: str) -> None:
        """Kill processes and their children at once; all when none is named."""
        for process in self._named(names):
            process.kill()

    def stop(self, *names: str) -> int:
        """Ask processes to stop and return an exit code, 0 when all were; all when none is named."""
        processes = self._named(names)
        for process in processes:
            process.ask_to_stop()
        codes = [process.wait(40) for process in processes]
        return next((code for code in codes if code), 0)

    def end(self) -> None:
        """Kill what still runs; the end of a test."""
        for process in self._processes.values():
            process.end()

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
        return self._get("/metrics", token=True)[1].decode()

    def tail(self) -> str:
        """Return the last of its logs."""
        return "\n".join(process.tail() for process in self._processes.values())

    def logs(self) -> str:
        """Return all it has said."""
        return "\n".join(process.log.read_text() for process in self._processes.values())

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
