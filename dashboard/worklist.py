"""The list of cases: who cannot wait stands first, and a row says what to do before it says anything else."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from casebook import undelivered, words, worklist
from casebook.clock import Clock
from casebook.database import Database
from casebook.settings import Listener
from casebook.summary import summarise
from casebook.words import DeliveryState
from casebook.worklist import CaseView, Counts, Tab
from dashboard import chips
from dashboard.access import Permission, needs
from dashboard.chips import Chip
from dashboard.names import Name, person_name, visible
from dashboard.pages import render
from dashboard.times import Calendar, Due

router = APIRouter(dependencies=[needs(Permission.VIEW)])
ROWS = 100
TITLES = {Tab.ATTENTION: "Needs attention", Tab.UNDELIVERED: "Not delivered", Tab.ALL: "All"}


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one line of the list."""

    id: int
    action: str
    reason: str
    chips: list[Chip]  # right, left, then others
    name: Name
    patient_id: str
    taken: str
    due: Due | None
    delivery: DeliveryState | None
    is_answered: bool
    synthetic: bool


@dataclass(frozen=True, slots=True)
class List:
    """A page of a list."""

    tab: Tab
    counts: Counts
    rows: list[Row]
    next: int | None
    troubles: list[str]
    normal_today: int


After = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get("/", response_class=HTMLResponse)
def show_list(request: Request, tab: Tab = Tab.ATTENTION, after: After = None) -> HTMLResponse:
    """Return the list as a page."""
    return _page(request, "worklist.html", tab, after)


@router.get("/worklist/rows", response_class=HTMLResponse)
def show_rows(request: Request, tab: Tab = Tab.ATTENTION, after: After = None) -> HTMLResponse:
    """Return what of that page may have changed: tabs, notices and rows."""
    return _page(request, "worklist_rows.html", tab, after)


def row_of(view: CaseView, calendar: Calendar) -> Row:
    """Return the line of a case."""
    summary = summarise(view, calendar.time)
    case = view.case
    taken = calendar.taken(case.study_date, case.study_time)
    asks = bool(view.attention) and view.revision.due_at is not None
    return Row(
        id=case.id,
        action=summary.action,
        reason=" ".join(summary.reasons),
        chips=[chips.of_eye(eye, is_answered=summary.is_answered) for eye in summary.eyes],
        name=person_name(case.patient_name),
        patient_id=visible(case.patient_id),
        taken=taken or f"arrived {calendar.time(case.first_received_at)}",
        due=calendar.due(view.revision.due_at) if asks and view.revision.due_at is not None else None,
        delivery=summary.delivery,
        is_answered=summary.is_answered,
        synthetic=case.synthetic,
    )


def _page(request: Request, template: str, tab: Tab, after: int | None) -> HTMLResponse:
    listener: Listener = request.app.state.listener
    calendar = Calendar(request.app.state.zone, request.app.state.clock.now())
    return render(
        request, template, list=_list(request, calendar, tab, after), titles=TITLES, calendar=calendar,
        nothing_arrived=words.nothing_arrived(listener.ae_title, listener.host, listener.port),
    )  # fmt: skip


def _list(request: Request, calendar: Calendar, tab: Tab, after: int | None) -> List:
    database: Database = request.app.state.database
    clock: Clock = request.app.state.clock
    with database.reading() as t:
        views, cursor = worklist.tab_page(t, tab, limit=ROWS, after=after)
        return List(
            tab=tab,
            counts=worklist.counts(t, clock.now()),
            rows=[row_of(view, calendar) for view in views],
            next=cursor,
            troubles=[
                words.lane_sentence(
                    trouble.destination,
                    trouble.results,
                    visible(trouble.reason, 500),
                    calendar.time(trouble.next_attempt_at) if trouble.next_attempt_at else None,
                )
                for trouble in undelivered.troubles(t)
            ],
            normal_today=worklist.normal_since(t, calendar.midnight),
        )
