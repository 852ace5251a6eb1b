"""The story of one object, from the command that announces it to the answer: bytes, file, rows, commit, 0x0000 (R1).

Every step may fail, and then the earlier ones are undone; only what is durable is answered Success.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta, encode_file_meta
from pynetdicom.events import Event

from casebook import failpoints, telemetry
from casebook.archive import Archive, Stored
from casebook.arrival import Arrival, Arrived, arrive
from casebook.clock import Clock
from casebook.database import Database
from casebook.errors import BadInput, Refused, Unavailable
from casebook.uids import derived_uid
from casebook.words import JobKind
from dicom_listener import header
from dicom_listener.callers import SELF_TEST, Callers, plain_host
from dicom_listener.contexts import DEFLATED
from dicom_listener.in_flight import InFlight
from dicom_listener.keeper import Announced
from dicom_listener.limits import Limits
from dicom_listener.seldom import Seldom
from dicom_listener.spool import Spool
from dicom_listener.statuses import STORED, Answer, NotAsAnnounced, Status, answer_to
from dicom_listener.values import is_uid

log = logging.getLogger(__name__)

IMPLEMENTATION_CLASS_UID = derived_uid("implementation class")
IMPLEMENTATION_VERSION = "RETINAGATE"
_PREAMBLE = b"\0" * 128 + b"DICM"

Ring = Callable[[JobKind], object]


@dataclass(frozen=True, slots=True)
class Offer:
    """A complete C-STORE: what was announced, its bytes (none when there was no data set), and who sent it."""

    announced: Announced
    spool: Spool | None
    calling_ae: str
    host: str
    passcode: bytes | None = None  # of the user identity, if the caller gave one


class Receiver:
    """Takes objects into archive and casebook.

    Args:
        database: the casebook.
        archive: the files.
        clock: for what is written down and for the time an object may take.
        callers: who proves to be the self-test.
        ring: is called for every new photograph, and returns at once.
        limits: how long keeping may take.
    """

    def __init__(
        self, database: Database, archive: Archive, clock: Clock, callers: Callers, ring: Ring, limits: Limits
    ) -> None:
        self._database = database
        self._archive = archive
        self._clock = clock
        self._callers = callers
        self._ring = ring
        self._limits = limits
        self._seldom = Seldom(clock)
        self.in_flight = InFlight()

    def open(self, announced: Announced) -> Spool:
        """Make room for an object before its first byte; what will be refused is swallowed, not written."""
        refusal = self._refusal(announced)
        head = b"" if refusal else _head(announced)
        spool: Spool

        def look(beginning: bytes) -> bool:
            study = header.study_of(beginning, announced.transfer_syntax_uid)
            if study is not None:
                self.in_flight.belongs_to(spool, study)
            return study is not None

        sees = None if announced.transfer_syntax_uid == DEFLATED else look
        spool = Spool(self._archive.incoming, head, look=sees, refusal=refusal)
        self.in_flight.begin(spool)
        return spool

    def abandon(self, spool: Spool) -> None:
        """Leave nothing behind of an object that will not be answered any more."""
        spool.discard()
        self.in_flight.end(spool)

    def on_c_store(self, event: Event) -> Dataset:
        """Answer pynetdicom's event of a C-STORE."""
        request = cast(C_STORE, event.request)
        caller = event.assoc.requestor
        identity = caller.user_identity
        offer = Offer(
            announced=Announced(
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                transfer_syntax_uid=str(event.context.transfer_syntax),
            ),
            spool=request.DataSet if isinstance(request.DataSet, Spool) else None,
            calling_ae=caller.ae_title.strip(),
            host=plain_host(caller.address),
            passcode=identity.secondary_field if identity else None,
        )
        return self.answer(offer).data_set()

    def answer(self, offer: Offer) -> Answer:
        """Take an object, or say why not; never raises, for pynetdicom would answer with a status of its own."""
        began = self._clock.monotonic()
        arrived = None
        synthetic = False
        try:
            synthetic = self._is_self_test(offer)
            arrived = self._take(offer, began, synthetic=synthetic)
            answer = STORED
        except BaseException as error:  # noqa: BLE001 - the border of C-STORE: whatever happens has a status
            answer = answer_to(error)
            self._report(answer, error, offer.host)
        finally:
            if offer.spool is not None:
                self.abandon(offer.spool)
        if arrived is Arrived.NEW:
            self._tell()
        if synthetic:  # in no count (ux O39)
            return answer
        caller = self._callers.name(offer.calling_ae, offer.host)
        telemetry.STORE_REQUESTS.labels(caller=caller, status=f"{answer.status:04X}").inc()
        telemetry.STORE_SECONDS.observe(max(0.0, self._clock.monotonic() - began))
        telemetry.STORE_BYTES.labels(caller=caller).inc(offer.spool.received if offer.spool else 0)
        if arrived is not None:
            telemetry.OBJECTS.labels(kind=arrived.value).inc()
        return answer

    def _report(self, answer: Answer, error: BaseException, host: str) -> None:
        """Log a refusal, once a minute for each kind and address."""
        if count := self._seldom.due((answer.status, type(error), host)):
            is_bug = answer.status is Status.PROCESSING_FAILURE
            log.log(
                logging.ERROR if is_bug else logging.WARNING,
                "object refused",
                extra={
                    "status": f"{answer.status:04X}", "error": type(error).__name__, "address": host, "count": count,
                },
                exc_info=error if is_bug else None,
            )  # fmt: skip

    def _tell(self) -> None:
        try:
            self._ring(JobKind.GRADE)
        except Exception:  # the border of the ring: the rows stand, the sweep finds them
            log.warning("the bell could not be rung", exc_info=True)

    def _refusal(self, announced: Announced) -> Exception | None:
        if not is_uid(announced.sop_instance_uid):
            return BadInput("Affected SOP Instance UID is not a UID.")
        try:
            self._archive.check_reserve()
        except (Unavailable, OSError) as error:
            return error
        return None

    def _take(self, offer: Offer, began: float, *, synthetic: bool) -> Arrived:
        spool, announced = offer.spool, offer.announced
        if spool is None or spool.received == 0:
            raise NotAsAnnounced("There is no data set.")
        sha256 = spool.complete()
        failpoints.point("after_part")
        received = header.Received(
            announced.transfer_syntax_uid, sha256, offer.calling_ae, offer.host, synthetic=synthetic
        )
        arrival = header.read(spool.path, spool.data_at, received)
        if arrival.sop_class_uid != announced.sop_class_uid:
            raise NotAsAnnounced("SOP Class UID differs from the command's.")
        if arrival.sop_instance_uid != announced.sop_instance_uid:
            raise NotAsAnnounced("SOP Instance UID differs from the command's.")
        self.in_flight.belongs_to(spool, arrival.study_instance_uid)
        stored = self._archive.keep(spool.path, ".dcm")
        if self._clock.monotonic() - began > self._limits.keep_seconds:
            self._archive.discard(stored.path)
            raise Unavailable("Keeping the object took too long.")
        return self._write_down(arrival, stored)

    def _write_down(self, arrival: Arrival, stored: Stored) -> Arrived:
        written = False
        try:
            with self._database.transaction() as t:
                arrived = arrive(t, arrival, stored, self._clock.now())
                written = True
        except BaseException:  # an interrupt too: a file that no row will name must not stay
            # Once COMMIT was sent its outcome may be unknown, and a row without its file would be a lost photograph:
            # the file then stays, and the check for files without a row decides later.
            if not written:
                self._archive.discard(stored.path)
            raise
        failpoints.point("after_commit")
        if arrived is Arrived.DUPLICATE:
            self._archive.discard(stored.path)
        return arrived

    def _is_self_test(self, offer: Offer) -> bool:
        if offer.calling_ae != SELF_TEST:
            return False
        if not self._callers.proves_self_test(offer.passcode):
            raise Refused("This caller may not store.")
        return True


def _head(announced: Announced) -> bytes:
    """Return preamble and file meta information, both ours (PS3.10 7.1): nothing but UIDs comes from the peer."""
    meta = create_file_meta(
        sop_class_uid=UID(announced.sop_class_uid),
        sop_instance_uid=UID(announced.sop_instance_uid),
        transfer_syntax=UID(announced.transfer_syntax_uid),
        implementation_uid=UID(IMPLEMENTATION_CLASS_UID),
        implementation_version=IMPLEMENTATION_VERSION,
    )
    return _PREAMBLE + encode_file_meta(meta)
