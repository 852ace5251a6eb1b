"""What became of a case's results: made, sent where and when, what failed and what to do (ux U20)."""

from dataclasses import dataclass

from casebook import words
from casebook.models import Delivery, Report
from casebook.words import DeliveryState, Laterality
from casebook.worklist import CaseView
from dashboard.names import visible
from dashboard.times import Calendar


@dataclass(frozen=True, slots=True)
class Sent:
    """One result on its way to one destination."""

    destination: str
    state: DeliveryState
    at: str  # when it got that far
    problem: str  # a sentence with the remedy


@dataclass(frozen=True, slots=True)
class Result:
    """An object we made."""

    name: str
    href: str
    sent: list[Sent]


def of_case(view: CaseView, calendar: Calendar) -> list[Result]:
    """Return the results of the current revision, and of earlier ones what has not arrived."""
    current = [_result(view, report, report.deliveries, calendar) for report in _ordered(view)]
    ids = {report.id for report in view.reports}
    earlier: dict[int, list[Delivery]] = {}
    for delivery in view.undelivered:
        if delivery.report_id not in ids:
            earlier.setdefault(delivery.report_id, []).append(delivery)
    return current + [_result(view, several[0].report, several, calendar) for several in earlier.values()]


def _ordered(view: CaseView) -> list[Report]:
    """Return the report, then the pictures of the right eye, then the others."""
    right = {photograph.id for photograph in view.photographs if photograph.laterality is Laterality.RIGHT}
    return sorted(view.reports, key=lambda one: (one.photograph_id is not None, one.photograph_id not in right, one.id))


def _result(view: CaseView, report: Report, deliveries: list[Delivery], calendar: Calendar) -> Result:
    name = words.PRODUCT_NAMES[report.product]
    if report.photograph_id is not None:
        name = f"{name}, {_which(view, report.photograph_id)}"
    if report.revision_id != view.revision.id:
        name = f"{name} of an earlier revision"
    return Result(
        name=name,
        href=f"/api/v1/cases/{view.case.id}/reports/{report.sop_instance_uid}.dcm",
        sent=[_sent(delivery, calendar) for delivery in deliveries],
    )


def _which(view: CaseView, photograph_id: int) -> str:
    """Say which photograph it is: its eye, and its number where that eye has several."""
    sides = {photograph.id: photograph.laterality for photograph in view.photographs}
    side = sides.get(photograph_id)
    label = words.EYE_LABELS[side]
    of_this_eye = [number for number, eye in sides.items() if eye is side]
    number = f" {of_this_eye.index(photograph_id) + 1}" if len(of_this_eye) > 1 and photograph_id in of_this_eye else ""
    return f"{label[0].lower()}{label[1:]}{number}"


def _sent(delivery: Delivery, calendar: Calendar) -> Sent:
    reached = delivery.confirmed_at if delivery.state is DeliveryState.CONFIRMED else delivery.sent_at
    has_arrived = delivery.state in (DeliveryState.SENT, DeliveryState.CONFIRMED)
    next_try = calendar.time(delivery.next_attempt_at) if delivery.next_attempt_at is not None else None
    tried = delivery.attempts > 0 and not has_arrived
    problem = words.undelivered_sentence(delivery.destination, delivery.last_error, next_try) if tried else ""
    return Sent(
        destination=delivery.destination,
        state=delivery.state,
        at=calendar.time(reached) if has_arrived and reached is not None else "",
        # A peer that stored the object with a warning has something to say, too.
        problem=visible(problem or (delivery.last_error or ""), 600),
    )
