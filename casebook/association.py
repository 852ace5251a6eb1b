"""Associations that leave no descriptor behind, and calls whose rejection is heard.

pynetdicom 3.0.4 shuts a socket down before it closes it, and stops at the error where the peer has reset the connection
or never took it: the descriptor then stays until the interpreter happens to collect it. And whoever calls looks whether
the connection stands after the request was sent: a peer that has rejected it by then passes for one that is not there.
"""

from ssl import SSLContext

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket


class ClosedSocket(AssociationSocket):
    """A socket that is closed whatever the peer did before."""

    def _shutdown_socket(self) -> None:
        connection = self.socket
        super()._shutdown_socket()
        if connection is not None:
            connection.close()


class _CallersSocket(ClosedSocket):
    """A socket that has been connected once it was, for who looks late; that it is closed, ``socket`` says."""

    _was_connected = False

    @property
    def _is_connected(self) -> bool:
        return self._was_connected

    @_is_connected.setter
    def _is_connected(self, now: bool) -> None:
        self._was_connected = self._was_connected or now


class Caller(AE):
    """An application entity that calls others."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        connection = super()._create_socket(assoc, address, tls_args)
        connection.__class__ = _CallersSocket
        return connection
