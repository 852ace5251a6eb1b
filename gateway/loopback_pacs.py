"""The loop-back PACS: takes the results of synthetic eyes, on this machine only, so that they reach no other (I9).

It keeps the newest few as files of the home folder; nobody but the self-test and the demonstration ever reads them.
"""

import contextlib
import logging
import os
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pynetdicom import AE, evt

from casebook.settings import LOOPBACK, Destination
from dicom_listener.statuses import Status
from dicom_listener.values import is_uid
from reporting.layout import COMPREHENSIVE_3D_SR, EXPLICIT_LITTLE_ENDIAN, JPEG_BASELINE, SECONDARY_CAPTURE

log = logging.getLogger(__name__)

TITLE = "RG_LOOPBACK"
FOLDER = "loopback"
HOST = "127.0.0.1"
MOST_OBJECTS = 120  # 40 studies of two eyes
MOST_BYTES = 8 << 20  # of one object; what we draw makes less than one
_SECONDS = 10.0
_ASSOCIATIONS = 4


class LoopbackPacs:
    """A small Storage SCP; a context manager that ends it.

    Args:
        home: the home folder.
        our_title: the AE title of our sender, the only caller.

    Raises:
        OSError: it cannot listen.
    """

    def __init__(self, home: Path, our_title: str) -> None:
        self._folder = home / FOLDER
        self._lock = threading.Lock()
        ae = AE(TITLE)
        ae.require_called_aet = True
        ae.require_calling_aet = [our_title]
        ae.maximum_associations = _ASSOCIATIONS
        ae.acse_timeout = ae.dimse_timeout = _SECONDS
        ae.network_timeout = 60.0
        ae.add_supported_context(COMPREHENSIVE_3D_SR, EXPLICIT_LITTLE_ENDIAN)
        ae.add_supported_context(SECONDARY_CAPTURE, JPEG_BASELINE)
        server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._on_c_store)])
        assert server is not None
        self._server = server
        self._port = int(server.server_address[1])

    @property
    def destination(self) -> Destination:
        """What the sender knows of it."""
        return Destination(name=LOOPBACK, ae_title=TITLE, host=HOST, port=self._port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def _on_c_store(self, event: evt.Event) -> int:
        request: Any = event.request
        uid = str(request.AffectedSOPInstanceUID)
        if request.AffectedSOPClassUID != event.context.abstract_syntax:
            return Status.SOP_CLASS_NOT_SUPPORTED
        if not is_uid(uid):
            return Status.CANNOT_UNDERSTAND
        data = event.encoded_dataset()
        if len(data) > MOST_BYTES:
            return Status.OUT_OF_RESOURCES
        try:
            with self._lock:
                self._keep(uid, data)
        except OSError as error:
            log.warning("the loop-back PACS cannot write", extra={"error": type(error).__name__})
            return Status.OUT_OF_RESOURCES
        return Status.SUCCESS

    def _keep(self, uid: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        part = self._folder / f"{uuid.uuid4().hex}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        part.replace(path(self._folder.parent, uid))
        by_age = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in by_age[MOST_OBJECTS:]:
            old.unlink()


def path(home: Path, sop_instance_uid: str) -> Path:
    """Return where it keeps an object, whose UID was checked."""
    return home / FOLDER / f"{sop_instance_uid}.dcm"


def read(home: Path, sop_instance_uid: str) -> bytes | None:
    """Return an object that it holds, as a file, or none."""
    with contextlib.suppress(OSError):
        return path(home, sop_instance_uid).read_bytes()
    return None
