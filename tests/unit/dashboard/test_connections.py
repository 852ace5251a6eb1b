"""A real server meets rude peers: each is answered with 4xx or closed in time, and a good client waits for nobody."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from http_server import ServedAt, serving, until_closed
from running_service import wait_for
from starlette.responses import StreamingResponse

from casebook.archive import Archive
from casebook.database import Database
from casebook.settings import Dashboard
from dashboard.access import Permission, address, needs
from dashboard.app import make_app
from dashboard.connections import Connection, Limits

SHORT = 0.5
QUICK = Limits(
    header_seconds=SHORT, body_seconds=SHORT, reading_seconds=SHORT, waiting_for_headers=20, waiting_for_bodies=10
)
PATIENT = Limits(waiting_for_headers=20, waiting_for_bodies=10)
HOST = b"Host: 127.0.0.1\r\n"
FORM = b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def app(database: Database, archive: Archive, clock: Any) -> FastAPI:
    app = make_app(Dashboard(), database, archive, clock)

    @app.get("/address", dependencies=[needs(Permission.PUBLIC)])
    def whence(request: Request) -> str:
        return f"{address(request)} {request.url.scheme}"

    @app.get("/large", dependencies=[needs(Permission.PUBLIC)])
    def large() -> StreamingResponse:
        return StreamingResponse(bytes(65536) for _ in range(1000))

    return app


@pytest.fixture
def quick(app: FastAPI) -> Iterator[ServedAt]:
    with serving(app, QUICK) as served:
        yield served


@pytest.fixture
def patient(app: FastAPI) -> Iterator[ServedAt]:
    with serving(app, PATIENT) as served:
        yield served


def test_security_S16_production_waits_20_s_for_headers_and_60_s_for_a_body() -> None:
    assert (Connection.limits.header_seconds, Connection.limits.body_seconds) == (20, 60)


@pytest.mark.parametrize(
    "sent",
    [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", FORM + b"Content-Length: 100\r\n\r\nname=",
     FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=", FORM + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"],
)  # fmt: skip
def test_H16_who_stops_half_way_is_closed_at_the_deadline(quick: ServedAt, sent: bytes) -> None:
    began = time.monotonic()
    quick.ask(sent)
    assert SHORT * 0.9 < time.monotonic() - began < 5
    wait_for(lambda: not quick.connections, 5, "the end of the connection")


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX: ", FORM + b"Content-Length: 100000\r\n\r\nname="])
def test_H16_a_byte_now_and_then_moves_no_deadline(quick: ServedAt, start: bytes) -> None:
    began = time.monotonic()
    with quick.connect() as peer, contextlib.suppress(OSError):
        peer.sendall(start)
        peer.settimeout(SHORT / 10)
        while time.monotonic() - began < 5:
            peer.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                if peer.recv(1000) == b"":
                    break
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("half", [b"GET / HTTP/1.1\r\n", FORM + b"Content-Length: 100\r\n\r\nname="])
def test_H16_300_who_stop_half_way_keep_nobody_out(patient: ServedAt, half: bytes) -> None:
    with contextlib.ExitStack() as open_peers:
        for number in range(300):
            peer = open_peers.enter_context(patient.connect())
            peer.sendall(half)
            if number % 50 == 49:
                assert patient.healthz_seconds() < 1
        assert patient.healthz_seconds() < 1
        wait_for(lambda: len(patient.connections) <= 21, 5, "the eviction of the oldest")


def test_H16_a_connection_that_is_used_lives_longer_than_a_deadline(quick: ServedAt) -> None:
    with quick.connect() as peer:
        until = time.monotonic() + 3 * SHORT
        while time.monotonic() < until:
            peer.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\nok"):
                answer += peer.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
        request = b"GET /healthz HTTP/1.1\r\n" + HOST
        peer.sendall(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
        assert until_closed(peer).count(b"HTTP/1.1 200 ") == 2


def test_a_peer_that_does_not_read_what_it_asked_for_is_closed(quick: ServedAt) -> None:
    with quick.connect() as peer:
        peer.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_for(lambda: not quick.connections, 10, "the end of the connection")


def test_a_peer_that_reads_slowly_gets_everything(quick: ServedAt) -> None:
    with quick.connect() as peer:
        peer.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        answer = until_closed(peer)
    assert len(answer) > 65536 * 1000


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",  # no Host
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: evil\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: evil\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Bad Header: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: CANARY7F3A\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a ClientHello
        b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00",  # an A-ASSOCIATE-RQ
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 2_000_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 20_000 + b"\r\n",
        FORM + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        FORM + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        FORM + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nname=x",
        FORM + b"Content-Length: -1\r\n\r\n",
        FORM + b"Content-Length: 1e3\r\n\r\n",
        FORM + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        FORM + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        FORM + b"Content-Length: 209715200\r\n\r\n",
        b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 209715200\r\n\r\n" + b"a" * 100_000,
    ],
)  # fmt: skip
def test_H16_what_is_not_well_formed_is_answered_once_and_closed(quick: ServedAt, sent: bytes) -> None:
    with quick.connect() as peer:
        with contextlib.suppress(OSError):  # it may be closed while we are still sending
            peer.sendall(sent)
        answer = until_closed(peer)
    if len(sent) < 60_000:
        assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 501"}, answer
    if answer:
        assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer
        head = answer.split(b"\r\n\r\n")[0].lower()
        if not answer.startswith(b"HTTP/1.1 501"):
            assert b"content-security-policy: default-src 'none'" in head, answer
            assert b"cache-control: no-store" in head
        assert b"server:" not in head
        assert b"CANARY" not in answer
    assert quick.healthz_seconds() < 1


@pytest.mark.parametrize("path", [b"/login", b"/nothing", b"/api/v1/cases"])
def test_H16_chunks_without_end_are_cut(quick: ServedAt, path: bytes) -> None:
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    sent = 0
    with quick.connect() as peer:
        peer.sendall(
            b"POST " + path + b" HTTP/1.1\r\n" + HOST
            + b"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        )  # fmt: skip
        with contextlib.suppress(OSError):
            while sent < 200:
                peer.sendall(chunk)
                sent += 1
        answer = until_closed(peer)
    assert sent < 200
    assert answer[:10] in {b"", b"HTTP/1.1 4"}
    assert quick.healthz_seconds() < 1


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, b'"127.0.0.1 http"'),
        ({"behind_proxy": True}, b'"10.1.2.3 https"'),
        ({"behind_proxy": True, "proxy_hosts": ("127.0.0.0/24",)}, b'"10.1.2.3 https"'),
        ({"behind_proxy": True, "proxy_hosts": ("172.30.0.1",)}, b'"127.0.0.1 http"'),
    ],
    ids=["alone", "behind a proxy here", "behind one of a network", "behind one elsewhere"],
)
def test_H14_what_is_forwarded_is_believed_of_the_proxy_alone(
    app: FastAPI, settings: dict[str, Any], seen: bytes
) -> None:
    with serving(app, QUICK, **settings) as served:
        answer = served.ask(
            b"GET /address HTTP/1.1\r\n" + HOST
            + b"X-Forwarded-For: 192.168.0.1, 10.1.2.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
            + b"Connection: close\r\n\r\n"
        )  # fmt: skip
    assert answer.endswith(seen)
    assert b"evil" not in answer
