"""The caller RG_SELFTEST: brings synthetic eyes to the running service as a camera would, and proves who it is (S4)."""

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, OphthalmicPhotography8BitImageStorage
from pynetdicom import _config
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.presentation import build_context

from casebook.association import Caller
from casebook.errors import Refused, RetinaGateError, Unavailable
from casebook.settings import Settings
from dicom_listener.callers import SELF_TEST
from dicom_listener.contexts import VERIFICATION
from gateway import running
from gateway.running import Running

_USER_AND_PASSCODE = 2  # PS3.7 D.3.3.7
# Whatever address the service listens at, the self-test calls from loopback, and so proves that it is on this machine.
_FROM: Mapping[int, str] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_SECONDS = 30.0


def service_in(settings: Settings) -> Running:
    """Return the service that runs in this home folder.

    Raises:
        Refused: none does that could take synthetic eyes.
    """
    service = running.read(settings.home)
    if service is not None:
        return service
    if settings.broker.url.startswith("memory:"):
        raise Refused(f"No service runs in {settings.home}.", "Start it: retinagate up")
    raise Refused(
        "Only up runs a loop-back PACS, which synthetic eyes need; listen, work and dashboard do not.",
        "Stop them and run up with the same settings to test this installation.",
    )


class NotStored(RetinaGateError):
    """The service did not take an object."""


class SyntheticCamera:
    """One association with the running service; a context manager that releases it.

    Args:
        service: where it runs, and this start's secret.

    Raises:
        Unavailable: no association came about; the sentence says why.
    """

    def __init__(self, service: Running) -> None:
        _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
        self._place = f"{service.ae_title} at {service.dicom_host}:{service.dicom_port}"
        ae = Caller(SELF_TEST)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = _SECONDS
        identity = UserIdentityNegotiation()
        identity.user_identity_type = _USER_AND_PASSCODE
        identity.primary_field = SELF_TEST.encode()
        identity.secondary_field = service.self_test_secret.encode()
        photograph = OphthalmicPhotography8BitImageStorage
        try:
            family, address = _resolve(service.dicom_host, service.dicom_port)
            self._association = ae.associate(
                address,
                service.dicom_port,
                [
                    build_context(VERIFICATION),
                    build_context(photograph, ExplicitVRLittleEndian),
                    build_context(photograph, JPEGBaseline8Bit),
                ],
                service.ae_title,
                ext_neg=[identity],
                bind_address=(_FROM[family], 0),
            )
        except OSError:
            raise Unavailable(f"{self._place} cannot be called from this machine's loopback.", _LOOPBACK) from None
        if self._association.is_rejected:
            raise Unavailable(f"{self._place} refuses the self-test's association.", _AGAIN)
        if not self._association.is_established:
            raise Unavailable(f"Nothing answers as {self._place}.", _AGAIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._association.is_established:
            self._association.release()

    def echo(self) -> None:
        """Ask whether the service is there.

        Raises:
            Unavailable: it did not answer Success.
        """
        if self._association.send_c_echo().get("Status") != 0:
            raise Unavailable(f"{self._place} does not answer a C-ECHO.", _AGAIN)

    def store(self, photograph: Dataset) -> None:
        """Send one object.

        Raises:
            NotStored: the service did not take it; the sentence says what it answered.
        """
        try:
            answer = self._association.send_c_store(photograph)
        except (RuntimeError, ValueError):  # the association ended, or its context was not accepted
            raise NotStored("The service ended the association before an object was stored.", _AGAIN) from None
        status = answer.get("Status")
        if status is None:
            raise NotStored("The service gave no answer to an object.", _AGAIN)
        if status:
            said = str(answer.get("ErrorComment", "")) or "without a comment"
            raise NotStored(f"The service answers status {status:04X}: {said}", _AGAIN)


_AGAIN = "Look into the service's log, and run: retinagate doctor"
_LOOPBACK = "Set listener.host to 127.0.0.1, or to an IPv4 address of this machine."


def _resolve(host: str, port: int) -> tuple[int, str]:
    """Return family and address of the listener's host.

    Raises:
        OSError: it is unknown.
    """
    family, _, _, _, address = socket.getaddrinfo(running.here(host), port, type=socket.SOCK_STREAM)[0]
    return family, str(address[0])
