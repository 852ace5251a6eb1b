"""The read API: cases, their pictures, their heat-maps and their reports."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from casebook import cases, pictures, words, worklist
from casebook.archive import Archive
from casebook.database import Database
from casebook.models import File, RenditionKind
from dashboard.access import Actor, Permission, needs
from dashboard.problems import Problem
from dashboard.schemas import CaseOut, CasePage
from dashboard.viewing import LARGEST_ID, look_at

router = APIRouter(prefix="/api/v1")
Reader = Annotated[Actor, needs(Permission.VIEW)]


@router.get("/cases")
def list_cases(
    request: Request,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    study_instance_uid: Annotated[str | None, Query(max_length=64)] = None,
) -> CasePage:
    """Return cases, newest first."""
    database: Database = request.app.state.database
    with database.reading() as t:
        views, cursor = worklist.page(t, limit=limit, before=before, study_instance_uid=study_instance_uid)
        items = [CaseOut.of(view) for view in views]
    return CasePage(items=items, next=f"/api/v1/cases?limit={limit}&before={cursor}" if cursor else None)


@router.get("/cases/{case_id}")
def read_case(request: Request, actor: Reader, case_id: int) -> CaseOut:
    """Return one case."""
    return CaseOut.of(look_at(request, actor, case_id))


@router.get("/cases/{case_id}/photographs/{photograph_id}/{kind}.jpg", response_class=Response)
def read_picture(
    request: Request,
    actor: Reader,
    case_id: int,
    photograph_id: int,
    kind: RenditionKind,
    frame: Annotated[int, Query(ge=1, le=LARGEST_ID)] = 1,
) -> Response:
    """Return our picture of a frame, ``preview`` (1600 pixels at most) or ``full``: JPEG, without a peer's metadata."""
    database: Database = request.app.state.database
    view = look_at(request, actor, case_id)
    ids = [photograph.id for photograph in view.photographs if photograph.id == photograph_id]
    with database.reading() as t:
        rendition = pictures.renditions(t, ids).get((photograph_id, frame, kind))
    if rendition is None:
        raise Problem(404, words.NOT_HERE)
    return _file(request, rendition.file, "image/jpeg")


@router.get("/cases/{case_id}/photographs/{photograph_id}/heatmap.png", response_class=Response)
def read_heatmap(
    request: Request, actor: Reader, case_id: int, photograph_id: int, frame: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Return the heat-map layer of a photograph: PNG, RGBA, strength as alpha; of several frames the worst one's."""
    view = look_at(request, actor, case_id)
    gradings = view.gradings.get(photograph_id, [])
    if frame is not None:
        gradings = [grading for grading in gradings if grading.frame == frame]
    grading = cases.worst(gradings)
    if grading is None or grading.heatmap is None:
        raise Problem(404, "There is no heat-map of this photograph; only graded ones have one.")
    return _file(request, grading.heatmap.layer_file, "image/png")


@router.get("/cases/{case_id}/reports/{sop_instance_uid}.dcm", response_class=Response)
def read_report(request: Request, actor: Reader, case_id: int, sop_instance_uid: str) -> Response:
    """Return an object we made, as it is sent."""
    for report in look_at(request, actor, case_id).reports:
        if report.sop_instance_uid == sop_instance_uid:
            answer = _file(request, report.file, "application/dicom")
            name = f"retinagate-case-{case_id}-{report.product}-{report.id}.dcm"
            answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return answer
    raise Problem(404, "There is no such report in this case.")


def _file(request: Request, file: File, media_type: str) -> Response:
    archive: Archive = request.app.state.archive
    etag = f'"{file.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    try:
        data = archive.read(file.path)
    except OSError:
        raise Problem(503, "The file cannot be read now. Run: retinagate fsck") from None
    return Response(data, media_type=media_type, headers=headers)
