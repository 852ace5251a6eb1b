"""The event stream: tells of changes, lets in so many, and ends with the session and the service (ux F1, S10, H6)."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from listed_case import Eye, L, R, add_case
from private_orthanc import free_port
from running_service import wait_for
from visitor import Visitor, add_program

from casebook import jobs
from casebook.database import Database
from casebook.models import Role
from casebook.words import JobKind
from dashboard.live import MOST_STREAMS, Live


@pytest.fixture
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket: an event stream has no end that a test client would wait for."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, 10, "the server")
    yield f"http://127.0.0.1:{port}"
    app.state.live.close()
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


def _events(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: "):
            yield line


def test_an_open_page_learns_of_a_change(served: str, database: Database, clock: Any) -> None:
    headers = add_program(database, clock) | {"Host": "testserver"}
    with httpx2.stream("GET", f"{served}/live", headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        events = _events(answer.iter_lines())
        first = next(events)
        with database.transaction() as t:
            add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now())
        clock.move(1)
        second = next(events)
        with database.transaction() as t:
            jobs.enqueue(t, JobKind.DELIVER, "pacs", clock.now())
        clock.move(1)
        third = next(events)
    assert len({first, second, third}) == 3
    assert "4711" not in first + second + third


def test_it_ends_at_once_when_the_service_stops(served: str, app: FastAPI, database: Database, clock: Any) -> None:
    headers = add_program(database, clock) | {"Host": "testserver"}
    with httpx2.stream("GET", f"{served}/live", headers=headers, timeout=20) as answer:
        events = _events(answer.iter_lines())
        next(events)
        app.state.live.close()
        assert list(events) == []
    wait_for(lambda: app.state.live.streams == 0, 5, "the stream's place")


def test_H6_it_ends_with_the_session(
    served: str, app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    visitor = signed_in(Role.VIEWER)
    headers = {"Host": "testserver", "Cookie": f"retinagate={visitor.cookies['retinagate']}"}
    with httpx2.stream("GET", f"{served}/live", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        events = _events(answer.iter_lines())
        next(events)
        visitor.post("/logout")
        clock.move(31)
        assert list(events) == []
    wait_for(lambda: app.state.live.streams == 0, 5, "the stream's place")


def test_who_comes_too_late_asks_now_and_then_instead(
    app: FastAPI, database: Database, clock: Any, signed_in: Callable[[Role], Visitor]
) -> None:
    visitor = signed_in(Role.VIEWER)
    for _ in range(MOST_STREAMS):
        assert app.state.live.enter()
    answer = visitor.client.get("/live", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 503
    app.state.live.leave()
    assert app.state.live.enter()


def test_all_open_pages_together_ask_once_a_second(database: Database, clock: Any) -> None:
    live = Live(database, clock)
    first = live.stamp()
    with database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now())
    assert live.stamp() == first
    clock.move(1)
    assert live.stamp() != first
