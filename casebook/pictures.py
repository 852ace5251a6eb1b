"""The pictures of a photograph that a browser may see: our own renditions, never what a peer sent."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from casebook.models import Rendition, RenditionKind


def renditions(t: Session, photograph_ids: Sequence[int]) -> dict[tuple[int, int, RenditionKind], Rendition]:
    """Return the renditions of photographs, by photograph, frame (from 1) and kind, with their files."""
    found = t.scalars(
        select(Rendition).where(Rendition.photograph_id.in_(photograph_ids)).options(selectinload(Rendition.file))
    )
    return {(rendition.photograph_id, rendition.frame, rendition.kind): rendition for rendition in found}
