"""Who reaches what: every route of the application, for everybody there is (security S10, S11, S13, S16)."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from starlette.routing import Route
from starlette.testclient import TestClient
from visitor import PASSWORD, QUICK, Visitor, add_person, add_program

from casebook import people
from casebook.archive import Archive
from casebook.database import Database
from casebook.models import AuditRow, Role, Scope, Session, Token
from casebook.settings import Dashboard
from dashboard import access, rates
from dashboard.access import Actor, Permission, needs
from dashboard.app import make_app

# Who adds a route adds it here, and thinks about who may call it.
TABLE = {
    ("GET", "/healthz"): Permission.PUBLIC,
    ("GET", "/readyz"): Permission.PUBLIC,
    ("GET", "/metrics"): Permission.METRICS,
    ("GET", "/openapi.json"): Permission.PUBLIC,
    ("GET", "/login"): Permission.PUBLIC,
    ("POST", "/login"): Permission.PUBLIC,
    ("POST", "/logout"): Permission.SELF,
    ("GET", "/password"): Permission.SELF,
    ("POST", "/password"): Permission.SELF,
    ("GET", "/"): Permission.VIEW,
    ("GET", "/worklist/rows"): Permission.VIEW,
    ("GET", "/live"): Permission.VIEW,
    ("GET", "/cases/{case_id}"): Permission.VIEW,
    ("POST", "/cases/{case_id}/resend"): Permission.ACT,
    ("GET", "/static/{version}/{path:path}"): Permission.PUBLIC,
    ("GET", "/api/v1/cases"): Permission.VIEW,
    ("GET", "/api/v1/cases/{case_id}"): Permission.VIEW,
    ("GET", "/api/v1/cases/{case_id}/photographs/{photograph_id}/{kind}.jpg"): Permission.VIEW,
    ("GET", "/api/v1/cases/{case_id}/photographs/{photograph_id}/heatmap.png"): Permission.VIEW,
    ("GET", "/api/v1/cases/{case_id}/reports/{sop_instance_uid}.dcm"): Permission.VIEW,
}
PUBLIC_PATHS = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/login", "/static/{version}/{path:path}"}
LETS_IN = {
    Permission.PUBLIC: {"nobody", "viewer", "grader", "senior", "admin", "read", "write"},
    Permission.METRICS: {"nobody", "viewer", "grader", "senior", "admin", "read", "write"},
    Permission.VIEW: {"viewer", "grader", "senior", "admin", "read", "write"},
    Permission.ACT: {"grader", "senior", "admin", "write"},
    Permission.SELF: {"viewer", "grader", "senior", "admin"},
}
EVERYBODY = ["nobody", *Role, *Scope]
PARTS = {
    "{version}": "1", "{path:path}": "x", "{case_id}": "1", "{photograph_id}": "1", "{sop_instance_uid}": "1.2",
    "{kind}": "preview",
}  # fmt: skip


def _add_acting_route(app: FastAPI) -> None:
    router = APIRouter()
    acted: list[str] = []
    app.state.acted = acted

    @router.post("/api/v1/act")
    @router.post("/act")
    def act(actor: Annotated[Actor, needs(Permission.ACT)]) -> str:
        acted.append(actor.name)
        return "done"

    app.router.routes.extend(router.routes)


@pytest.fixture
def acting_app(app: FastAPI) -> FastAPI:
    """The application with a route that changes something, on a page and in the API."""
    _add_acting_route(app)
    app.state.live.close()  # an event stream would go on for ever
    return app


def _routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for route in app.routes:
        assert isinstance(route, APIRoute), route
        for method in route.methods:
            yield method, route.path, route


def _url(path: str) -> str:
    for part, value in PARTS.items():
        path = path.replace(part, value)
    assert "{" not in path, path
    return path


def test_security_S13_every_route_stands_in_the_table_with_what_it_declares(app: FastAPI) -> None:
    declared = {(method, path): access.declared(route) for method, path, route in _routes(app)}
    assert declared == {key: [permission] for key, permission in TABLE.items()}
    assert {path for (_, path), permission in TABLE.items() if permission in ("public", "metrics")} == PUBLIC_PATHS


@pytest.mark.parametrize("kind", ["undeclared", "twice", "not ours"])
def test_security_S13_a_route_that_declares_nothing_stops_the_start(
    database: Database, archive: Archive, clock: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    router = APIRouter()
    if kind == "not ours":
        router.routes.append(Route("/x", PlainTextResponse("x")))
    else:
        gates = [needs(Permission.VIEW), needs(Permission.PUBLIC)] if kind == "twice" else []
        router.get("/x", dependencies=gates)(lambda: "x")
    monkeypatch.setattr("dashboard.app.ROUTERS", (router,))
    with pytest.raises(RuntimeError, match="/x does not declare"):
        make_app(Dashboard(), database, archive, clock)


def test_H1_nothing_but_the_public_routes_answers_whoever_comes_along(app: FastAPI) -> None:
    for method, path, _ in _routes(app):
        if path in PUBLIC_PATHS:
            continue
        visitor = Visitor(app)
        answer = visitor.client.request(method, _url(path))
        if path.startswith("/api/"):
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login"), path


@pytest.mark.parametrize("who", EVERYBODY)
def test_H2_every_route_for_every_role_and_scope(
    acting_app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor], who: str
) -> None:
    table = TABLE | {("POST", "/api/v1/act"): Permission.ACT, ("POST", "/act"): Permission.ACT}
    headers = add_program(database, clock, Scope(who)) if who in set(Scope) else {}
    visitor = signed_in(Role(who)) if who in set(Role) else Visitor(acting_app)
    # Logging out comes last.
    for (method, path), permission in sorted(table.items(), key=lambda entry: entry[0][1] == "/logout"):
        answer = visitor.client.request(
            method, _url(path), data={"csrf": visitor.csrf} if method == "POST" else None,
            headers=headers | {"Origin": visitor.origin, "Accept": "application/json"},
        )  # fmt: skip
        got_in = answer.status_code not in {401, 403}
        if (method, path) == ("POST", "/login"):
            got_in = True  # it has a token of its own; see test_login.py
        assert got_in == (who in LETS_IN[permission]), (method, path, answer.status_code, answer.text[-300:])
        if not got_in:
            assert answer.status_code == (401 if who == "nobody" else 403), (method, path)


def test_S1_off_loopback_the_metrics_are_for_who_may_read(database: Database, archive: Archive, clock: Any) -> None:
    settings = Dashboard(host="0.0.0.0", behind_proxy=True, allowed_hosts=("testserver",))
    app = make_app(settings, database, archive, clock, passwords=QUICK)
    assert TestClient(app).get("/metrics").status_code == 401
    assert TestClient(app).get("/metrics", headers=add_program(database, clock)).status_code == 200


def test_security_S11_what_changes_something_needs_the_token_and_our_own_origin(
    acting_app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    visitor = signed_in(Role.GRADER)
    add_person(database, clock, "somebody else", Role.ADMIN)
    other = Visitor(acting_app)
    other.sign_in("somebody else")
    own = {"Origin": visitor.origin}
    token = {"csrf": visitor.csrf}
    refused: list[dict[str, Any]] = [
        {"headers": own},
        {"headers": own, "data": {"csrf": ""}},
        {"headers": own, "data": {"csrf": other.csrf}},
        {"headers": own, "data": {"csrf": "\N{SNOWMAN}"}},
        {"headers": own | {"X-CSRF-Token": other.csrf}, "data": token},
        {"headers": {"Origin": "https://evil"}, "data": token},
        {"headers": {"Origin": "null"}, "data": token},
        {"headers": {"Origin": "https://testserver"}, "data": token},
        {"headers": {"Origin": f"{visitor.origin}.evil"}, "data": token},
        {"headers": {"Origin": ""}, "data": token},
        {"headers": {}, "data": token},
        {"headers": {"Sec-Fetch-Site": "same-site"}, "data": token},
        {"headers": {"Sec-Fetch-Site": "cross-site"}, "data": token},
        {"headers": {"Origin": "https://evil", "Sec-Fetch-Site": "same-origin"}, "data": token},
        {"headers": own | {"Content-Type": "text/plain"}, "content": f"csrf={visitor.csrf}"},
        {"headers": own | {"Content-Type": "application/json"}, "content": f'{{"csrf":"{visitor.csrf}"}}'},
        {"headers": own, "files": {"csrf": (None, visitor.csrf)}},
        {"headers": own, "params": token},
        {"headers": own, "data": {"csrf": visitor.cookies["retinagate"]}},
    ]
    for request in refused:
        for path in ("/act", "/api/v1/act", "/logout"):
            assert visitor.client.post(path, **request).status_code == 403, (path, request)
    assert acting_app.state.acted == []
    for request in (
        {"headers": own, "data": token},
        {"headers": own | {"X-CSRF-Token": visitor.csrf}},
        {"headers": {"Sec-Fetch-Site": "same-origin"}, "data": token},
    ):
        assert visitor.client.post("/act", **request).status_code == 200  # type: ignore[arg-type]
    assert acting_app.state.acted == ["grader"] * 3


def test_security_S11_reading_changes_nothing(app: FastAPI, signed_in: Callable[[Role], Visitor]) -> None:
    visitor = signed_in(Role.ADMIN)
    unsafe = {path for method, path, _ in _routes(app) if method not in {"GET", "HEAD"}}
    safe = {path for method, path, _ in _routes(app) if method in {"GET", "HEAD"}}
    for path in unsafe - safe:
        assert visitor.client.get(_url(path)).status_code == 405
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        assert visitor.client.request(method, "/login").status_code == 405


def test_security_S11_a_program_with_a_token_needs_no_form_token_and_its_cookies_are_ignored(
    acting_app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    admin = signed_in(Role.ADMIN)
    reads, writes = add_program(database, clock, Scope.READ), add_program(database, clock, Scope.WRITE)
    assert admin.client.post("/api/v1/act", headers=writes).status_code == 200
    own = {"Origin": admin.origin, "X-CSRF-Token": admin.csrf}
    refused = admin.client.post("/api/v1/act", headers=reads | own)
    assert (refused.status_code, "--scope write" in refused.json()["detail"]) == (403, True)
    for wrong in ("Bearer rg_wrong", "bearer ", "Bearer", reads["Authorization"][:-1]):
        assert admin.client.get("/api/v1/cases", headers={"Authorization": wrong}).status_code == 401, wrong
    assert admin.client.get("/password", headers=writes).status_code == 403
    secret = reads["Authorization"].removeprefix("Bearer ")
    assert TestClient(acting_app).get(f"/api/v1/cases?token={secret}&access_token={secret}").status_code == 401
    assert TestClient(acting_app, cookies={"retinagate": secret}).get("/api/v1/cases").status_code == 401


def test_H21_a_token_that_was_revoked_is_refused(app: FastAPI, database: Database, clock: Any) -> None:
    headers = add_program(database, clock)
    client = TestClient(app)
    assert client.get("/api/v1/cases", headers=headers).status_code == 200
    with database.transaction() as t:
        t.delete(t.query(Token).one())
    assert client.get("/api/v1/cases", headers=headers).status_code == 401


def test_H21_a_token_that_is_revoked_in_this_moment_is_no_fault(
    app: FastAPI, database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = add_program(database, clock)

    def revoke(token: Token, now: Any) -> bool:
        with database.transaction() as t:
            t.delete(t.get_one(Token, token.secret_sha256))
        return True

    monkeypatch.setattr(people, "is_stale", revoke)
    client = TestClient(app, raise_server_exceptions=False)
    assert [client.get("/api/v1/cases", headers=headers).status_code for _ in range(2)] == [200, 401]


def test_security_S16_a_token_may_ask_600_times_a_minute(
    app: FastAPI, database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rates.PER_MINUTE == 600
    monkeypatch.setattr(rates, "PER_MINUTE", 5)
    reads, writes = add_program(database, clock, Scope.READ), add_program(database, clock, Scope.WRITE)
    client = TestClient(app)
    assert [client.get("/api/v1/cases", headers=reads).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    clock.move(20)
    late = client.get("/api/v1/cases", headers=reads)
    assert (late.status_code, late.headers["retry-after"]) == (429, "40")
    assert client.get("/api/v1/cases", headers=writes).status_code == 200
    clock.move(40)
    assert client.get("/api/v1/cases", headers=reads).status_code == 200


def test_security_S1_with_a_one_time_password_nothing_but_the_new_one_can_be_reached(
    acting_app: FastAPI, database: Database, clock: Any
) -> None:
    add_person(database, clock, "admin", Role.ADMIN, must_change=True)
    visitor = Visitor(acting_app)
    assert visitor.sign_in("admin", next="/api/v1/cases").headers["location"] == "/password"
    for method, path, _ in _routes(acting_app):
        if path in PUBLIC_PATHS | {"/password", "/logout"}:
            continue
        answer = visitor.client.request(
            method, _url(path), headers={"Origin": visitor.origin, "X-CSRF-Token": visitor.csrf}
        )
        if path.startswith("/api/"):
            assert (answer.status_code, "/password" in answer.json()["detail"]) == (403, True), path
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, "/password"), path
    assert acting_app.state.acted == []
    changed = visitor.post(
        "/password", current=PASSWORD, password="another horse entirely", again="another horse entirely"
    )
    assert (changed.status_code, changed.headers["location"]) == (303, "/")
    assert visitor.get("/api/v1/cases").status_code == 200


def test_security_S10_a_session_is_written_down_at_most_once_a_minute(
    database: Database, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    visitor = signed_in(Role.VIEWER)
    began = clock.now()

    def seen() -> Any:
        assert visitor.get("/api/v1/cases").status_code == 200
        with database.reading() as t:
            return t.query(Session).one().seen_at

    clock.move(59)
    assert seen() == began
    clock.move(1)
    assert seen() == clock.now()


def test_security_S10_a_page_that_keeps_itself_up_to_date_keeps_nobody_signed_in(
    clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    visitor = signed_in(Role.VIEWER)
    for _ in range(29):
        clock.move(60)
        for by_itself in ({"X-Unattended": "1"}, {"Accept": "text/event-stream"}):
            assert visitor.get("/api/v1/cases", **by_itself).status_code == 200
    clock.move(60)
    assert visitor.get("/api/v1/cases").status_code == 401


@pytest.mark.parametrize("change", ["logout", "password", "role", "disabled", "idle", "token"])
def test_H6_an_open_page_learns_that_its_session_ended(
    app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor], change: str
) -> None:
    asked: list[tuple[Request, Actor]] = []
    router = APIRouter()

    @router.get("/page")
    def page(request: Request, actor: Annotated[Actor, needs(Permission.VIEW)]) -> str:
        asked.append((request, actor))
        return "an event"

    app.router.routes.extend(router.routes)
    visitor = signed_in(Role.GRADER)
    headers = add_program(database, clock) if change == "token" else {}
    assert visitor.get("/page", **headers).status_code == 200
    assert access.still_welcome(*asked[0])
    cookie = visitor.cookies["retinagate"]
    with database.transaction() as t:
        match change:
            case "password":
                people.set_password(t, "grader", "another horse entirely", passwords=QUICK)
            case "role":
                people.set_role(t, "grader", Role.VIEWER)
            case "disabled":
                people.disable(t, "grader", clock.now())
            case "token":
                t.delete(t.query(Token).one())
    if change == "logout":
        visitor.post("/logout")
    if change == "idle":
        for _ in range(60):  # looking on is no use of the session
            clock.move(30)
            still = access.still_welcome(*asked[0])
        assert not still
    assert not access.still_welcome(*asked[0])
    visitor.cookies.set("retinagate", cookie)
    assert visitor.client.get("/live", headers=headers | {"Accept": "text/event-stream"}).status_code == 401


def test_security_S17_looking_at_a_case_is_written_once_for_five_minutes(
    app: FastAPI, database: Database, archive: Archive, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    from arrivals import RIGHT

    from casebook.arrival import arrive

    with database.transaction() as t:
        arrive(t, RIGHT, archive.store(b"original", ".dcm"), clock.now())
    visitor, program = signed_in(Role.VIEWER), add_program(database, clock)

    def looks() -> list[tuple[str, int | None, str, str]]:
        with database.reading() as t:
            return [
                (row.actor, row.case_id, row.address, row.detail)
                for row in t.query(AuditRow).filter_by(action="case.view").order_by(AuditRow.seq)
            ]

    assert visitor.get("/api/v1/cases/99").status_code == 404
    assert looks() == []
    for _ in range(3):
        assert visitor.get("/api/v1/cases/1").status_code == 200
        visitor.get("/api/v1/cases/1/photographs/1/heatmap.png")
    assert looks() == [("viewer", 1, "10.0.0.9", "")]
    visitor.client.get("/api/v1/cases/1", headers=program)
    assert looks()[1:] == [("program that may read", 1, "10.0.0.9", "by token")]
    clock.move(300)
    visitor.get("/api/v1/cases/1")
    assert len(looks()) == 3


@pytest.mark.parametrize(
    ("address", "written"), [("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"), ("fd00::1", "fd00::1")]
)
def test_H14_the_audit_shows_the_true_address(
    app: FastAPI, database: Database, clock: Any, address: str, written: str
) -> None:
    add_person(database, clock, "reader")
    visitor = Visitor(app, address=address)
    visitor.client.headers["X-Forwarded-For"] = "192.168.0.1"
    visitor.sign_in("reader")
    with database.reading() as t:
        assert t.query(AuditRow).filter_by(action="login").one().address == written
