"""A case: right person, both eyes, what to do and why, where the network looked, and what became of the results."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.status import HTTP_303_SEE_OTHER

from casebook import audit, deliveries, pictures, visits, words, worklist
from casebook.clock import Clock
from casebook.database import Database
from casebook.models import Case
from casebook.summary import summarise
from casebook.worklist import CaseView, Tab
from dashboard import chips, model_card, panels, results
from dashboard.access import Actor, Permission, needs
from dashboard.chips import Chip
from dashboard.names import Name, person_name, visible
from dashboard.pages import render
from dashboard.times import Calendar, age, day, dicom_date, dicom_time
from dashboard.viewing import look_at

router = APIRouter(include_in_schema=False)
Viewer = Annotated[Actor, needs(Permission.VIEW)]
Grader = Annotated[Actor, needs(Permission.ACT)]

_CAMERA = (
    ("Camera", ("00080070", "00081090")), ("Station", ("00081010",)), ("Institution", ("00080080",)),
)  # fmt: skip
_DESCRIPTION = "00081030"


@dataclass(frozen=True, slots=True)
class Banner:
    """Who it is and when: what must never scroll away (ux U5)."""

    name: Name
    born: str
    id: str
    issuer: str
    photographed: str
    accession: str
    camera_ahead: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """Another visit of the same patient."""

    id: int
    day: str
    chips: list[Chip]


@router.get("/cases/{case_id}", response_class=HTMLResponse)
def show_case(
    request: Request,
    actor: Viewer,
    case_id: int,
    tab: Tab = Tab.ATTENTION,
    resent: Annotated[int | None, Query(ge=0, le=10_000)] = None,
) -> HTMLResponse:
    """Return a case as a page; ``tab`` is the list it was opened from."""
    view = look_at(request, actor, case_id)
    database: Database = request.app.state.database
    calendar = Calendar(request.app.state.zone, request.app.state.clock.now())
    summary = summarise(view, calendar.time)
    with database.reading() as t:
        renditions = pictures.renditions(t, [photograph.id for photograph in view.photographs])
        known = visits.of_patient(t, view.case)
        before, after = worklist.neighbours(t, tab, case_id)
    sent = results.of_case(view, calendar)
    return render(
        request, "case.html", view=view, summary=summary, banner=_banner(view.case, calendar), calendar=calendar,
        panels=panels.of_case(view, summary, renditions), results=sent, origin=_origin(view),
        models=model_card.introduce([one for several in view.gradings.values() for one in several]),
        visits=[_visit(visit, calendar) for visit in known.earlier], other_person=known.others,
        tab=tab, before=before, after=after, may_act=actor.may(Permission.ACT),
        resent=words.resent_sentence(resent) if resent is not None else "",
        can_resend=bool(view.undelivered),
    )  # fmt: skip


@router.post("/cases/{case_id}/resend")
def resend(request: Request, actor: Grader, case_id: int, tab: Tab = Tab.ATTENTION) -> RedirectResponse:
    """Try at once what has not arrived of a case."""
    look_at(request, actor, case_id)
    database: Database = request.app.state.database
    clock: Clock = request.app.state.clock
    with database.transaction() as t:
        number = deliveries.resend(t, case_id, request.app.state.destinations, clock.now())
        audit.append(
            t, clock.now(), actor=actor.name, action="case.resend", case_id=case_id, address=actor.address,
            detail=f"{number} deliveries",
        )  # fmt: skip
    return RedirectResponse(f"/cases/{case_id}?tab={tab}&resent={number}", HTTP_303_SEE_OTHER)


def _banner(case: Case, calendar: Calendar) -> Banner:
    born, taken = dicom_date(visits.birth_date(case)), dicom_date(case.study_date)
    years = age(born, taken)
    return Banner(
        name=person_name(case.patient_name),
        born=f"{day(born)}{f' ({years})' if years is not None else ''}" if born else "",
        id=visible(case.patient_id),
        issuer=visible(case.patient_issuer),
        photographed=f"{day(taken)} {dicom_time(case.study_time)}".rstrip() if taken else "",
        accession=visible(case.accession_number),
        camera_ahead=taken is not None and taken > case.first_received_at.astimezone(calendar.zone).date(),
    )


def _visit(view: CaseView, calendar: Calendar) -> Visit:
    taken = dicom_date(view.case.study_date)
    summary = summarise(view, calendar.time)
    return Visit(
        view.case.id,
        day(taken) if taken else words.NOT_KNOWN,
        [chips.of_eye(eye, is_answered=summary.is_answered) for eye in summary.eyes],
    )


def _origin(view: CaseView) -> list[tuple[str, str]]:
    """Return where the photographs come from, each fact once."""
    facts: dict[tuple[str, str], None] = {}
    facts["Study", _text(json.loads(view.case.attributes), _DESCRIPTION)] = None
    for photograph in view.photographs:
        attributes = json.loads(photograph.attributes)
        for label, tags in _CAMERA:
            facts[label, " ".join(filter(None, (_text(attributes, tag) for tag in tags)))] = None
        facts["Sent by", visible(photograph.calling_ae)] = None
    return [(label, value) for label, value in facts if value]


def _text(attributes: dict[str, Any], tag: str) -> str:
    value = attributes.get(tag, {}).get("Value") or [""]
    return visible(str(value[0])) if value[0] is not None else ""
