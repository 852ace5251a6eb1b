"""Every answer carries its headers, errors included; a person gets a page, a program problem+json; nothing is echoed."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient
from visitor import QUICK, Visitor, add_person, add_program

from casebook import words
from casebook.archive import Archive
from casebook.database import Database
from casebook.errors import BadInput, Misconfigured, Refused, Unavailable
from casebook.models import AuditRow, FailedLogin, Role, Session, User
from casebook.settings import Dashboard
from casebook.telemetry import JsonLines, OnlyOurs
from dashboard import edge
from dashboard.access import Permission, needs
from dashboard.app import make_app
from dashboard.edge import SECURITY_HEADERS
from dashboard.problems import Problem

CANARY = "CANARY7F3A"
CSP_PARTS = {
    "default-src 'none'", "script-src 'self'", "img-src 'self' blob:", "font-src 'self'", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'", "worker-src 'self'",
}  # fmt: skip


class Numbers(BaseModel):
    """Something a program might send."""

    number: float


class _Unforeseen(Exception):
    pass


FAULTS: dict[str, Exception] = {
    "unforeseen": _Unforeseen(f"{CANARY} in a text of ours"),
    "bad-input": BadInput("The picture cannot be read.", "Send another."),
    "unavailable": Unavailable("The database cannot be reached.", "Check that it runs."),
    "refused": Refused("That is not for you.", "Ask somebody else."),
    "misconfigured": Misconfigured("The setting is wrong.", "Mend it."),
    "problem": Problem(404, "There is no such thing."),
    "often": Problem(429, "That was too often.", retry_after=7),
}


@pytest.fixture
def app(database: Database, archive: Archive, clock: Any) -> FastAPI:
    app = make_app(Dashboard(allowed_hosts=("testserver",)), database, archive, clock, passwords=QUICK)
    router = APIRouter()

    @router.get("/api/v1/fault/{kind}", dependencies=[needs(Permission.PUBLIC)])
    @router.get("/fault/{kind}", dependencies=[needs(Permission.PUBLIC)])
    def fail(kind: str) -> None:
        raise FAULTS[kind]

    @router.post("/api/v1/numbers", dependencies=[needs(Permission.PUBLIC)])
    def read_numbers(numbers: Annotated[Numbers, Body()]) -> float:
        return numbers.number

    @router.get("/sign", dependencies=[needs(Permission.ACT)])
    def sign() -> str:
        return "signed"

    app.router.routes.extend(router.routes)
    return app


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Log as the service does, and give what was logged."""
    lines = io.StringIO()
    stream = logging.StreamHandler(lines)
    stream.setFormatter(JsonLines())
    stream.addFilter(OnlyOurs())
    monkeypatch.setattr(logging.getLogger(), "handlers", [stream])
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    yield lines.getvalue
    logging.getLogger().setLevel(level)


ANSWERS = {
    "page": ("GET", "/login", 200),
    "text": ("GET", "/healthz", 200),
    "not ready": ("GET", "/readyz", 503),
    "redirect": ("GET", "/password", 303),
    "no session": ("GET", "/api/v1/cases", 401),
    "no form token": ("POST", "/login", 403),
    "no such page": ("GET", "/nothing", 404),
    "no such address of the API": ("GET", "/api/nothing", 404),
    "no such static file": ("GET", "/static/1/x", 404),
    "wrong method": ("DELETE", "/login", 405),
    "too much": ("BREW", "/login", 431),
    "fault": ("GET", "/fault/unforeseen", 500),
    "unavailable": ("GET", "/fault/unavailable", 503),
}


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_security_S12_headers_on_every_answer(
    database: Database, archive: Archive, clock: Any, app: FastAPI, behind_proxy: bool
) -> None:
    if behind_proxy:
        faults = [route for route in app.routes if "fault" in getattr(route, "path", "")]
        settings = Dashboard(allowed_hosts=("testserver",), behind_proxy=True)
        app = make_app(settings, database, archive, clock, passwords=QUICK)
        app.router.routes.extend(faults)
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    for name, (method, path, status) in ANSWERS.items():
        for accept in ("text/html", "application/json"):
            headers = {"Accept": accept} | ({"Cookie": "x" * 70_000} if name == "too much" else {})
            answer = client.request(method, path, headers=headers)
            expected = 401 if (name, accept) == ("redirect", "application/json") else status
            assert answer.status_code == expected, name
            for header, value in SECURITY_HEADERS.items():
                assert answer.headers[header] == value, (name, header)
            assert answer.headers.get("strict-transport-security") == ("max-age=31536000" if behind_proxy else None), (
                name
            )
            assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(answer.headers), name
    foreign = client.get("/healthz", headers={"Host": "evil"})
    assert (foreign.status_code, foreign.headers["x-content-type-options"]) == (400, "nosniff")


