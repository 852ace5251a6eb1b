"""The API: nothing without a token, the names others rely on, errors that say the remedy and never what was sent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arrivals import RIGHT
from starlette.testclient import TestClient

from casebook import cases, heartbeats, jobs, people
from casebook.archive import Archive, register
from casebook.arrival import arrive
from casebook.database import Database
from casebook.errors import Misconfigured
from casebook.models import BundleRow, FileKind, Grading, Heatmap, Photograph, Scope
from casebook.settings import Dashboard
from casebook.words import Gradability, JobKind
from dashboard.app import make_app

LAYER = b"\x89PNG layer"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine is enough here: both are tried where the rows are written."""
    return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"


@pytest.fixture
def client(database: Database, archive: Archive, clock: Any) -> TestClient:
    app = make_app(Dashboard(allowed_hosts=("testserver",)), database, archive, clock)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def token(database: Database, clock: Any) -> dict[str, str]:
    with database.transaction() as t:
        return {"Authorization": f"Bearer {people.add_token(t, 'test', Scope.READ, clock.now())}"}


def _graded_case(database: Database, archive: Archive, clock: Any, study: str = "1.2.3") -> None:
    arrival = replace(RIGHT, study_instance_uid=study, sop_instance_uid=f"{study}.9")
    with database.transaction() as t:
        arrive(t, arrival, archive.store(b"original", ".dcm"), clock.now())
        bundle = t.query(BundleRow).one_or_none() or BundleRow(
            name="rg-test", version="1", sha256="c" * 64, card="{}", first_used_at=clock.now()
        )
        t.add(bundle)
        photograph = t.query(Photograph).filter_by(sop_instance_uid=f"{study}.9").one()
        t.flush()
        grading = Grading(
            photograph_id=photograph.id, frame=1, bundle_id=bundle.id, gradability=Gradability.GRADABLE, certainty=0.9,
            score=3.2, grade=3, confidence=0.8, runner="r", graded_at=clock.now(),
        )  # fmt: skip
        t.add(grading)
        t.flush()
        files = [
            register(t, archive.store(data, ".x"), kind, clock.now()).id
            for data, kind in ((LAYER, FileKind.HEATMAP), (b"o", FileKind.OVERLAY), (b"a", FileKind.ACTIVATION))
        ]
        t.add(
            Heatmap(
                grading_id=grading.id, layer_file_id=files[0], overlay_file_id=files[1], activation_file_id=files[2],
                overlay_width=4, overlay_height=4,
            )
        )  # fmt: skip
        claim = jobs.claim(t, JobKind.GRADE, "w", clock.now())
        assert claim is not None
        jobs.finish(t, claim, clock.now())
        cases.answered(t, photograph, Gradability.GRADABLE, None, clock.now())


