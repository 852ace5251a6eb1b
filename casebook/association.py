"""Associations that leave no descriptor behind.

pynetdicom 3.0.4 shuts a socket down before it closes it, and stops at the error where the peer has reset the connection
or never took it: the descriptor then stays until the interpreter happens to collect it.
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


class Caller(AE):
    """An application entity that calls others."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        connection = super()._create_socket(assoc, address, tls_args)
        connection.__class__ = ClosedSocket
        return connection
