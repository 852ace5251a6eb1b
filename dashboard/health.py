"""Whether the service lives, and whether it could take a photograph now (R21)."""

import os
import threading
import uuid
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import insert

from casebook import heartbeats
from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database
from casebook.errors import RetinaGateError
from casebook.models import Heartbeat
from dashboard.access import Permission, needs
from dashboard.metrics import Gauges

router = APIRouter()
NEEDED = ("listener", "sweeper", "worker", "model")
_CACHED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a photograph could be taken now, and per part what is missing."""

    ready: bool
    parts: dict[str, str]


class Readiness:
    """Asks every part, at most every two seconds."""

    def __init__(self, database: Database, archive: Archive, clock: Clock) -> None:
        self._database, self._archive, self._clock = database, archive, clock
        self._lock = threading.Lock()
        self._asked: tuple[float, Answer] | None = None

    def answer(self) -> Answer:
        """Return how the service stands."""
        with self._lock:
            if self._asked is None or self._clock.monotonic() - self._asked[0] > _CACHED_SECONDS:
                self._asked = (self._clock.monotonic(), self._ask())
            return self._asked[1]

    def _ask(self) -> Answer:
        parts = {"archive": self._archive_fault()}
        try:
            parts["database"] = self._database_fault()
            with self._database.reading() as t:
                pulses = heartbeats.pulses(t, self._clock.now())
        except RetinaGateError as error:
            parts["database"] = str(error)
            pulses = {}
        for name in NEEDED:
            pulse = pulses.get(name)
            if pulse is None:
                parts[name] = "has not started"
            elif not pulse.fresh:
                parts[name] = "gives no sign of life"
            else:
                parts[name] = "" if pulse.ready else pulse.detail or "is not ready"
        return Answer(not any(parts.values()), {name: fault or "ready" for name, fault in parts.items()})

    def _database_fault(self) -> str:
        now = self._clock.now()
        probe = {"part": f"probe-{uuid.uuid4().hex}", "host": "", "pid": 0, "ready": False, "detail": ""}
        with self._database.transaction() as t:
            t.execute(insert(Heartbeat).values(**probe, beat_at=now, progress_at=now))
            t.rollback()
        return ""

    def _archive_fault(self) -> str:
        probe = self._archive.incoming / f"{uuid.uuid4().hex}.probe"
        try:
            self._archive.check_reserve()
            descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, bytes(4096))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                probe.unlink()
        except RetinaGateError as error:
            return str(error)
        except OSError as error:
            return f"cannot be written ({error.strerror})"
        return ""


@router.get("/healthz", response_class=PlainTextResponse, dependencies=[needs(Permission.PUBLIC)])
def healthz() -> str:
    """Say that this process turns."""
    return "ok"


@router.get("/readyz", dependencies=[needs(Permission.PUBLIC)])
def readyz(request: Request) -> JSONResponse:
    """Say whether a photograph could be taken now: 200, or 503 with what is missing."""
    readiness: Readiness = request.app.state.readiness
    answer = readiness.answer()
    return JSONResponse({"ready": answer.ready, "parts": answer.parts}, status_code=200 if answer.ready else 503)


@router.get("/metrics", response_class=Response, dependencies=[needs(Permission.METRICS)])
def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text form; off loopback only for a token."""
    gauges: Gauges = request.app.state.gauges
    gauges.refresh()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", include_in_schema=False, dependencies=[needs(Permission.PUBLIC)])
def openapi(request: Request) -> JSONResponse:
    """Return the API's description."""
    app: FastAPI = request.app
    return JSONResponse(app.openapi())