@pytest.mark.parametrize(
    "path",
    ["/api/v1/cases", "/api/v1/cases/1", "/api/v1/cases/1/photographs/1/heatmap.png", "/api/v1/cases/1/reports/1.dcm"],
)
def test_H1_nothing_without_a_token(client: TestClient, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer rg_wrong"}, {"Authorization": "Basic x"}):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "retinagate token add" in answer.json()["detail"]


def test_the_public_routes_are_exactly_these(client: TestClient) -> None:
    answers = {path: client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/openapi.json")}
    assert answers == {"/healthz": 200, "/readyz": 503, "/metrics": 200, "/openapi.json": 200}
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_a_case_shows_its_grade(
    client: TestClient, token: dict[str, str], database: Database, archive: Archive, clock: Any
) -> None:
    _graded_case(database, archive, clock)
    case = client.get("/api/v1/cases/1", headers=token).json()
    assert case["study_instance_uid"] == "1.2.3"
    assert case["status"] == "arriving"
    assert case["referable"] is None
    photograph = case["photographs"][0]
    assert {key: photograph[key] for key in ("laterality", "gradability", "reason", "grade", "score", "confidence")} == {
        "laterality": "R", "gradability": "gradable", "reason": None, "grade": 3, "score": 3.2, "confidence": 0.8,
    }  # fmt: skip
    assert photograph["bundle"] == "rg-test 1"
    heatmap = client.get("/api/v1/cases/1/photographs/1/heatmap.png", headers=token)
    assert (heatmap.content, heatmap.headers["content-type"]) == (LAYER, "image/png")
    again = client.get(
        "/api/v1/cases/1/photographs/1/heatmap.png", headers=token | {"If-None-Match": heatmap.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_the_list_visits_each_case_once(
    client: TestClient, token: dict[str, str], database: Database, archive: Archive, clock: Any
) -> None:
    for number in range(5):
        _graded_case(database, archive, clock, study=f"1.2.{number}")
    path: str | None = "/api/v1/cases?limit=2"
    seen = []
    while path:
        page = client.get(path, headers=token).json()
        seen += [case["id"] for case in page["items"]]
        path = page["next"]
    assert seen == [5, 4, 3, 2, 1]
    one = client.get("/api/v1/cases?study_instance_uid=1.2.3", headers=token).json()["items"]
    assert [case["study_instance_uid"] for case in one] == ["1.2.3"]


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "99", str(2**63), str(2**70), "1e9", "1.0", "%00", "%2e%2e", "1%20", "\u0661", "1;2", "x" * 300],
)
def test_H3_what_is_not_there_is_404_in_the_same_words(client: TestClient, token: dict[str, str], number: str) -> None:
    bodies = set()
    for path in (
        f"/api/v1/cases/{number}", "/api/v1/cases/7", f"/api/v1/cases/{number}/photographs/1/heatmap.png",
        f"/api/v1/cases/7/photographs/{number}/heatmap.png", f"/api/v1/cases/{number}/reports/1.2.dcm",
    ):  # fmt: skip
        answer = client.get(path, headers=token)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        bodies.add(answer.text)
    assert len(bodies) == 1


def test_H3_what_belongs_to_another_case_is_not_there(
    client: TestClient, token: dict[str, str], database: Database, archive: Archive, clock: Any
) -> None:
    _graded_case(database, archive, clock, study="1.2.1")
    _graded_case(database, archive, clock, study="1.2.2")
    assert client.get("/api/v1/cases/2/photographs/2/heatmap.png", headers=token).status_code == 200
    foreign = client.get("/api/v1/cases/1/photographs/2/heatmap.png", headers=token)
    absent = client.get("/api/v1/cases/1/photographs/99/heatmap.png", headers=token)
    assert foreign.status_code == absent.status_code == 404
    assert foreign.text == absent.text


@pytest.mark.parametrize(
    "path", ["/api/v1/cases/CANARY7F3A", "/api/v1/cases?limit=CANARY7F3A", "/CANARY7F3A", "/api/v1/cases?limit=9999"]
)
def test_H18_errors_do_not_repeat_what_was_sent(client: TestClient, token: dict[str, str], path: str) -> None:
    answer = client.get(path, headers=token)
    assert answer.status_code in (404, 422)
    assert "CANARY7F3A" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/cases", "/nothing", "/api/v1/cases/x"])
def test_security_S12_headers_on_every_answer(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_H14_a_foreign_host_is_refused(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": "evil"}).status_code == 400


def test_H21_an_expired_token_is_refused(client: TestClient, token: dict[str, str], clock: Any) -> None:
    assert client.get("/api/v1/cases", headers=token).status_code == 200
    clock.move(366 * 86400)
    assert client.get("/api/v1/cases", headers=token).status_code == 401


def test_S1_off_loopback_in_the_clear_is_refused(database: Database, archive: Archive, clock: Any) -> None:
    with pytest.raises(Misconfigured, match="behind_proxy"):
        make_app(Dashboard(host="0.0.0.0"), database, archive, clock)
    app = make_app(
        Dashboard(host="0.0.0.0", behind_proxy=True, allowed_hosts=("testserver",)), database, archive, clock
    )
    assert TestClient(app).get("/metrics").status_code == 401


def test_R21_ready_only_when_every_part_is(client: TestClient, database: Database, clock: Any) -> None:
    def beat(ready: bool = True) -> None:
        with database.transaction() as t:
            for part in ("listener", "sweeper", "worker"):
                heartbeats.beat(t, part, clock.now(), ready=True)
            heartbeats.beat(t, "model", clock.now(), ready=ready, detail="" if ready else "the bundle is damaged")

    parts = client.get("/readyz").json()["parts"]
    assert parts["listener"] == "has not started"
    assert parts["database"] == parts["archive"] == "ready"
    clock.move(3)
    beat()
    assert client.get("/readyz").status_code == 200
    clock.move(3)
    beat(ready=False)
    assert client.get("/readyz").json()["parts"]["model"] == "the bundle is damaged"
    clock.move(60)
    assert client.get("/readyz").json()["parts"]["listener"] == "gives no sign of life"


def test_F22_a_database_that_is_away_answers_503(client: TestClient, token: dict[str, str], database: Database) -> None:
    database.engine.dispose()
    file = Path(database.url.removeprefix("sqlite:///"))
    file.rename(f"{file}.away")
    file.mkdir()
    answer = client.get("/api/v1/cases", headers=token)
    assert answer.status_code == 503
    assert "database" in answer.json()["detail"]
