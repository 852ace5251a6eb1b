"""The shapes in which the service runs: one process by itself, or three beside PostgreSQL and a broker.

The three are started with what ``docker/compose.yaml`` gives them; only hosts, ports and paths are this machine's.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import compose
from private_orthanc import Orthanc
from sqlalchemy import make_url

HERE = "127.0.0.1"
CALLER = json.loads(compose.example()["ALLOWED_CALLERS"])[0]["ae_title"]


@dataclass(frozen=True)
class Shape:
    """Which commands run, and with which settings: environment variables without their prefix."""

    commands: tuple[str, ...] = ("up",)
    settings: dict[str, object] = field(default_factory=dict)


def processes(database_url: str, broker_url: str, *more: str) -> Shape:
    """Return the three processes, and more of them beside.

    Args:
        database_url: an empty database.
        broker_url: a RabbitMQ or Redis.
        more: such as ``work-2``.
    """
    commands = tuple(compose.command(service) for service in compose.PROCESSES)
    (given,) = {tuple(sorted(compose.environment(service).items())) for service in compose.PROCESSES}
    settings = {name.removeprefix("RETINAGATE__"): value for name, value in given if name != "RETINAGATE_HOME"}
    callers = json.loads(settings["LISTENER__ALLOWED_CALLERS"])
    here: dict[str, object] = {
        "DATABASE__URL": database_url,
        "BROKER__URL": broker_url,
        "LISTENER__ALLOWED_CALLERS": [caller | {"host": HERE} for caller in callers],
        "DESTINATIONS": [],
    }
    return Shape(commands + more, settings | here)


def destinations(orthanc: Orthanc) -> list[dict[str, Any]]:
    """Return the destinations of the example, as this machine reaches them."""
    (pacs,) = json.loads(compose.example()["DESTINATIONS"])
    return [pacs | {"host": HERE, "port": orthanc.dicom_port}]


def broker_url(here: str) -> str:
    """Return the broker's URL of the compose file at another host and port.

    Args:
        here: any URL with that host and port.
    """
    given, found = make_url(compose.environment("worker")["RETINAGATE__BROKER__URL"]), make_url(here)
    return given.set(host=found.host, port=found.port).render_as_string(hide_password=False)
