"""Loads the settings: defaults, then ``retinagate.toml``, then the environment; and says in one sentence what is wrong.

``RETINAGATE_HOME`` names the home folder, ``RETINAGATE__SECTION__KEY`` one setting; lists are JSON. A sentence names
the key and the remedy and never the value, for a value may be a password.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from casebook.errors import Misconfigured
from casebook.settings import Settings

HOME_VARIABLE = "RETINAGATE_HOME"
PREFIX = "RETINAGATE__"
_AGAIN = "Correct it and start again."
_RULES = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "ip_any_network": "must be an address or a network such as 172.30.0.0/24",
    "tuple_type": "must be a list",
    "model_type": "must be a group of keys",
    "path_type": "must be a path",
    "missing": "is missing",
}


def load(environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Return the settings.

    Args:
        environment: the process's environment.
        config: a settings file to read instead of the one in the home folder.

    Raises:
        Misconfigured: a key, section or variable is unknown or a value is wrong; the sentence names it and the remedy.
    """
    home = Path(environment.get(HOME_VARIABLE) or "retinagate-home")
    file = config or home / "retinagate.toml"
    text = _read(file, required=config is not None)
    values = _parse(text, file)
    _refuse_unknown(values, f"in {file.name}")
    for name, value in sorted(environment.items()):
        if name.startswith("RETINAGATE_") and name != HOME_VARIABLE:
            _put(values, name, value)
    try:
        return Settings.model_validate(values | {"home": home})
    except ValidationError as error:
        raise Misconfigured(_sentence(error, text, file), _AGAIN) from None


def _read(file: Path, *, required: bool) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        if required:
            raise Misconfigured(f"There is no settings file {file}.", "Name one that exists.") from None
        return ""
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{file} cannot be read.", "Make it a readable UTF-8 file.") from None


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line \d+", str(error))
        place = f" ({where.group()})" if where else ""
        raise Misconfigured(f"{file.name} is not valid TOML{place}.", _AGAIN) from None


def _sections() -> dict[str, type[BaseModel] | None]:
    """Return the sections and their models; a list of models has none of its own."""
    models: dict[str, type[BaseModel] | None] = {}
    for name, field in Settings.model_fields.items():
        if name != "home":
            kind = field.annotation
            models[name] = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return models


def _refuse_unknown(values: dict[str, Any], where: str) -> None:
    sections = _sections()
    for section, content in values.items():
        if section not in sections:
            raise Misconfigured(f"There is no section {section} ({where}).{_nearest(section, sections)}", _AGAIN)
        model = sections[section]
        if model is not None and isinstance(content, dict):
            for key in content:
                if key not in model.model_fields:
                    raise Misconfigured(
                        f"There is no key {section}.{key} ({where}).{_nearest(key, model.model_fields)}", _AGAIN
                    )


def _nearest(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def _put(values: dict[str, Any], name: str, value: str) -> None:
    """Lay one environment variable over the values of the file."""
    sections = _sections()
    section, _, key = name.removeprefix(PREFIX).lower().partition("__")
    if not name.startswith(PREFIX) or section not in sections or (sections[section] is not None and not key):
        close = difflib.get_close_matches(section, sections, n=1, cutoff=0.6)
        tip = f" Did you mean {PREFIX}{close[0].upper()}...?" if close else ""
        raise Misconfigured(f"There is no setting for the environment variable {name}.{tip}", "Correct or unset it.")
    model = sections[section]
    parsed = _value(name, value)
    if model is None:
        if key:
            raise Misconfigured(f"{PREFIX}{section.upper()} takes the whole list as JSON.", _AGAIN)
        values[section] = parsed
        return
    if key not in model.model_fields:
        raise Misconfigured(
            f"There is no setting for the environment variable {name}.{_nearest(key, model.model_fields)}",
            "Correct or unset it.",
        )
    values[section] = dict(values.get(section, {})) | {key: parsed}


def _value(name: str, value: str) -> Any:
    if value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Misconfigured(f"The environment variable {name} does not hold valid JSON.", _AGAIN) from None


def _sentence(error: ValidationError, text: str, file: Path) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=True)[0]
    place = [part for part in first["loc"] if part != "[key]"]
    key = ""
    for part in place:
        key += f"[{part}]" if isinstance(part, int) else f"{'.' if key else ''}{part}"
    if first["type"] == "extra_forbidden":
        return f"There is no key {key}."
    return f"{key} {_rule(first)}{_line(text, place, file)}."


def _rule(error: Any) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return "has characters that are not allowed there"
        case "literal_error" | "enum":
            return f"must be one of {context['expected']}"
        case "value_error":
            return f"is wrong: {context['error']}"
        case kind:
            return _RULES.get(kind, "has a value that does not fit")


def _line(text: str, place: list[Any], file: Path) -> str:
    """Say on which line of the file the key stands, if it stands there."""
    names = [part for part in place if isinstance(part, str)]
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?\s*([\w.-]+)", line):
            section = header.group(1)
        elif len(names) > 1 and section == names[0] and re.match(rf"\s*{re.escape(names[-1])}\s*=", line):
            return f" ({file.name} line {number})"
    return ""
