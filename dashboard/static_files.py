"""Serves the files pages are made of; their addresses name their content, so a browser keeps them for good."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from dashboard import assets
from dashboard.access import Permission, needs
from dashboard.problems import Problem

router = APIRouter(include_in_schema=False)
_FOR_GOOD: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/static/{version}/{path:path}", response_class=Response, dependencies=[needs(Permission.PUBLIC)])
def read_file(version: str, path: str) -> Response:
    """Return a file of this version of the pages."""
    asset = assets.find(version, path)
    if asset is None:
        raise Problem(404, "There is no such file. Load the page again: it may be of an older version.")
    return Response(asset.data, media_type=asset.media_type, headers=_FOR_GOOD)
