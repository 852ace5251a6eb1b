"""What ``docker/compose.yaml`` says, with the values of ``docker/.env.example`` and secrets of a test's own."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "docker"
FILE, EXAMPLE, PACS = FOLDER / "compose.yaml", FOLDER / ".env.example", FOLDER / "orthanc.json"
SECRETS = {"POSTGRES_PASSWORD": "secretofatest", "RABBITMQ_PASSWORD": "anothersecret"}
PROCESSES = ("listener", "worker", "dashboard")  # the services that are ours and stay up
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def example() -> dict[str, str]:
    """Return the variables of the example, as the engine reads them."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def services(variables: dict[str, str]) -> dict[str, Any]:
    """Return the services, variables put in.

    Raises:
        KeyError: one that must be set is empty.
    """
    found: dict[str, Any] = _filled(yaml.safe_load(FILE.read_text())["services"], variables)
    return found


def environment(service: str) -> dict[str, str]:
    """Return what a service of ours is given."""
    given: dict[str, str] = services(example() | SECRETS)[service]["environment"]
    return given


def command(service: str) -> str:
    """Return which of our commands a service runs."""
    (name,) = services(example() | SECRETS)[service]["command"]
    return str(name)


def pacs_settings() -> dict[str, Any]:
    """Return the settings of the PACS to try with, but for its paths and ports."""
    settings = json.loads(PACS.read_text())
    return {name: value for name, value in settings.items() if not name.endswith(("Directory", "Port"))}


def _filled(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: "re.Match[str]", variables: dict[str, str]) -> str:
    name, kind, words = found.groups()
    value = variables.get(name, "")
    if not value and kind == "?":
        raise KeyError(f"{name}: {words}")
    return value or (words if kind == "-" else "")
