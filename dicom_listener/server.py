"""Puts the listener together, starts it and ends it gracefully (R19)."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable

from pydicom.config import IGNORE
from pydicom.config import settings as pydicom_settings
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext, build_context

from casebook import telemetry
from casebook.archive import Archive
from casebook.clock import SYSTEM, Clock
from casebook.database import Database
from casebook.errors import Unavailable
from casebook.listening import cannot_listen
from casebook.settings import Listener as ListenerSettings
from dicom_listener import self_echo
from dicom_listener.association_request import AssociationRequest, Rejection
from dicom_listener.callers import Callers
from dicom_listener.contexts import VERIFICATION, supported
from dicom_listener.door import Door
from dicom_listener.guard import GuardedAssociation
from dicom_listener.limits import Limits
from dicom_listener.outcomes import Outcomes
from dicom_listener.receive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, Receiver, Ring
from dicom_listener.rejections import Rejections
from dicom_listener.room import Room
from dicom_listener.statuses import Status

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05


class Listener:
    """The running listener.

    Args:
        settings: the listener's section.
        receiver: takes the objects.
        callers: judges who may associate.
        rejections: writes down who may not.
        archive: asked whether there is room before an association with storage contexts is accepted.
        clock: for deadlines.
        limits: how long and how much.
        tls: where every connection must be ciphered.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        *,
        receiver: Receiver,
        callers: Callers,
        rejections: Rejections,
        archive: Archive,
        clock: Clock,
        limits: Limits,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._receiver = receiver
        self._callers = callers
        self._rejections = rejections
        self._outcomes = Outcomes(clock, rejections)
        self._archive = archive
        self._clock = clock
        self._limits = limits
        self._tls = tls
        self._stopping = False
        self._answered: tuple[float, bool] | None = None  # when it asked itself, and what came of it
        self._door: Door | None = None
        self._thread: threading.Thread | None = None
        slots = settings.max_associations
        self._room: Room[socket.socket] = Room(
            waiting=limits.waiting,
            waiting_per_host=limits.waiting_per_host,
            slots=slots,
            # On loopback there is one host only; elsewhere one that holds its associations leaves half to the others.
            slots_per_host=slots if callers.on_loopback else max(1, slots // 2),
        )

    @property
    def in_flight(self) -> frozenset[str]:
        """The studies an object is arriving for right now (R16)."""
        return self._receiver.in_flight.studies()

    @property
    def associations(self) -> int:
        """How many associations are open."""
        return self._room.taken

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; known after ``start``."""
        assert self._door is not None
        host, port = self._door.server_address[:2]
        return str(host), int(port)

    @property
    def is_alive(self) -> bool:
        """Whether it accepts connections."""
        return self._thread is not None and self._thread.is_alive()

    def answers(self) -> bool:
        """Say whether it takes a C-ECHO now; it asks itself every five seconds, where loopback leads to it (R21)."""
        if not self.is_alive:
            return False
        host, port = self.address
        if self._tls is not None or not self_echo.can_ask(host, on_loopback=self._callers.on_loopback):
            return True
        now = self._clock.monotonic()
        if self._answered is None or now - self._answered[0] >= self_echo.EVERY_SECONDS:
            self._answered = now, self_echo.is_answered(host, port, self._settings.ae_title)
        return self._answered[1]

    def start(self) -> None:
        """Listen.

        Raises:
            Misconfigured: the address is taken, not ours or not allowed.
        """
        _quieten_pynetdicom()
        try:
            self._door = self._open()
        except OSError as error:
            raise cannot_listen("listener", self._settings.port, error) from error
        self._thread = threading.Thread(
            target=self._door.serve_forever, kwargs={"poll_interval": 0.1}, name="listener", daemon=True
        )
        self._thread.start()
        self._rejections.start()
        telemetry.ASSOCIATIONS_OPEN.set_function(lambda: self._room.taken)
        log.info("listening")

    def stop(self) -> None:
        """Accept nobody more, let objects under way arrive, and end within 17 seconds (R19)."""
        if self._door is None or self._stopping:
            return
        self._stopping = True
        self._door.send_waiting_away()
        began = self._clock.monotonic()
        pause = threading.Event()
        while self._room.taken and (waited := self._clock.monotonic() - began) < self._limits.stop_busy_seconds:
            if waited >= self._limits.stop_idle_seconds:
                self._send_away(lambda association: not association.is_busy)
            pause.wait(_LOOK_SECONDS)
        self._send_away(lambda _: True)
        for association in self._door.associations():
            association.join(timeout=1.0)
        self._door.shutdown()
        self._rejections.stop()

    def _open(self) -> Door:
        limits = self._limits
        ae = ApplicationEntity(self._settings.ae_title)
        ae.acse_timeout = limits.request_seconds
        ae.dimse_timeout = limits.network_seconds
        ae.network_timeout = limits.network_seconds
        ae.maximum_pdu_size = limits.pdu_bytes
        ae.maximum_associations = 2 * self._settings.max_associations  # the room counts, and says so before
        ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION
        return Door(
            ae,
            (self._settings.host, self._settings.port),
            _contexts(self._settings),
            [(evt.EVT_C_STORE, self._receiver.on_c_store), (evt.EVT_C_ECHO, _on_c_echo)],
            judge=self._judge,
            name=self._callers.name,
            reception=self._receiver,
            room=self._room,
            outcomes=self._outcomes,
            limits=limits,
            clock=self._clock,
            tls=self._tls,
        )

    def _judge(self, asked: AssociationRequest, host: str) -> Rejection | None:
        if self._stopping:
            return Rejection.BUSY
        rejection = self._callers.judge(asked, host)
        if rejection is None and any(syntax != VERIFICATION for syntax in asked.abstract_syntaxes):
            try:
                self._archive.check_reserve()
            except (Unavailable, OSError):
                return Rejection.BUSY  # R18: the camera tries again later; who asks for an echo gets it
        return rejection

    def _send_away(self, may_go: Callable[[GuardedAssociation], bool]) -> None:
        assert self._door is not None
        for association in self._door.associations():
            if may_go(association):
                association.send_away()


def make_server(
    settings: ListenerSettings,
    database: Database,
    archive: Archive,
    clock: Clock = SYSTEM,
    ring: Ring = lambda _kind: None,
    limits: Limits | None = None,
    *,
    self_test_secret: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> Listener:
    """Put a listener together.

    Args:
        settings: the listener's section.
        database: the casebook.
        archive: the files; prepared.
        clock: for what is written down and for deadlines.
        ring: says what kind of work a new photograph is; must return at once, for a camera waits for its answer (R11).
        limits: how long and how much a peer may take.
        self_test_secret: what the self-test caller of this start proves itself with.
        tls: where every connection must be ciphered; the port then takes no plain one.

    Raises:
        Misconfigured: it could be reached from the network by anyone.
    """
    limits = limits or Limits()
    callers = Callers(settings, clock, self_test_secret)
    receiver = Receiver(database, archive, clock, callers, ring, limits)
    return Listener(
        settings,
        receiver=receiver,
        callers=callers,
        rejections=Rejections(database, clock),
        archive=archive,
        clock=clock,
        limits=limits,
        tls=tls,
    )


def _contexts(settings: ListenerSettings) -> list[PresentationContext]:
    return [
        build_context(abstract_syntax, list(transfer_syntaxes))
        for abstract_syntax, transfer_syntaxes in supported(accept_deflated=settings.accept_deflated)
    ]


def _on_c_echo(_event: evt.Event) -> int:
    return Status.SUCCESS


def _quieten_pynetdicom() -> None:
    """Keep a peer's values out of the log and of warnings (security S18); what matters is checked and counted here."""
    pydicom_settings.reading_validation_mode = IGNORE
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
