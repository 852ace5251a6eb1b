"""Whether the broker takes us: it answers, and knows user, password and virtual host or database number."""

from contextlib import suppress
from typing import Any

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed
from kombu import Connection
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from casebook.settings import Settings
from casebook.words import Unreachable
from gateway.checks.finding import Finding, ok, red, unreached
from gateway.checks.reach import reach

_SECONDS = 3
_NAMES = {"amqp": "RabbitMQ", "pyamqp": "RabbitMQ", "amqps": "RabbitMQ", "redis": "Redis", "rediss": "Redis"}
_PORTS = {"amqp": 5672, "pyamqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}
_CORRECT_URL = "correct it in broker.url"


def broker(settings: Settings) -> Finding:
    """Look whether the broker can be reached and lets us in; no message is sent and no queue is made."""
    url = settings.broker.url
    kind = url.partition(":")[0].partition("+")[0]
    if kind == "memory":
        return ok("broker", "memory, inside the one process of retinagate up")
    try:
        connection = Connection(
            url,
            connect_timeout=_SECONDS,
            transport_options={
                "read_timeout": _SECONDS,
                "write_timeout": _SECONDS,
                "socket_timeout": _SECONDS,
                "socket_connect_timeout": _SECONDS,
            },
        )
        port = connection.port or _PORTS[kind]
    except (ValueError, LookupError, ImportError):  # the text may quote the URL, and so a password
        return red(
            "broker", "broker.url cannot be read", "write it as amqp://USER:PASSWORD@HOST/VHOST or redis://HOST/0"
        )
    name = f"{_NAMES.get(kind, kind)} at {connection.hostname}:{port}"
    if connection.hostname and (why := reach(connection.hostname, port)) is not None:
        return unreached("broker", name, why)
    try:
        _knock(connection)
        return ok("broker", f"{name}, lets us in")
    except (AccessRefused, AuthenticationError):
        return red("broker", f"{name} refuses the user or the password", _CORRECT_URL)
    except NotAllowed:
        return red("broker", f"{name} has no such virtual host, or not for this user", _CORRECT_URL)
    except ResponseError:
        return red("broker", f"{name} refuses the database number", _CORRECT_URL)
    except TimeoutError:
        return unreached("broker", name, Unreachable.SILENT)
    except (OSError, RedisError, AMQPError) as error:
        silent = "timeout" in type(error).__name__.lower()
        return unreached("broker", name, Unreachable.SILENT if silent else Unreachable.BROKEN_OFF)
    finally:
        with suppress(Exception):
            connection.release()


def _knock(connection: Any) -> None:
    """Log in; Redis does that at the first command only."""
    connection.ensure_connection(
        max_retries=1, interval_start=0, interval_step=0, timeout=_SECONDS, reraise_as_library_errors=False
    )
    client = getattr(connection.default_channel, "client", None)
    if client is not None:
        client.ping()
