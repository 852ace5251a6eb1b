"""What the service says about itself: one JSON object a line in the log, and every metric in one list.

Neither ever holds patient data: log lines carry ids of rows and our own sentences, labels come from closed lists or
the settings (ux 3).
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

FIELDS = (
    "event", "station", "case", "photograph", "job", "attempt", "association", "caller", "address", "destination",
    "kind", "part", "status", "duration_ms", "outcome", "count", "error",
)  # fmt: skip


class JsonLines(logging.Formatter):
    """One JSON object a line; of an exception only its class and place, for its text may hold a peer's data."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "station": record.name.split(".", 1)[0],
            "event": record.getMessage(),
        }
        line.update({field: getattr(record, field) for field in FIELDS if hasattr(record, field)})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


class OnlyOurs(logging.Filter):
    """Keeps other libraries' messages out below WARNING, and their texts out altogether: they quote what peers sent."""

    OURS = frozenset({"casebook", "dicom_listener", "inference", "reporting", "dashboard", "gateway", "training"})

    def filter(self, record: logging.LogRecord) -> bool:
        """Let our own lines pass, and of others only that something was wrong."""
        if record.name.split(".", 1)[0] in self.OURS:
            return True
        if record.levelno < logging.WARNING:
            return False
        record.msg, record.args = f"{record.name} reports a problem", None
        record.exc_text = None
        return True


def configure_logging(level: int = logging.INFO) -> None:
    """Write the log to stderr, one JSON object a line."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(JsonLines())
    stream.addFilter(OnlyOurs())
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(level)


def _place(traceback: Any) -> str:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else f"{traceback.tb_frame.f_code.co_name}:{traceback.tb_lineno}"


# Counters and histograms of the process they happen in.
STORE_REQUESTS = Counter("retinagate_store_requests", "C-STORE requests answered", ["caller", "status"])
STORE_SECONDS = Histogram("retinagate_store_seconds", "Time to answer a C-STORE")
STORE_BYTES = Counter("retinagate_store_bytes", "Bytes received by C-STORE", ["caller"])
OBJECTS = Counter("retinagate_objects", "Objects received", ["kind"])
ASSOCIATIONS = Counter("retinagate_associations", "Connections and associations ended or begun", ["caller", "outcome"])
ASSOCIATIONS_OPEN = Gauge("retinagate_associations_open", "Associations open now")
REJECTIONS_LOST = Counter("retinagate_rejections_lost", "Rejected associations that found no place in the audit")
JOB_ATTEMPTS = Counter("retinagate_job_attempts", "Jobs worked on", ["station", "outcome"])
DECODER_RESTARTS = Counter("retinagate_decoder_restarts", "Children replaced", ["why"])
GRADE_SECONDS = Histogram("retinagate_grade_seconds", "Time to answer a photograph", ["runner"])
GRADINGS = Counter("retinagate_gradings", "Frames graded", ["grade"])
GRADABILITY = Counter("retinagate_gradability", "Photographs answered", ["result", "reason"])
DELIVERY_ATTEMPTS = Counter(
    "retinagate_delivery_attempts", "Objects sent or tried", ["destination", "product", "outcome"]
)
SWEEP_REPAIRS = Counter("retinagate_sweep_repairs", "Rows the sweep repaired", ["kind"])
SWEEP_LAST = Gauge("retinagate_sweep_last_timestamp_seconds", "When the sweep last ended")

__all__ = ["REGISTRY", "JsonLines", "OnlyOurs", "configure_logging"]
