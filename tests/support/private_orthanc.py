"""An Orthanc of our own: own folder, free ports, never the machine's service; stopped by its process and waited for."""

import json
import os
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

START_SECONDS = 30.0
STOP_SECONDS = 20.0
TITLE = "PACS"


class Orthanc:
    """A PACS that is empty when it starts; a context manager.

    Args:
        program: absolute path of the binary.
        folder: where everything of it lies.
        settings: what differs from the usual configuration.
    """

    def __init__(self, program: str, folder: Path, **settings: Any) -> None:
        self.dicom_port, self.http_port = free_port(), free_port()
        self._program = program
        self._log = folder / "orthanc.log"
        self._configuration = folder / "orthanc.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration.write_text(
            json.dumps(
                {
                    "Name": "RGTEST",
                    "StorageDirectory": str(folder / "storage"),
                    "IndexDirectory": str(folder / "storage"),
                    "HttpServerEnabled": True,
                    "HttpPort": self.http_port,
                    "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False,
                    "DicomServerEnabled": True,
                    "DicomAet": TITLE,
                    "DicomPort": self.dicom_port,
                    "DicomCheckCalledAet": False,
                    "DicomAlwaysAllowEcho": True,
                    "DicomAlwaysAllowStore": True,
                    "UnknownSopClassAccepted": True,
                    "OverwriteInstances": False,
                    "StableAge": 1,
                    "Plugins": [],
                }
                | settings
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Without TCP_NODELAY each answer of DCMTK waits 40 ms for an acknowledgement (performance P26).
        environment = {**os.environ, "TCP_NODELAY": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._configuration)], stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.get("/system")
            except (urllib.error.URLError, ConnectionError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"Orthanc did not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End the process and wait for its end: a second one on the same folder would find the index locked."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)
            self._process = None

    def get(self, path: str) -> Any:
        """Return what its REST interface answers, as JSON."""
        return json.loads(self.bytes_of(path))

    def bytes_of(self, path: str) -> bytes:
        """Return what its REST interface answers, as bytes."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def instances(self) -> dict[str, str]:
        """Return Orthanc's id of every object it holds, by SOP Instance UID."""
        return {
            instance["MainDicomTags"]["SOPInstanceUID"]: instance["ID"] for instance in self.get("/instances?expand")
        }

    def forget_all(self) -> None:
        """Delete every object it holds."""
        for identifier in self.instances().values():
            self.tell("DELETE", f"/instances/{identifier}")

    def tell(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """Send something to its REST interface and return the answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def file(self, sop_instance_uid: str) -> bytes:
        """Return an object as the file it keeps."""
        return self.bytes_of(f"/instances/{self.instances()[sop_instance_uid]}/file")


def free_port() -> int:
    """Return the number of a port on which nobody listens now.

    It lies below those the kernel gives to outgoing connections, or one of these could take it while a server restarts.
    """
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
