"""The list as HTML: words first, both eyes in their columns, empty states that say what to do (ux U2, U4, 4.7)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from html_page import Page, read
from listed_case import Eye, L, R, add_case, blurred, healthy, pending
from visitor import Visitor

from casebook import words
from casebook.database import Database
from casebook.models import Role
from casebook.settings import Listener
from casebook.words import CaseStatus, DeliveryState

FAULT = "pacs (PACS at 10.0.0.5:4242): nothing listens there. Check address, port and firewall."


@pytest.fixture
def page(signed_in: Callable[[Role], Visitor]) -> Callable[[str], Page]:
    visitor = signed_in(Role.VIEWER)

    def show(path: str = "/") -> Page:
        answer = visitor.get(path)
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    return show


def test_ux_U2_a_row_says_what_to_do_first(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(
            t, (Eye(R, 4), Eye(L, 2, confidence=0.71)), clock.now(), name="Yamada^Tarou=山田^太郎",
            patient_id="8841-7", delivery=DeliveryState.CONFIRMED,
        )  # fmt: skip
    [row] = page().all("li.row")
    assert len(row.all("a")) == 1
    assert row.all("a")[0].attributes["href"] == "/cases/1"
    assert row.text == (
        "Refer immediately (ADA-2017) The right eye looks like proliferative retinopathy, sure. The left eye looks like "
        "moderate non-proliferative retinopathy, fairly sure. R 4 Proliferative sure Right eye, proliferative, sure. "
        "L 2 Moderate fairly sure Left eye, moderate, fairly sure. Yamada, Tarou 山田 太郎 ID 8841-7 · 12 Mar 07:58 "
        "due 16:00, 7 h left confirmed"
    )


def test_ux_U2_no_code_and_no_score_stands_in_the_list(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 4, score=3.7123, confidence=0.8765), blurred(L)), clock.now(), fault=FAULT,
                 delivery=DeliveryState.FAILED)  # fmt: skip
    text = page().all("main")[0].text
    assert "Proliferative" in text
    for code in ("3.71", "0.87", "87", "referable", "delivery_failed", "too_dark", "2.25.", "grade 4"):
        assert code not in text, code


def test_ux_U4_the_right_eye_stands_before_the_left(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(L, 2), Eye(None, 1), Eye(R, 0)), clock.now())
    sides = [eye.text.split()[0] for eye in page().all("li.row .eye")]
    assert sides == ["R", "L", "Side"]


def test_T29_a_synthetic_eye_is_marked_and_not_counted(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now(), synthetic=True)
    shown = page()
    assert [mark.text for mark in shown.all("li.row .synthetic")] == [words.SYNTHETIC_MARK]
    assert [tab.text for tab in shown.all(".tabs a")] == ["Needs attention 0", "Not delivered 0", "All 0"]


@pytest.mark.parametrize("state", DeliveryState)
def test_ux_U20_how_far_a_result_has_come_is_a_shape_and_a_word(
    database: Database, clock: Any, page: Callable[..., Page], state: DeliveryState
) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), delivery=state)
    [shown] = page("/?tab=all").all("li.row .state")
    assert shown.text == state
    assert len(shown.all("svg")) == 1


def test_T19_a_destination_that_is_away_is_said_once(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        for number in range(3):
            add_case(t, healthy(), clock.now(), key=str(number), fault=FAULT, delivery=DeliveryState.WAITING)
    shown = page("/?tab=undelivered")
    assert [notice.text for notice in shown.all(".notice")] == [f"3 results have not reached {FAULT} Next try 08:02."]
    assert len(shown.all("li.row")) == 3


def test_empty_at_first_start_it_says_where_to_send(app: FastAPI, page: Callable[..., Page]) -> None:
    app.state.listener = Listener(ae_title="EYECLINIC", port=10104)
    [empty] = page().all(".empty")
    assert "No photograph has arrived yet. Cameras send to EYECLINIC at 127.0.0.1:10104." in empty.text
    assert "make demo" in empty.text


def test_empty_when_all_is_well_it_says_what_that_is_worth(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        for number in range(2):
            add_case(t, healthy(), clock.now(), key=str(number))
        add_case(t, healthy(), clock.now() - timedelta(days=2), key="older")
        add_case(t, (Eye(R, 0), pending(L)), clock.now(), key="not yet", status=CaseStatus.ARRIVING)
    assert page().all(".empty")[0].text == "Nothing needs you. 2 cases were graded normal today."
    assert page("/?tab=undelivered").all(".empty")[0].text == words.NOT_DELIVERED_NOWHERE
    assert len(page("/?tab=all").all("li.row")) == 4


def test_ux_U26_neither_title_nor_addresses_hold_patient_data(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 4),), clock.now(), name="Canary^Name", patient_id="CANARY7F3A", accession="CANARY7F3A")
    for path in ("/", "/cases/1"):
        shown = page(path)
        assert "CANARY" not in shown.all("title")[0].text.upper()
        for element in shown.all("*"):
            for attribute in ("href", "src", "action", "data-preview", "data-full", "data-heat"):
                assert "CANARY" not in element.attributes.get(attribute, "").upper()
    assert page("/cases/1").all("title")[0].text == "Case 1 - RetinaGate"


def test_a_long_list_goes_on_where_it_ended(
    database: Database, clock: Any, page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.worklist.ROWS", 3)
    with database.transaction() as t:
        for number in range(7):
            add_case(t, (Eye(R, number % 5), Eye(L, 2)), clock.now(), key=str(number))
    seen: list[str] = []
    path: str | None = "/"
    while path:
        shown = page(path)
        seen += [row.attributes["data-case"] for row in shown.all("li.row")]
        more = shown.all(".more a")
        path = more[0].attributes["href"] if more else None
    assert len(seen) == len(set(seen)) == 7


def test_what_changes_comes_without_the_frame_around_it(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), clock.now())
    part = page("/worklist/rows")
    assert part.all("html") == []
    assert [row.text for row in part.all("li.row")] == [row.text for row in page("/").all("li.row")]


@pytest.mark.parametrize("query", ["tab=CANARY7F3A", "after=CANARY7F3A", "after=0", "after=9223372036854775808"])
def test_H18_a_wrong_address_is_not_repeated(signed_in: Callable[[Role], Visitor], query: str) -> None:
    answer = signed_in(Role.VIEWER).get(f"/?{query}")
    assert answer.status_code == 422
    assert "CANARY7F3A" not in answer.text
