"""What a listener needs to speak TLS: 1.2 and 1.3 only, and the peer's certificate where an authority is given (S3)."""

import ssl
from pathlib import Path

from casebook.errors import Misconfigured


def server_context(certificate: Path, key: Path, authority: Path | None = None) -> ssl.SSLContext:
    """Return the context of a server.

    Args:
        certificate: PEM file with our certificate and those between it and its authority.
        key: PEM file with our private key, without a passphrase.
        authority: PEM file with the authorities that sign our peers' certificates; each peer then has to show one.

    Raises:
        Misconfigured: a file is missing or wrong, or the key can be read by others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & 0o077:
            raise Misconfigured("The private key for TLS can be read by others.", "Run chmod 600 on its file.")
        # A key with a passphrase would else be asked for at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
        if authority is not None:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(
            "Certificate, key or authority for TLS cannot be read.",
            "Give PEM files that exist, belong together and have no passphrase.",
        ) from error
    return context
