"""Pictures over HTTP: our own renditions, found through their case, kept no longer than they are true (H3, S12)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from clinic import Clinic, Eye, L, Patient, R
from visitor import Visitor, add_program

from casebook.archive import Archive
from casebook.database import Database
from casebook.models import Role


@pytest.fixture
def visitor(database: Database, archive: Archive, clock: Any, signed_in: Callable[[Role], Visitor]) -> Visitor:
    """Two cases of two eyes each; the larger pictures have a preview of their own."""
    clinic = Clinic(database, archive, clock)
    clinic.admit(Patient("Doe^Jane", "1", (Eye(R, 2, size=1800), Eye(L, 0, size=512))))
    clinic.admit(Patient("Roe^Richard", "2", (Eye(R, 0, size=512),)))
    return signed_in(Role.VIEWER)


def test_both_pictures_of_a_photograph_are_served(visitor: Visitor, database: Database, clock: Any) -> None:
    full = visitor.get("/api/v1/cases/1/photographs/1/full.jpg")
    preview = visitor.get("/api/v1/cases/1/photographs/1/preview.jpg?frame=1")
    for answer in (full, preview):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.content[:2] == b"\xff\xd8"
        again = visitor.get(answer.url.path, **{"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert len(preview.content) < len(full.content)
    assert visitor.client.get("/api/v1/cases/1/photographs/1/full.jpg", headers=add_program(database, clock)).is_success


@pytest.mark.parametrize(
    "path",
    [
        "2/photographs/1/full.jpg", "1/photographs/3/preview.jpg", "1/photographs/1/full.jpg?frame=2", "0/photographs/1/full.jpg",
        "1/photographs/0/full.jpg", "1/photographs/9223372036854775808/full.jpg", "1/photographs/1e9/full.jpg",
        "1/photographs/%00/full.jpg", "1/photographs/../1/original.jpg", "1/photographs/1/original.jpg",
        "2/photographs/1/heatmap.png", "99/photographs/1/full.jpg",
    ],
)  # fmt: skip
def test_H3_a_picture_of_another_case_is_not_there(visitor: Visitor, path: str) -> None:
    answer = visitor.get(f"/api/v1/cases/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_names_pictures_that_are_there_and_no_heat_map_of_a_healthy_eye(visitor: Visitor) -> None:
    html = visitor.get("/cases/1").text
    named = {name: re.findall(rf'data-{name}="([^"]*)"', html) for name in ("preview", "full", "heat")}
    assert len(named["preview"]) == len(named["full"]) == 2
    for path in (*named["preview"], *named["full"], named["heat"][0]):
        assert visitor.get(path).status_code == 200, path
    assert named["heat"][1] == ""
    assert re.findall(r'data-width="(\d+)"', html) == ["1800", "512"]
    assert re.findall(r'data-preview-width="(\d+)"', html) == ["1600", "512"]
