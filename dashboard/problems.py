"""Errors: a page for people, ``application/problem+json`` (RFC 9457) for programs; never what was sent (H18)."""

import logging
import secrets
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from casebook import words
from casebook.errors import BadInput, Refused, RetinaGateError, Unavailable
from dashboard.pages import render

log = logging.getLogger(__name__)

_TITLES: Final = {
    400: "The request cannot be understood",
    401: "A token is needed",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be done here",
    413: "That was too much at once",
    422: "The request cannot be understood",
    429: "That was too often",
    431: "That was too much at once",
    500: "Something failed that should not",
    503: "RetinaGate cannot answer now",
}
# Programs ask here, whatever they say they accept.
_MACHINES: Final = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/")


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: one sentence with the remedy.
        go_to: a page that helps; a browser is sent there instead.
        retry_after: seconds after which to try again.
    """

    def __init__(self, status: int, detail: str, *, go_to: str = "", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.go_to = go_to
        self.retry_after = retry_after


def answer(request: Request, problem: Problem) -> Response:
    """Return the answer for a problem, in the form that suits who asks."""
    if not _is_person(request):
        return as_json(problem)
    if problem.go_to:
        return RedirectResponse(problem.go_to, 303)
    number = secrets.token_hex(4)
    log.info("a page was refused, number %s", number, extra={"status": problem.status})
    page = render(
        request,
        "problem.html",
        status=problem.status,
        title=_title(problem.status),
        detail=problem.detail,
        number=number,
    )
    page.headers.update(_headers(problem))
    return page


def as_json(problem: Problem) -> Response:
    """Return the answer for a problem that a program reads."""
    return JSONResponse(
        {"type": "about:blank", "title": _title(problem.status), "status": problem.status, "detail": problem.detail},
        status_code=problem.status,
        media_type="application/problem+json",
        headers=_headers(problem),
    )


def install(app: FastAPI) -> None:
    """Make every error of the application such an answer."""

    @app.exception_handler(Problem)
    def _problem(request: Request, error: Problem) -> Response:
        return answer(request, error)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        detail = words.NOT_HERE if error.status_code == 404 else f"{_title(error.status_code)}."
        return answer(request, Problem(error.status_code, detail))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        # FastAPI's own answer repeats what was sent; ours names only the place.
        if all(one["loc"][0] == "path" for one in error.errors()):
            return answer(request, Problem(404, words.NOT_HERE))
        places = sorted({".".join(str(part) for part in one["loc"][1:2]) for one in error.errors()})
        return answer(request, Problem(422, f"These are missing or wrong: {', '.join(places)}."))

    @app.exception_handler(RetinaGateError)
    def _ours(request: Request, error: RetinaGateError) -> Response:
        match error:
            case Unavailable():
                status = 503
            case BadInput():
                status = 400
            case Refused():
                status = 403
            case _:
                status = 500
        return answer(request, Problem(status, str(error), retry_after=10 if status == 503 else 0))


def unforeseen(error: Exception) -> Problem:
    """Return the problem for an exception of ours without a better name, and log it once."""
    log.error("a request failed in a way nobody foresaw", exc_info=error)
    return Problem(500, "The log says more; tell whoever runs this service.")


def _title(status: int) -> str:
    return _TITLES.get(status, "Error")


def _headers(problem: Problem) -> dict[str, str]:
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.retry_after:
        headers["Retry-After"] = str(problem.retry_after)
    return headers


def _is_person(request: Request) -> bool:
    if request.url.path.startswith(_MACHINES):
        return False
    accepted = request.headers.get("accept", "*/*")
    # An address that is no route of ours is a page only for who asks for one.
    return "text/html" in accepted or ("*/*" in accepted and request.scope.get("route") is not None)
