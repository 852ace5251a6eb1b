"""The files pages are made of: vendored ones unchanged, all under addresses that name their content."""

import hashlib
import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from visitor import Visitor

from dashboard import assets

VIEWER = assets.FOLDER / "vendor" / "openseadragon"


def test_security_S22_the_viewer_is_the_one_that_was_released() -> None:
    listed = dict(reversed(line.split()) for line in (VIEWER / "openseadragon.sha256").read_text().splitlines())
    assert listed == {
        name: hashlib.sha256((VIEWER / name).read_bytes()).hexdigest()
        for name in ("openseadragon.min.js", "LICENSE.txt")
    }
    assert listed["openseadragon.min.js"] == "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad"
    assert b"openseadragon 6.1.1" in (VIEWER / "openseadragon.min.js").read_bytes()[:100]


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return Visitor(app).client


def test_security_S12_files_may_be_kept_for_good(client: TestClient) -> None:
    for path in ("site.css", "case.js", "vendor/openseadragon/openseadragon.min.js", "favicon.svg"):
        answer = client.get(assets.url(path))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.content == (assets.FOLDER / path).read_bytes()
    assert client.get(assets.url("case.js")).headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    ["../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "/etc/passwd", "site.css/", "nothing.css", "", "vendor"],
)
def test_H15_nothing_else_is_reached(client: TestClient, path: str) -> None:
    folder = assets.url("site.css").removesuffix("site.css")
    assert client.get(folder + path, follow_redirects=True).status_code == 404
    assert client.get("/static/0000000000000000/site.css").status_code == 404


def test_security_S12_pages_hold_nothing_inline_and_nothing_foreign() -> None:
    templates = list((assets.FOLDER.parent / "templates").glob("*.html"))
    assert len(templates) >= 7
    for file in templates:
        text = file.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|https?://", text), file.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), file.name


def test_security_S14_scripts_write_no_html() -> None:
    for file in assets.FOLDER.glob("*.js"):
        text = file.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage|sessionStorage", text
        )
