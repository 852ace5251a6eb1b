"""Prints settings as TOML, with the passwords in URLs masked."""

import json
import re
from typing import Any

from casebook.settings import Settings

_PASSWORD = re.compile(r"(?<=://)([^:@/]*):[^@/]*@")


def as_toml(settings: Settings) -> str:
    """Return the settings in force as a settings file; what is not set stands as a comment."""
    lines = [f"# home = {_value(str(settings.home))}"]
    for section, content in settings.model_dump(mode="json").items():
        if section == "home":
            continue
        if section == "destinations":
            for destination in content:
                lines += ["", "[[destinations]]", *_keys(destination)]
            continue
        lines += ["", f"[{section}]", *_keys(content)]
    return "\n".join(lines) + "\n"


def _keys(content: dict[str, Any]) -> list[str]:
    return [f"# {key} is not set" if value is None else f"{key} = {_value(value)}" for key, value in content.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return json.dumps(_PASSWORD.sub(r"\1:***@", value), ensure_ascii=False)
