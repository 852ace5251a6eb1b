"""What a running service tells the commands beside it: a 0600 file of the home folder, gone when the service ends."""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """Where the service of a home folder can be reached, and what proves the self-test of this start."""

    process: int
    ae_title: str
    dicom_host: str
    dicom_port: int
    dashboard_host: str
    dashboard_port: int
    loopback_port: int  # of its loop-back PACS, on 127.0.0.1
    self_test_secret: str


def write(home: Path, running: Running) -> None:
    """Write it down, whole or not at all, for the service's own user alone."""
    part = home / f"{NAME}.part"
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(running), file)
    part.replace(home / NAME)


def forget(home: Path) -> None:
    """Remove it; harmless where there is none."""
    with suppress(OSError):
        (home / NAME).unlink()


def read(home: Path) -> Running | None:
    """Return the service that runs in a home folder now, or none; what a killed one left behind does not count."""
    if not _is_held(home / "lock"):
        return None
    try:
        return Running(**json.loads((home / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def here(host: str) -> str:
    """Return the address at which this machine reaches what listens at a host, or at all of its addresses."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is replaced


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that look do not see each other
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
