"""Why a part of the service cannot listen, in words."""

import errno

from casebook.errors import Misconfigured


def cannot_listen(section: str, port: int, error: OSError) -> Misconfigured:
    """Return what a person is told.

    Args:
        section: of the settings that say where, ``listener`` or ``dashboard``.
        port: that could not be had.
        error: what the kernel said.
    """
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(
            f"Port {port} is taken.", f"Stop the program that uses it, or set {section}.port to another one."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Misconfigured(f"Port {port} may not be used by this user.", f"Set {section}.port to 1024 or higher.")
    return Misconfigured(f"{section}.host is not an address of this machine.", f"Set {section}.host to 127.0.0.1.")
