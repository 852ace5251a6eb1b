"""Three processes beside PostgreSQL and a broker: whatever goes away or is killed, nothing is lost and nothing double."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import compose
import psycopg
import pytest
from private_orthanc import Orthanc
from questions import case_of, delivered
from running_service import Service, wait_for
from shapes import CALLER, processes
from sqlalchemy import make_url
from studies import Study
from tcp_proxy import Proxy

from casebook import jobs

A700 = 0xA700


@contextmanager
def behind(url: str) -> Iterator[tuple[Proxy, str]]:
    """Put a door before a server, and give the URL that leads through it."""
    parsed = make_url(url)
    assert parsed.port is not None
    with Proxy(parsed.port) as proxy:
        yield proxy, parsed.set(port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
def statuses(program: Callable[[str], str]) -> Callable[[Service, Study], list[int | None]]:
    """Send a study with little patience, each object over an association of its own; give the statuses that came."""

    def send(service: Service, study: Study) -> list[int | None]:
        found = []
        for file in study.files:
            command = [program("storescu"), "-d", "-td", "4", "-xy", "-aet", CALLER, "-aec", "RETINAGATE", "127.0.0.1"]
            ended = subprocess.run(
                [*command, str(service.dicom_port), str(file)], capture_output=True, text=True, timeout=120
            )
            status = re.search(r"DIMSE Status\s*: 0x([0-9a-f]{4})", ended.stdout + ended.stderr)
            assert status or "DIMSE" in ended.stderr, ended.stderr
            found.append(int(status.group(1), 16) if status else None)
        return found

    return send


def _is_answered(service: Service, study: Study) -> bool:
    case = case_of(service, study)
    return all(photograph["gradability"] != "pending" for photograph in case["photographs"])


def _is_whole(service: Service, orthanc: Orthanc, *studies: Study) -> None:
    """Fail unless each study has one report and two overlays, in the PACS once, and every promise holds."""
    for study in studies:
        case = case_of(service, study)
        assert (case["revision"], len(case["photographs"]), len(case["deliveries"])) == (1, 2, 3), case
        assert all(photograph["grade"] is not None for photograph in case["photographs"])
    assert len(orthanc.instances()) == 3 * len(studies)
    assert service.run("fsck").stdout == "clean\n"


@pytest.mark.peer("orthanc")
def test_F7_with_the_database_away_nothing_is_acknowledged_and_all_goes_on_after(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    statuses: Callable[[Service, Study], list[int | None]],
    send: Callable[[Service, Study], None],
    postgresql_url: str,
    redis_url: str,
) -> None:
    with behind(postgresql_url) as (proxy, url):
        service = make_service(orthanc, processes(url, redis_url)).start()
        first, second = phantoms(61), phantoms(62)
        proxy.away()
        began = time.monotonic()
        assert statuses(service, first) == [A700, A700]
        assert time.monotonic() - began < 20
        proxy.back()
        send(service, first)
        proxy.freeze()
        assert set(statuses(service, second)) <= {A700, None}, "never Success"
        proxy.back()
        send(service, second)
        for study in (first, second):
            wait_for(lambda study=study: delivered(service, study), 60, "delivery")
        service.wait_ready()
        _is_whole(service, orthanc, first, second)
        assert service.stop() == 0


@pytest.mark.peer("orthanc")
@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_F11_with_the_broker_away_photographs_are_taken_graded_and_delivered(
    request: pytest.FixtureRequest,
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    postgresql_url: str,
    broker: str,
) -> None:
    studies = [phantoms(number) for number in (71, 72, 73)]
    with behind(request.getfixturevalue(f"{broker}_url")) as (proxy, url):
        proxy.away()
        service = make_service(orthanc, processes(postgresql_url, url)).start()
        for study, event in zip(studies, (None, proxy.freeze, proxy.cut), strict=True):
            if event is not None:
                proxy.back()
                event()
            began = time.monotonic()
            send(service, study)
            assert time.monotonic() - began < 10, "a broker holds up no camera"
        for study in studies:
            wait_for(lambda study=study: delivered(service, study), 60, "delivery")
        _is_whole(service, orthanc, *studies)
        proxy.freeze()
        assert service.stop() == 0


@pytest.mark.peer("orthanc")
def test_the_compose_files_pacs_sends_and_gets_and_its_health_checks_tell(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    program: Callable[[str], str],
    postgresql_url: str,
    rabbitmq_url: str,
) -> None:
    service = make_service(orthanc, processes(postgresql_url, rabbitmq_url)).start()
    study = phantoms(65)
    for file in study.files:
        orthanc.tell("POST", "/instances", file.read_bytes())
    photographs = list(orthanc.instances().values())
    known = json.loads(compose.PACS.read_text())["DicomModalities"]
    (name, (title, _, _)) = next(iter(known.items()))
    orthanc.tell("PUT", f"/modalities/{name}", json.dumps([title, "127.0.0.1", service.dicom_port]).encode())
    orthanc.tell("POST", f"/modalities/{name}/store", json.dumps(photographs).encode())
    wait_for(lambda: delivered(service, study), 40, "delivery")
    assert len(orthanc.instances()) == len(study.files) + 3

    ports = {"listener": ("11112", service.dicom_port), "dashboard": ("8080", service.http_port)}
    checks = {
        name: code.replace(inside, str(here))
        for name, (inside, here) in ports.items()
        for code in compose.services(compose.example() | compose.SECRETS)[name]["healthcheck"]["test"][-1:]
    }
    assert {subprocess.run([sys.executable, "-c", code]).returncode for code in checks.values()} == {0}
    stranger = [program("echoscu"), "-aet", "STRANGER", "-aec", title, "127.0.0.1", str(service.dicom_port)]
    assert subprocess.run(stranger, capture_output=True).returncode != 0, "who may call is a list"
    assert service.stop() == 0
    for code in checks.values():
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode != 0


@contextmanager
def _holding_a_photograph(service: Service, database_url: str, send: Callable[[], None]) -> Iterator[int]:
    """Send something, and give the process of the child that has a photograph of it in hand and does not go on."""
    (child,) = service.children("work")
    os.kill(child, signal.SIGSTOP)
    send()
    with psycopg.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False)) as rows:
        rows.autocommit = True
        held = f"SELECT id FROM jobs WHERE kind = 'grade' AND owner LIKE '%:{service.process('work').pid}'"
        wait_for(lambda: rows.execute(held).fetchone(), 20, "a photograph in hand")
    yield child


@pytest.mark.peer("orthanc")
@pytest.mark.timeout(300)  # a lease has to end
@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_I7_each_process_killed_in_turn_loses_nothing_and_doubles_nothing(
    request: pytest.FixtureRequest,
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    postgresql_url: str,
    broker: str,
) -> None:
    shape = processes(postgresql_url, request.getfixturevalue(f"{broker}_url"))
    # Longer than the listener's restart, so that what the camera sends again joins its study.
    service = make_service(orthanc, shape, CASES__QUIET_SECONDS=6).start()
    first, second, third = studies = [phantoms(number) for number in (81, 82, 83)]

    with _holding_a_photograph(service, postgresql_url, lambda: send(service, first)):
        service.kill("work")
    service.start("work")

    send(service, Study(second.uid, second.folder, second.files[:1]))
    service.kill("listen")
    assert not service.is_listening()
    service.start("listen")
    send(service, second)
    wait_for(lambda: _is_answered(service, second), 40, "the answer of the worker that was started again")

    with _holding_a_photograph(service, postgresql_url, lambda: send(service, third)) as child:
        service.kill("dashboard")
        os.kill(child, signal.SIGKILL)
    service.start("dashboard")

    for study in studies:
        # What the killed worker held is free again when its lease has ended.
        wait_for(lambda study=study: delivered(service, study), jobs.LEASE_SECONDS + 40, "delivery")
    _is_whole(service, orthanc, *studies)
    assert service.stop() == 0


@pytest.mark.peer("orthanc")
def test_two_workers_beside_each_other_do_every_photograph_once(
    make_service: Callable[..., Service],
    orthanc: Orthanc,
    phantoms: Callable[[int], Study],
    send: Callable[[Service, Study], None],
    postgresql_url: str,
    rabbitmq_url: str,
) -> None:
    service = make_service(orthanc, processes(postgresql_url, rabbitmq_url, "work-2")).start()
    studies = [phantoms(number) for number in range(91, 96)]
    for study in studies:
        send(service, study)
    for study in studies:
        wait_for(lambda study=study: delivered(service, study), 60, "delivery")
    _is_whole(service, orthanc, *studies)
    with psycopg.connect(make_url(postgresql_url).set(drivername="postgresql").render_as_string(False)) as rows:
        tries = rows.execute("SELECT kind, max(attempts) FROM jobs GROUP BY kind").fetchall()
        assert {kind: most for kind, most in tries if kind != "deliver"} == {"grade": 1, "report": 1}
        assert rows.execute("SELECT count(*) FROM gradings").fetchone() == (2 * len(studies),)
    answered = [service.process(name).log.read_text().count("photograph answered") for name in ("work", "work-2")]
    assert sum(answered) == 2 * len(studies)
    assert all(answered), "both had something to do"
    assert service.stop() == 0
