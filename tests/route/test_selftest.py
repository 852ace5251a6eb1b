"""The self-test: six steps, each red when what it looks at is broken; and nothing synthetic ever leaves this machine."""

import dataclasses
import http.server
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stand_in_bundle
from private_orthanc import Orthanc, free_port
from questions import delivered
from running_service import Service, wait_for
from sqlalchemy import select
from studies import Study

from casebook.database import Database
from casebook.models import AuditRow, Token
from gateway import loopback_pacs, running

STEPS = ["associate", "store 2 eyes", "file and rows", "score as golden", "report and overlays", "case in the API"]
LINE = re.compile(r"(\d)/6 ([A-Za-z0-9 ]{22}) (ok  |RED ) (\d+\.\d+ s) *(.*)")
# What may change in the metrics over a self-test: itself, time, the disk, and that somebody called.
MAY_CHANGE = (
    "retinagate_selftest_last_success_timestamp_seconds", "retinagate_sweep_", "retinagate_archive_free_bytes",
    'retinagate_associations_total{caller="self-test"', 'retinagate_associations_created{caller="self-test"',
    "retinagate_associations_open", "retinagate_http_", "retinagate_ready", "process_", "python_",
)  # fmt: skip


def _steps(output: str) -> list[tuple[str, str]]:
    return [(found[2].strip(), found[3].strip()) for found in map(LINE.fullmatch, output.splitlines()) if found]


def _counts(service: Service) -> dict[str, str]:
    lines = (line.rpartition(" ") for line in service.metrics().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if not name.startswith(MAY_CHANGE)}


def _metric(service: Service, name: str) -> float:
    return float(next(line.split()[1] for line in service.metrics().splitlines() if line.startswith(f"{name} ")))


def test_ux_C12_six_steps_are_green_while_every_destination_is_down(make_service: Callable[..., Service]) -> None:
    away = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": free_port()}
    service = make_service(DESTINATIONS=[away]).start()
    assert _metric(service, "retinagate_selftest_last_success_timestamp_seconds") == 0
    before = _counts(service)
    tested = service.run("selftest")
    assert (tested.returncode, tested.stderr) == (0, "")
    assert _steps(tested.stdout) == [(name, "ok") for name in STEPS]
    scores = LINE.fullmatch(tested.stdout.splitlines()[3])
    assert scores is not None
    assert re.fullmatch(r"R (\d\.\d\d) \(\1 \+- 0\.05\)  L (\d\.\d\d) \(\2 \+- 0\.05\)", scores[5]), scores[5]
    assert tested.stdout.splitlines()[4].endswith("1 SR, 2 overlays, parsed")
    assert tested.stdout.endswith("\nAll six green.\n")

    as_json = service.run("selftest", "--json")
    assert as_json.returncode == 0
    steps = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [(step["step"], step["name"], step["ok"]) for step in steps] == [
        (n, s, True) for n, s in enumerate(STEPS, 1)
    ]

    cases = service.api("/cases")["items"]
    assert len({case["study_instance_uid"] for case in cases}) == 2, "every run has a study of its own"
    assert all(case["synthetic"] for case in cases)
    assert {delivery["destination"] for case in cases for delivery in case["deliveries"]} == {"loopback"}
    assert _metric(service, "retinagate_selftest_last_success_timestamp_seconds") > 0
    assert _counts(service) == before, "ux O39: synthetic eyes are in no count"
    database = Database(f"sqlite:///{service.home / 'casebook.sqlite3'}")
    with database.reading() as t:
        assert [name for name in t.scalars(select(Token.name)) if "self-test" in name] == []
        acts = t.execute(select(AuditRow.action, AuditRow.outcome).where(AuditRow.actor == "self-test")).all()
    database.close()
    assert acts == 2 * [("token.add", "ok"), ("token.remove", "ok"), ("selftest.run", "green")]
    assert service.run("fsck").stdout == "clean\n"


@pytest.mark.peer("orthanc")
def test_I9_no_destination_ever_gets_a_synthetic_eye(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
) -> None:
    service = make_service(orthanc).start()
    first = running.read(service.home)
    assert service.run("selftest").returncode == 0
    assert service.run("demo").returncode == 0
    cases = service.api("/cases?limit=200")["items"]
    assert all(case["synthetic"] for case in cases)
    for case in cases:
        assert service.run("resend", str(case["id"]), "--all").returncode == 0
    service.kill()
    assert running.read(service.home) is None, "what a killed service left behind does not count"
    service.start()
    again = running.read(service.home)
    assert first is not None
    assert again is not None
    assert again.self_test_secret != first.self_test_secret, "security S4: the secret is one start's"
    assert service.run("regrade", str(cases[0]["id"])).returncode == 0
    assert service.run("selftest").returncode == 0

    def all_arrived() -> bool:
        found = service.api("/cases?limit=200")["items"]
        deliveries = [delivery for case in found for delivery in case["deliveries"]]
        return {case["status"] for case in found} == {"reported"} and {d["state"] for d in deliveries} == {"sent"}

    wait_for(all_arrived, 60, "all that the loop-back PACS gets")
    study = phantoms(61)
    send(service, study)
    real = wait_for(lambda: delivered(service, study), 60, "a patient's report")
    assert not real["synthetic"]
    assert set(orthanc.instances()) == {report["sop_instance_uid"] for report in real["reports"]}
    held = {path.stem for path in (service.home / loopback_pacs.FOLDER).iterdir()}
    assert held.isdisjoint(orthanc.instances())
    assert service.run("fsck").stdout == "clean\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, stand_in: Path) -> Iterator[Service]:
    """Run one service for all that can be broken beside it."""
    home = tmp_path_factory.mktemp("selftest") / "home"
    one = Service(home, MODEL__BUNDLE=str(stand_in), CASES__QUIET_SECONDS=1)
    yield one.start()
    one.end()


