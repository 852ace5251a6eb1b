"""Whether anything listens at an address, and why not."""

import socket

from casebook.words import Unreachable

CONNECT_SECONDS = 3.0


def reach(host: str, port: int, seconds: float = CONNECT_SECONDS) -> Unreachable | None:
    """Connect and hang up; return why that was not possible, or None.

    Args:
        host: name or address.
        port: of TCP.
        seconds: how long each of the host's addresses may take.
    """
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except (socket.gaierror, UnicodeError):
        return Unreachable.UNKNOWN_HOST
    except ConnectionRefusedError:
        return Unreachable.NOTHING_LISTENS
    except TimeoutError:
        return Unreachable.NO_ANSWER
    except OSError:  # no route, no network
        return Unreachable.AWAY
    return None
