"""``retinagate doctor`` beside real peers: each situation of a destination, a broker and a server, really made."""

import json
import os
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hostile_pacs import COMPREHENSIVE_3D_SR, EXPLICIT, IMPLICIT, JPEG_BASELINE, SECONDARY_CAPTURE, hostile_pacs
from private_orthanc import Orthanc, free_port
from pynetdicom import AE, evt
from running_service import COMMAND, Service, wait_for

from casebook.settings import Settings
from gateway.checks import broker, rows
from gateway.checks.destinations import destination
from gateway.checks.finding import Finding
from gateway.configuration import load
from gateway.running import Running
from reporting.store import Limits

SECRET = "SECRET7F3A"
AGAIN = ", then run retinagate doctor again"
VERIFICATION = "1.2.840.10008.1.1"
SHORT = Limits(connect=0.5, associate=1.0, answer=0.5)
SR_NAME, OVERLAY_NAME = "Comprehensive 3D SR Storage (sr)", "Secondary Capture Image Storage"


def settings_for(*ports: int, title: str = "PACS", host: str = "127.0.0.1", **environment: str) -> Settings:
    peers = [
        {"name": f"pacs{number or ''}", "ae_title": title, "host": host, "port": port}
        for number, port in enumerate(ports)
    ]
    return load(
        {"RETINAGATE_HOME": "/nonexistent/home", "RETINAGATE__DESTINATIONS": json.dumps(peers)}
        | {f"RETINAGATE__{name}": value for name, value in environment.items()}
    )


def find(*arguments: Any, running: Running | None = None, **options: Any) -> Finding:
    settings = settings_for(*arguments, **options)
    return destination(settings, running, settings.destinations[0], SHORT)


def doctor(home: Path, *, port: int, title: str = "PACS", **environment: str) -> tuple[int, list[str], float]:
    """Run the command with one destination; return its exit code, its lines about that one, and how long it took."""
    peer = {"name": "pacs", "ae_title": title, "host": "127.0.0.1", "port": port}
    begun = time.monotonic()
    ended = subprocess.run(
        [COMMAND, "doctor"],
        env={
            "PATH": "/usr/bin:/bin",
            "RETINAGATE_HOME": str(home),
            "RETINAGATE__DESTINATIONS": json.dumps([peer]),
            "RETINAGATE__ARCHIVE__RESERVE_MB": "1",
            "RETINAGATE__LISTENER__PORT": str(free_port()),
            "RETINAGATE__DASHBOARD__PORT": str(free_port()),
            **environment,
        },
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    took = time.monotonic() - begun
    lines = ended.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line[6:].startswith("destination"))
    about = lines[at : at + 2] if lines[at].startswith("RED") else lines[at : at + 1]
    return ended.returncode, about, took