def test_security_S12_nothing_inline_nothing_foreign() -> None:
    parts = {part.strip() for part in SECURITY_HEADERS["Content-Security-Policy"].split(";")}
    assert parts >= CSP_PARTS
    assert len(parts - CSP_PARTS) == 1  # the styles, which may name one hash
    assert not any(word in SECURITY_HEADERS["Content-Security-Policy"] for word in ("unsafe", "http", "*", "data:"))


def test_security_S12_a_static_file_is_kept_for_good_and_its_absence_is_not(app: FastAPI) -> None:
    from dashboard import assets

    client = TestClient(app)
    kept = client.get(assets.url("site.css"))
    assert (kept.status_code, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert kept.headers["content-security-policy"].startswith("default-src 'none'")
    assert client.get("/static/0/site.css").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "//etc/passwd", "/static//etc/passwd",
     "/static/{version}/../pages.py", "/static/{version}/..%2fpages.py", "/static/{version}/%2e%2e/pages.py",
     "/static/{version}/%00", "/static/{version}/"],
)  # fmt: skip
def test_H15_what_is_not_in_the_table_of_files_does_not_exist(app: FastAPI, path: str) -> None:
    from dashboard import assets

    version = assets.url("site.css").split("/")[2]
    answer = TestClient(app).get("http://testserver" + path.replace("{version}", version))
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("unforeseen", 500, "The log says more"), ("bad-input", 400, "Send another."),
        ("unavailable", 503, "Check that it runs."), ("refused", 403, "Ask somebody else."),
        ("misconfigured", 500, "Mend it."), ("problem", 404, "There is no such thing."), ("often", 429, "too often"),
    ],
)  # fmt: skip
def test_an_error_is_a_page_for_a_person_and_problem_json_for_a_program(
    app: FastAPI, log: Callable[[], str], kind: str, status: int, said: str
) -> None:
    visitor = Visitor(app)
    page = visitor.get(f"/fault/{kind}")
    assert (page.status_code, said in page.text) == (status, True)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    number = page.text.split("<code>")[1].split("</code>")[0]
    assert number in log()
    machine = visitor.get(f"/api/v1/fault/{kind}")
    assert machine.headers["content-type"] == "application/problem+json"
    assert machine.json()["status"] == machine.status_code == status
    assert said in machine.json()["detail"]
    waits = {429: "7", 503: "10"}.get(status)
    assert (page.headers.get("retry-after"), machine.headers.get("retry-after")) == (waits, waits)


def test_a_script_on_a_page_gets_no_page_but_a_status(app: FastAPI) -> None:
    client = TestClient(app, follow_redirects=False)
    assert client.get("/password", headers={"Accept": "text/event-stream"}).status_code == 401
    assert client.get("/password", headers={"Accept": "application/json"}).status_code == 401
    assert client.get("/password").status_code == 303
    assert client.get("/nothing").headers["content-type"] == "application/problem+json"
    assert "text/html" in client.get("/nothing", headers={"Accept": "text/html,*/*"}).headers["content-type"]


def test_a_viewer_who_may_not_sign_is_told_who_can(app: FastAPI, signed_in: Callable[[Role], Visitor]) -> None:
    page = signed_in(Role.VIEWER).get("/sign")
    assert (page.status_code, words.LOOK_ONLY in page.text) == (403, True)
    assert "Log out" in page.text  # it is still the viewer's page
    assert "Log out" not in Visitor(app).get("/nothing").text


