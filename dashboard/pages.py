"""Renders pages from templates: every value is escaped, and nothing about a patient stands in a title or an address."""

from importlib.metadata import version
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casebook import words
from dashboard import assets

THEMES: Final = ("light", "dark")  # without the cookie the system decides
_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals |= {"asset": assets.url, "words": words, "version": version("retinagate")}


def render(request: Request, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
    """Return a page.

    Args:
        request: whose theme and actor the page shows.
        template: a file of ``templates``.
        status: HTTP status.
        context: what the template names; ``actor`` is who asks, none where nobody is logged in.
    """
    theme = request.cookies.get("theme")
    everywhere = {
        "actor": getattr(request.state, "actor", None),
        "path": request.url.path,
        "theme": theme if theme in THEMES else "",
    }
    return HTMLResponse(_templates.get_template(template).render(everywhere | context), status_code=status)