@contextmanager
def full_backlog() -> Iterator[int]:
    """Give a port whose every new connection request goes unheard, as on a host that is switched off."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        yield deaf.getsockname()[1]


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give a port where every connection is answered by a function, and then closed."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


@contextmanager
def pacs_that(**handlers: Any) -> Iterator[int]:
    """Run a PACS that takes everything of ours; ``echo`` answers a C-ECHO, ``most`` bounds its associations."""
    ae = AE("PACS")
    ae.maximum_associations = handlers.get("most", 10)
    for sop_class, syntax in (
        (VERIFICATION, IMPLICIT),
        (COMPREHENSIVE_3D_SR, EXPLICIT),
        (SECONDARY_CAPTURE, JPEG_BASELINE),
    ):
        ae.add_supported_context(sop_class, syntax)
    port = free_port()
    bound = [(evt.EVT_C_ECHO, handlers["echo"])] if "echo" in handlers else []
    running = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=bound)
    try:
        yield port
    finally:
        running.shutdown()


# What the done-when of the command names, as a person meets it


def test_ux_C11_a_pacs_where_nothing_listens(tmp_path: Path) -> None:
    port = free_port()
    code, about, _ = doctor(tmp_path / "home", port=port)
    assert code == 1
    assert about == [
        f"RED   destination   pacs (PACS at 127.0.0.1:{port}): nothing listens there",
        f"      do this       check address, port and firewall{AGAIN}",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_pacs_that_takes_the_connection_and_is_silent_holds_nobody_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code, about, took = doctor(tmp_path / "home", port=port)
    assert code == 1
    assert about == [
        f"RED   destination   pacs (PACS at 127.0.0.1:{port}): it takes the connection but does not answer",
        f"      do this       check the port, and that it works there{AGAIN}",
    ]
    assert took < 20  # 15 s of its own, and the start of an interpreter on a busy machine


def test_wrong_ae_title_by_orthanc(program: Callable[[str], str], tmp_path: Path) -> None:
    with Orthanc(program("orthanc"), tmp_path / "orthanc", DicomCheckCalledAet=True) as orthanc:
        code, about, _ = doctor(tmp_path / "home", port=orthanc.dicom_port, title="WRONG")
        assert code == 1
        assert about == [
            f"RED   destination   pacs (WRONG at 127.0.0.1:{orthanc.dicom_port}): "
            "it refuses the connection, for it is not called WRONG",
            f"      do this       correct its ae_title in the settings{AGAIN}",
        ]
        code, about, _ = doctor(tmp_path / "home", port=orthanc.dicom_port)
        assert code == 0
        assert about == [f"ok    destination   pacs (PACS at 127.0.0.1:{orthanc.dicom_port}): takes sr and overlay"]


def test_a_class_that_is_refused_by_storescp(program: Callable[[str], str], tmp_path: Path) -> None:
    port = free_port()
    profile = tmp_path / "storescp.cfg"
    profile.write_text(
        "[[TransferSyntaxes]]\n[Uncompressed]\nTransferSyntax1 = LittleEndianImplicit\n"
        "[JPEG]\nTransferSyntax1 = JPEGBaseline\n"
        "[[PresentationContexts]]\n[Pictures]\nPresentationContext1 = VerificationSOPClass\\Uncompressed\n"
        "PresentationContext2 = SecondaryCaptureImageStorage\\JPEG\n"
        "[[Profiles]]\n[Default]\nPresentationContexts = Pictures\n"
    )
    with storescp(program, port, "-xf", str(profile), "Default"):
        code, about, _ = doctor(tmp_path / "home", port=port)
    assert code == 1
    assert about == [
        f"RED   destination   pacs (PACS at 127.0.0.1:{port}): it does not take {SR_NAME}",
        "      do this       allow it there, or remove it from the destination's products in the settings" + AGAIN,
    ]


# The rest of the table, by the check alone


def test_an_encoding_that_is_refused_by_storescp_as_it_comes(program: Callable[[str], str]) -> None:
    port = free_port()
    with storescp(program, port):
        found = find(port)
    assert found.status == "red"
    assert found.what.endswith(f": it does not take {OVERLAY_NAME} in JPEG Baseline (Process 1) (overlay)")


def test_a_healthy_storescp(program: Callable[[str], str]) -> None:
    port = free_port()
    with storescp(program, port, "+xa"):
        found = find(port)
    assert (found.status, found.what, found.remedy) == (
        "ok", f"pacs (PACS at 127.0.0.1:{port}): takes sr and overlay", "",
    )  # fmt: skip


def test_a_pacs_that_takes_nothing_of_ours_has_each_product_named() -> None:
    with hostile_pacs(takes={SECONDARY_CAPTURE: [EXPLICIT]}) as pacs:
        found = find(pacs.port)
    assert found.what.endswith(
        f": it does not take {SR_NAME}; it does not take {OVERLAY_NAME} in JPEG Baseline (Process 1) (overlay)"
    )


def test_dicom_T7_a_pacs_that_knows_implicit_alone_takes_the_report() -> None:
    with hostile_pacs(takes={SECONDARY_CAPTURE: [JPEG_BASELINE], COMPREHENSIVE_3D_SR: [IMPLICIT]}) as pacs:
        assert find(pacs.port).status == "ok"


def test_a_pacs_that_does_not_know_us() -> None:
    with hostile_pacs(calling=["SOMEBODY"]) as pacs:
        found = find(pacs.port)
    assert found.what.endswith(": it refuses the connection, for it does not know RETINAGATE")
    assert found.remedy == "add the AE title RETINAGATE and this host there"


def test_a_pacs_that_is_called_otherwise() -> None:
    with hostile_pacs(title="OTHER") as pacs:
        found = find(pacs.port)
    assert found.what.endswith(": it refuses the connection, for it is not called PACS")


def test_a_pacs_that_is_busy() -> None:
    with pacs_that(most=1) as port:
        caller = AE()
        caller.add_requested_context(VERIFICATION)
        held = caller.associate("127.0.0.1", port)
        assert held.is_established
        found = find(port)
        held.release()
    assert (found.status, found.what) == ("red", f"pacs (PACS at 127.0.0.1:{port}): it is too busy for a connection")


def test_a_pacs_that_answers_an_echo_with_a_failure() -> None:
    with pacs_that(echo=lambda _: 0x0122) as port:
        assert find(port).what.endswith(": it answers an echo with status 0122")
    with pacs_that() as port:
        assert find(port).status == "ok"


def test_a_pacs_that_never_answers_an_echo() -> None:
    released = threading.Event()

    def hang(_: Any) -> int:
        released.wait(10)
        return 0

    with pacs_that(echo=hang) as port:
        found = find(port)
        released.set()
    assert found.what.endswith(": it does not answer an echo")


def test_something_that_is_no_pacs_and_hangs_up() -> None:
    with server(lambda connection: None) as port:
        found = find(port)
    assert found.what.endswith(": it breaks off the connection")
    assert found.remedy == "check the port, and whether it wants TLS there"


def test_a_host_that_does_not_answer() -> None:
    with full_backlog() as port:
        found = find(port)
    assert found.what.endswith(": the host does not answer")


def test_a_host_name_that_nobody_knows() -> None:
    found = find(104, host="no-such-host.invalid")
    assert found.what == "pacs (PACS at no-such-host.invalid:104): its host name is not known"


def test_many_silent_destinations_are_asked_at_once(tmp_path: Path) -> None:
    from gateway import doctor as command

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_for(*[silent.getsockname()[1]] * 12, MODEL__BUNDLE=str(tmp_path))
        begun = time.monotonic()
        found = [finding for finding in command.examine(settings) if finding.check == "destination"]
        assert time.monotonic() - begun < command.SECONDS + 2
    assert len(found) == 12
    assert {finding.status for finding in found} == {"red"}
    assert all("does not answer" in finding.what for finding in found)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_security_S20_our_own_ports_are_no_destination(host: str) -> None:
    port, http, loopback = free_port(), free_port(), free_port()
    own = {"LISTENER__PORT": str(port), "DASHBOARD__PORT": str(http)}
    assert find(port, host=host, **own).what.endswith(": that is the listener of this service itself")
    assert find(http, host=host, **own).what.endswith(": that is the dashboard of this service itself")
    running = Running(os.getpid(), "RETINAGATE", "127.0.0.1", 1, "127.0.0.1", 2, loopback, "-")
    assert find(loopback, host=host, running=running, **own).what.endswith(
        ": that is the loop-back PACS of this service itself"
    )
    assert find(free_port(), host=host, **own).what.endswith(": nothing listens there")


def test_security_S20_a_listener_for_the_network_is_ours_at_every_address_of_this_machine() -> None:
    port = free_port()
    callers = json.dumps([{"ae_title": "CAMERA", "host": "10.0.0.9"}])
    own = {"LISTENER__PORT": str(port), "LISTENER__HOST": "0.0.0.0", "LISTENER__ALLOWED_CALLERS": callers}
    assert find(port, **own).what.endswith(": that is the listener of this service itself")
    assert not find(port, host="192.0.2.1", **own).what.endswith("itself")


# Beside a running service


def test_beside_a_running_service_its_own_ports_are_well_and_nothing_changes(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    try:
        service.start()
        ended = service.run("doctor")
        assert ended.returncode == 0, ended.stdout
        for part, port in (("listener", service.dicom_port), ("dashboard", service.http_port)):
            line = f"ok    {part:<14}127.0.0.1:{port}, held by our own service (process {service.pid})"
            assert line in ended.stdout.splitlines()
        assert "schema current" in ended.stdout
        assert service.stop() == 0
    finally:
        service.end()
    assert service.run("fsck").stdout == "clean\n"


# The second shape


def test_the_second_shape_line_by_line(postgresql_url: str, rabbitmq_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path / "home", DATABASE__URL=postgresql_url, BROKER__URL=rabbitmq_url)
    before = service.run("doctor")
    assert before.returncode == 1
    place = f"PostgreSQL at {psycopg.conninfo.conninfo_to_dict(postgresql_url.replace('+psycopg', ''))['host']}"
    assert f"RED   database      {place}:" in before.stdout
    assert f": no schema yet\n      do this       run retinagate migrate{AGAIN}\n" in before.stdout
    assert service.run("migrate").returncode == 0
    with subprocess.Popen(
        [COMMAND, "listen"], env=service.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as listening:
        try:
            wait_for(
                lambda: f"process {listening.pid}" in service.run("doctor").stdout, 60, "the listener's sign of life"
            )
            ended = service.run("doctor")
        finally:
            listening.terminate()
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout
    assert any(line.startswith(f"ok    database      {place}:") and line.endswith(", schema current") for line in lines)
    assert any(
        line.startswith("ok    broker        RabbitMQ at 127.0.0.1:") and line.endswith(", lets us in")
        for line in lines
    )
    assert (
        f"ok    listener      127.0.0.1:{service.dicom_port}, held by our own service (process {listening.pid})"
        in lines
    )
    assert f"ok    dashboard     127.0.0.1:{service.http_port} is free" in lines
    assert "only-for-tests" not in ended.stdout + ended.stderr


def test_R3_a_postgresql_that_may_forget_is_red(postgresql_url: str) -> None:
    plain = postgresql_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')
    found = rows.database(settings_for(DATABASE__URL=postgresql_url))
    assert found.what.endswith(": synchronous_commit is off, so a power cut loses what was acknowledged")
    assert found.remedy == "set synchronous_commit to on there"


def test_a_postgresql_without_that_database_or_user(postgresql_url: str) -> None:
    missing = rows.database(settings_for(DATABASE__URL=f"{postgresql_url}_missing"))
    assert missing.what.endswith(" has no such database")
    stranger = postgresql_url.replace("//postgres", f"//stranger:{SECRET}")
    refused = rows.database(settings_for(DATABASE__URL=stranger))
    assert refused.what.endswith(" refuses the user or the password")
    assert SECRET not in repr((missing, refused))


def test_a_postgresql_that_refuses_the_password() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"N")  # no TLS
        connection.recv(1024)
        fields = b'SFATAL\0C28P01\0Mpassword authentication failed for user "reader"\0\0'
        connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    with server(refuse) as port:
        url = f"postgresql://reader:{SECRET}@127.0.0.1:{port}/casebook?sslmode=prefer&gssencmode=disable"
        found = rows.database(settings_for(DATABASE__URL=url))
    assert found.what == f"PostgreSQL at 127.0.0.1:{port} refuses the user or the password"
    assert found.remedy == "correct them in database.url"


def test_a_postgresql_that_is_silent_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        found = rows.database(settings_for(DATABASE__URL=f"postgresql://reader:{SECRET}@127.0.0.1:{port}/casebook"))
    assert time.monotonic() - begun < 12
    assert found.what == f"PostgreSQL at 127.0.0.1:{port}: it takes the connection but does not answer"


def test_a_rabbitmq_that_refuses_us(rabbitmq_url: str) -> None:
    place = rabbitmq_url.rpartition("@")[2].partition("/")[0]
    stranger = broker.broker(settings_for(BROKER__URL=f"amqp://stranger:{SECRET}@{place}/retinagate"))
    assert (stranger.status, stranger.what) == ("red", f"RabbitMQ at {place} refuses the user or the password")
    assert stranger.remedy == "correct it in broker.url"
    nowhere = broker.broker(settings_for(BROKER__URL=f"{rabbitmq_url}-missing"))
    assert nowhere.what == f"RabbitMQ at {place} has no such virtual host, or not for this user"
    assert broker.broker(settings_for(BROKER__URL=rabbitmq_url)).what == f"RabbitMQ at {place}, lets us in"
    assert SECRET not in repr(stranger)


def test_a_redis_that_refuses_us(redis_url: str) -> None:
    place = redis_url.rpartition("//")[2].partition("/")[0]
    stranger = broker.broker(settings_for(BROKER__URL=f"redis://stranger:{SECRET}@{place}/0"))
    assert (stranger.status, stranger.what) == ("red", f"Redis at {place} refuses the user or the password")
    assert (
        broker.broker(settings_for(BROKER__URL=f"redis://{place}/999")).what
        == f"Redis at {place} refuses the database number"
    )
    assert broker.broker(settings_for(BROKER__URL=redis_url)).what == f"Redis at {place}, lets us in"
    assert SECRET not in repr(stranger)


@pytest.mark.parametrize("kind", ["amqp", "redis"])
def test_a_broker_that_is_silent_is_left_in_time(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        found = broker.broker(settings_for(BROKER__URL=f"{kind}://reader:{SECRET}@127.0.0.1:{port}/"))
    assert time.monotonic() - begun < 8
    assert found.what.endswith(": it takes the connection but does not answer")


@pytest.mark.parametrize("kind", ["amqp", "redis"])
def test_a_broker_that_is_none(kind: str) -> None:
    with server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        found = broker.broker(settings_for(BROKER__URL=f"{kind}://reader:{SECRET}@127.0.0.1:{port}/"))
    assert found.status == "red"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "url", [f"foo://{SECRET}", f"amqp://a:{SECRET}@b:port//", f"{SECRET}", f"redis://a:{SECRET}@b/x"]
)
def test_a_broker_url_that_cannot_be_used_is_red_and_not_shown(url: str) -> None:
    found = broker.broker(settings_for(BROKER__URL=url))
    assert found.status == "red"
    assert SECRET not in repr(found)


@contextmanager
def storescp(program: Callable[[str], str], port: int, *options: str) -> Iterator[None]:
    command = [program("storescp"), *options, "--ignore", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _listens(port), 20, "storescp")
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
