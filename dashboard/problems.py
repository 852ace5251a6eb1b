"""Errors as ``application/problem+json`` (RFC 9457): what is wrong and what to do, never what was sent."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from casebook.errors import BadInput, Refused, RetinaGateError, Unavailable

log = logging.getLogger(__name__)

_TITLES = {
    400: "The request cannot be understood",
    401: "A token is needed",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be done here",
    422: "The request cannot be understood",
    500: "Something failed that should not",
    503: "RetinaGate cannot answer now",
}


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: one sentence with the remedy.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def answer(status: int, detail: str) -> JSONResponse:
    """Return the answer for a problem."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(
        {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def install(app: FastAPI) -> None:
    """Make every error of the application such an answer."""

    @app.exception_handler(Problem)
    def _problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.detail)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, _TITLES.get(error.status_code, "Error") + ".")

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer repeats what was sent; ours names only the place.
        places = sorted({".".join(str(part) for part in one["loc"][1:]) for one in error.errors()})
        return answer(422, f"These are missing or wrong: {', '.join(places)}.")

    @app.exception_handler(RetinaGateError)
    def _ours(_: Request, error: RetinaGateError) -> JSONResponse:
        match error:
            case Unavailable():
                status = 503
            case BadInput():
                status = 400
            case Refused():
                status = 403
            case _:
                status = 500
        return answer(status, str(error))

    @app.exception_handler(Exception)
    def _unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("a request failed in a way nobody foresaw", exc_info=error)
        return answer(500, "The log says more; tell whoever runs this service.")
