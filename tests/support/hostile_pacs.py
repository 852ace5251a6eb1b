"""A PACS that answers as a test tells it to, and keeps the bytes of every data set that reached it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from private_orthanc import free_port
from pynetdicom import AE, _config, evt
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

HANG, ABORT, NO_STATUS = "hang", "abort", "no status"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"

EVERYTHING = {SECONDARY_CAPTURE: [JPEG_BASELINE], COMPREHENSIVE_3D_SR: [EXPLICIT, IMPLICIT]}


@dataclass
class HostilePacs:
    """What it will answer, and what it saw."""

    port: int
    answers: list[int | str] = field(default_factory=list)  # used up one by one; then Success
    received: list[tuple[str, str, bytes]] = field(default_factory=list)  # SOP Instance UID, syntax, data set
    associations: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, event: Any) -> int:
        """Answer one C-STORE."""
        request = event.request
        uid = str(request.AffectedSOPInstanceUID)
        self.received.append((uid, str(event.context.transfer_syntax), request.DataSet.getvalue()))
        answer = self.answers.pop(0) if self.answers else 0x0000
        if answer == HANG:
            self.released.wait(10)
            return 0x0000
        if answer == ABORT:
            event.assoc.abort()
            return 0x0000
        if answer == NO_STATUS:
            _send_without_status(event)
            event.assoc.abort()
            return 0x0000
        assert isinstance(answer, int)
        return answer


@contextmanager
def hostile_pacs(
    *answers: int | str,
    takes: dict[str, list[str]] | None = None,
    calling: list[str] | None = None,
    title: str = "PACS",
    deaf: bool = False,
) -> Iterator[HostilePacs]:
    """Run one on a free port.

    Args:
        answers: for the first objects: a status, ``HANG``, ``ABORT`` or ``NO_STATUS``.
        takes: transfer syntaxes by SOP class.
        calling: the only callers it knows.
        title: what it is called; another called title is refused.
        deaf: it stops reading when the first object begins.
    """
    pacs = HostilePacs(free_port(), list(answers))
    chunked = _config.STORE_RECV_CHUNKED_DATASET
    _config.STORE_RECV_CHUNKED_DATASET = False
    ae = AE(title)
    ae.require_called_aet = True
    ae.require_calling_aet = calling or []
    for sop_class, syntaxes in (takes or EVERYTHING).items():
        ae.add_supported_context(sop_class, syntaxes)

    def count(_event: Any) -> None:
        pacs.associations += 1

    def stop_reading(event: Any) -> None:
        if deaf and isinstance(event.pdu, P_DATA_TF):
            pacs.released.wait(300)

    handlers = [(evt.EVT_C_STORE, pacs.answer), (evt.EVT_ACCEPTED, count), (evt.EVT_PDU_RECV, stop_reading)]
    server = ae.start_server(("127.0.0.1", pacs.port), block=False, evt_handlers=handlers)
    try:
        yield pacs
    finally:
        pacs.released.set()
        server.shutdown()
        _config.STORE_RECV_CHUNKED_DATASET = chunked


def _send_without_status(event: Any) -> None:
    """Send a C-STORE-RSP that lacks (0000,0900), which the library itself never does."""
    response = C_STORE()
    response.MessageIDBeingRespondedTo = event.request.MessageID
    response.AffectedSOPClassUID = event.request.AffectedSOPClassUID
    response.AffectedSOPInstanceUID = event.request.AffectedSOPInstanceUID
    response.Status = 0x0000
    message = C_STORE_RSP()
    message.primitive_to_message(response)
    del message.command_set.Status
    for pdata in message.encode_msg(event.context.context_id, 16382):
        event.assoc.dul.send_pdu(pdata)