@contextmanager
def _pretending(service: Service, **changes: Any) -> Iterator[None]:
    """Let the running service say something else of itself."""
    true = running.read(service.home)
    assert true is not None
    running.write(service.home, dataclasses.replace(true, **changes))
    try:
        yield
    finally:
        running.write(service.home, true)


def _red(service: Service, step: int, **environment: str) -> str:
    """Run the self-test, make sure that it stops at this step, and return the lines that say why and what to do."""
    before = service.environment
    service.environment = before | environment
    try:
        tested = service.run("selftest")
    finally:
        service.environment = before
    assert tested.returncode == 1, tested.stdout + tested.stderr
    assert _steps(tested.stdout) == [(name, "ok") for name in STEPS[: step - 1]] + [(STEPS[step - 1], "RED")]
    red, remedy = tested.stdout.splitlines()[-2:]
    assert remedy.startswith("    do this                "), remedy
    return f"{red}\n{remedy}"


def test_red_1_no_service(make_service: Callable[..., Service]) -> None:
    assert "Start it: retinagate up" in _red(make_service(), 1)


def test_red_1_the_second_shape_has_no_loop_back_pacs(make_service: Callable[..., Service]) -> None:
    service = make_service(BROKER__URL="amqp://127.0.0.1:1")
    assert "Only up runs a loop-back PACS" in _red(service, 1)
    told = service.run("demo")
    assert (told.returncode, told.stdout) == (1, "")
    assert "Only up runs a loop-back PACS" in told.stderr


def test_red_1_nothing_listens(service: Service) -> None:
    with _pretending(service, dicom_port=free_port()):
        assert "Nothing answers as RETINAGATE" in _red(service, 1)


def test_red_1_another_title(service: Service) -> None:
    with _pretending(service, ae_title="SOMEBODY"):
        assert "refuses the self-test's association" in _red(service, 1)


def test_red_2_security_S4_the_wrong_secret_stores_nothing(service: Service) -> None:
    before = service.api("/cases?limit=200")["items"]
    with _pretending(service, self_test_secret="guessed"):
        assert "status 0124: This caller may not store." in _red(service, 2)
    assert service.api("/cases?limit=200")["items"] == before


def test_red_3_another_casebook(service: Service, tmp_path: Path) -> None:
    other = {
        "RETINAGATE__DATABASE__URL": f"sqlite:///{tmp_path / 'other.sqlite3'}",
        "RETINAGATE__ARCHIVE__PATH": str(tmp_path / "archive"),
    }
    database = Database(other["RETINAGATE__DATABASE__URL"])
    database.create_schema()
    database.close()
    assert "has no row of them" in _red(service, 3, **other)


def test_red_2_the_archive_cannot_be_written(service: Service) -> None:
    objects = service.home / "archive" / "objects"
    away = objects.rename(objects.with_name("away"))
    try:
        assert "status A700" in _red(service, 2)
    finally:
        away.rename(objects)


def test_red_4_a_score_that_is_not_the_golden_one(service: Service, stand_in: Path, tmp_path: Path) -> None:
    doctored = shutil.copytree(stand_in, tmp_path / "doctored")
    card = json.loads((doctored / "card.json").read_text())
    card["golden"][2]["score"] += 0.5
    stand_in_bundle.write_card(doctored, card)
    red = _red(service, 4, RETINAGATE__MODEL__BUNDLE=str(doctored))
    assert re.search(r"R (\d\.\d\d) \((?!\1)\d\.\d\d \+- 0\.05\)", red), red
    assert "another bundle than the settings name" in red


def test_red_5_the_loop_back_pacs_cannot_write(service: Service) -> None:
    folder = service.home / loopback_pacs.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    try:
        red = _red(service, 5)
    finally:
        folder.unlink()
    assert "The loop-back PACS" in red
    assert "home folder can be written" in red
    assert service.run("selftest").returncode == 0, "once it can write, all is well again"


def test_red_6_no_dashboard(service: Service) -> None:
    with _pretending(service, dashboard_port=free_port()):
        assert "Nothing answers as the dashboard" in _red(service, 6)


def test_red_6_a_dashboard_that_does_not_know_the_token(service: Service) -> None:
    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        with _pretending(service, dashboard_port=stranger.server_port):
            assert "The dashboard answers 401" in _red(service, 6)
        stranger.shutdown()


@pytest.mark.parametrize("host", ["0.0.0.0", "an address of this machine"])
def test_security_S4_it_calls_from_loopback_wherever_the_listener_listens(
    make_service: Callable[..., Service], host: str
) -> None:
    if host != "0.0.0.0":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.77", 9))  # sends nothing: it only chooses the address to send from
            except OSError:
                pytest.skip("this machine has no address but loopback")
            host = probe.getsockname()[0]
    camera = {"ae_title": "CAMERA", "host": "192.0.2.77"}
    service = make_service(LISTENER__HOST=host, LISTENER__ALLOWED_CALLERS=[camera])
    service.is_listening = lambda: True  # it looks at 127.0.0.1; here readiness must do
    service.start()
    tested = service.run("selftest")
    assert tested.returncode == 0, tested.stdout


def test_a_service_that_ends_forgets_where_it_was(make_service: Callable[..., Service]) -> None:
    service = make_service().start()
    file = service.home / running.NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert service.stop() == 0
    assert not file.exists()