def test_H18_nothing_that_was_sent_comes_back_or_into_the_log_or_the_rows(
    app: FastAPI, database: Database, clock: Any, log: Callable[[], str]
) -> None:
    add_person(database, clock, "reader")
    token = add_program(database, clock)
    visitor = Visitor(app)
    visitor.sign_in("reader")
    answers = []
    for path in (
        f"/{CANARY}", f"/{CANARY * 500}", f"/api/v1/cases/{CANARY}", f"/api/v1/cases?limit={CANARY}",
        f"/api/v1/cases?{CANARY}={CANARY}", f"/api/v1/cases?before={CANARY}", f"/api/v1/cases/1/reports/{CANARY}.dcm",
        f"/api/v1/cases/1/photographs/{CANARY}/heatmap.png", f"/static/{CANARY}/{CANARY}", f"/password/{CANARY}",
        "/fault/unforeseen", "/api/v1/fault/unforeseen", f"/login?next=//{CANARY}",
    ):  # fmt: skip
        for accept in ("text/html", "*/*"):
            answers.append(visitor.get(path, Accept=accept, Cookie=f"x={CANARY}", Referer=f"http://x/{CANARY}"))
            answers.append(visitor.client.get(path, headers=token | {"Accept": accept, "User-Agent": CANARY}))
    contents = [
        json.dumps({"number": CANARY}), json.dumps({CANARY: 1}), f'{{"number": {CANARY}', CANARY, f'["{CANARY}"]',
    ]  # fmt: skip
    json_headers = {"Content-Type": "application/json"}
    answers += [visitor.client.post("/api/v1/numbers", content=content, headers=json_headers) for content in contents]
    answers += [
        visitor.client.get("/api/v1/cases", headers={"Authorization": f"Bearer {CANARY}"}),
        visitor.client.get("/api/v1/cases", headers={"Host": CANARY}),
        visitor.client.post("/logout", data={"csrf": CANARY}, headers={"Origin": f"https://{CANARY}"}),
        visitor.client.post("/login", data={"csrf": CANARY}, headers={"Origin": f"https://{CANARY}"}),
        visitor.post("/login", name="x" * 65 + CANARY, password=CANARY),
        visitor.post("/login", name="reader", password=CANARY),
        visitor.post("/password", current=CANARY, password=CANARY * 2, again=CANARY),
        visitor.post("/password", current=CANARY, password=CANARY * 2, again=CANARY * 2),
        visitor.client.request(CANARY, "/login"),
    ]
    for answer in answers:
        assert CANARY not in answer.text + str(answer.headers), answer.request.url
    assert CANARY not in log()
    with database.reading() as t:
        for table in (AuditRow, FailedLogin, Session, User):
            for row in t.query(table):
                assert CANARY.lower() not in str(vars(row)).lower()


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        (b'{"number": 1.5}', {200}),
        (b"[" * 100_000 + b"]" * 100_000, {400, 422}),
        (b'{"number":' * 100_000 + b"1" + b"}" * 100_000, {400, 422, 413}),
        (b'{"number": ' + b"9" * 10_000 + b"}", {400, 422}),
        (b'{"number": 1e999999}', {200, 400, 422}),
        (b'{"number": "\xff\xfe"}', {400, 422}),
        (b"\x00", {400, 422}),
        (b'{"number": 1}' + b" " * edge.LARGEST_BODY, {413}),
    ],
)
def test_H16_strange_json_is_answered_with_4xx(app: FastAPI, content: bytes, statuses: set[int]) -> None:
    client = TestClient(app)
    answer = client.post("/api/v1/numbers", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in statuses
    assert len(answer.content) < 1000
    assert client.get("/healthz").status_code == 200


def test_H16_5000_fields_in_a_form_are_refused(app: FastAPI) -> None:
    fields = "&".join(f"field{number}=x" for number in range(5000))
    answer = TestClient(app).post(
        "/login", content=fields, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("announced", [True, False])
def test_H16_a_body_is_counted_while_it_comes(app: FastAPI, announced: bool) -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while taken < 200:
            taken += 1
            yield b"a" * 65536

    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if announced:
        headers["Content-Length"] = str(200 * 65536)
    answer = TestClient(app).post("/api/v1/numbers", content=endless(), headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_security_S16_only_64_are_answered_at_once(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    assert edge.MOST_AT_ONCE == 64
    monkeypatch.setattr(edge, "MOST_AT_ONCE", 2)
    inside, leave = threading.Semaphore(0), threading.Event()
    router = APIRouter()

    @router.get("/slow", dependencies=[needs(Permission.PUBLIC)])
    def slow() -> str:
        inside.release()
        leave.wait(30)
        return "done"

    app.router.routes.extend(router.routes)
    statuses = []
    with TestClient(app) as client:
        threads = [threading.Thread(target=lambda: statuses.append(client.get("/slow").status_code)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert inside.acquire(timeout=30)
        assert inside.acquire(timeout=30)
        refused = client.get("/healthz")
        leave.set()
        for thread in threads:
            thread.join()
        assert (refused.status_code, refused.headers["retry-after"], statuses) == (503, "5", [200, 200])
        assert client.get("/healthz").status_code == 200


def test_F22_without_its_database_a_page_says_so_to_a_person(app: FastAPI, database: Database) -> None:
    visitor = Visitor(app)
    visitor.cookies.set("retinagate", "whatever")
    database.engine.dispose()
    file = Path(database.url.removeprefix("sqlite:///"))
    file.rename(f"{file}.away")
    file.mkdir()
    page = visitor.get("/password")
    assert (page.status_code, page.headers["retry-after"], "database" in page.text) == (503, "10", True)
