"""A case as HTML: right person, right eye, what became of the result, and every hostile text inert (ux U4-U9, D4)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from hostile_texts import HOSTILE
from html_page import Page, read
from listed_case import Eye, L, R, add_case, blurred, healthy, pending
from sqlalchemy import select
from visitor import Visitor

from casebook import words
from casebook.database import Database
from casebook.models import AuditRow, BundleRow, Delivery, Grading, Photograph, Role
from casebook.settings import Destination
from casebook.words import CaseStatus, DeliveryState

FAULT = "pacs (PACS at 10.0.0.5:4242): it refuses the connection. Check there whether RETINAGATE may connect."
PACS = Destination(name="pacs", ae_title="PACS", host="10.0.0.5", port=4242)


@pytest.fixture
def visitor(signed_in: Callable[[Role], Visitor]) -> Visitor:
    return signed_in(Role.GRADER)


@pytest.fixture
def page(visitor: Visitor) -> Callable[..., Page]:
    def show(path: str = "/cases/1") -> Page:
        answer = visitor.get(path)
        assert answer.status_code == 200, answer.text
        return read(answer.text)

    return show


def test_ux_U5_the_banner_says_who_it_is(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), name="Yamada^Tarou=山田^太郎=やまだ^たろう", patient_id="8841-7",
                 issuer="RG", accession="A815")  # fmt: skip
    [banner] = page().all(".patient")
    assert banner.all("h1")[0].text == "Yamada, Tarou 山田 太郎 やまだ たろう"
    assert [fact.text for fact in banner.all("dl div")] == [
        "Born 2 Apr 1961 (64)", "ID 8841-7 (RG)", "Photographed 12 Mar 2026 07:58", "Accession A815",
    ]  # fmt: skip


def test_ux_U5_what_is_not_known_is_said_so(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), name="", patient_id="", born="00000000", study_date="yesterday")
    [banner] = page().all(".patient")
    assert banner.all("h1")[0].text == "Name not known"
    assert [fact.text.split(" ", 1)[1] for fact in banner.all("dl div")] == ["not known"] * 4


def test_ux_U4_the_unknown_side_stands_between_right_and_left(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(L, 1), Eye(None, 2), Eye(R, 0)), clock.now())
    assert [panel.all("h2")[0].text for panel in page().all(".panel")] == [
        "R Right eye 0 None sure, 90 %", "Side not known 2 Moderate sure, 90 %", "L Left eye 1 Mild sure, 90 %",
    ]  # fmt: skip


def test_every_eye_that_cannot_be_shown_says_why(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, (blurred(R),), clock.now(), key="1")
        add_case(t, (pending(R), Eye(L, 0)), clock.now(), key="2", status=CaseStatus.ARRIVING)
    right, left = page("/cases/1").all(".panel")
    assert "Ungradable" in right.text
    assert "It is too blurred." in right.text
    assert left.text == "L Left eye No photograph No photograph"
    right, _ = page("/cases/2").all(".panel")
    assert "Not graded yet" in right.text
    assert right.all(".film button")[0].attributes["data-instead"] == words.NO_PICTURE_YET


def test_ux_U9_no_heat_map_is_offered_where_no_eye_has_disease(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now())
    shown = page()
    assert shown.all(".heat") == []
    assert words.HEATMAP_SENTENCE not in shown.text


def test_several_photographs_of_an_eye_say_which_one_decides(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 1), Eye(R, 3), blurred(R), Eye(L, 0)), clock.now())
    right, left = page().all(".panel")
    assert [button.text for button in right.all(".film button")] == ["1 1 Mild", "2 3 Severe decides", "3 Ungradable"]
    assert [button.attributes["aria-pressed"] for button in right.all(".film button")] == ["false", "true", "false"]
    assert right.all(".film button")[1].attributes["data-spoken"] == "Right eye, photograph 2 of 3, severe, sure"
    assert "hidden" in left.all(".film")[0].attributes


def test_each_frame_of_a_photograph_can_be_seen(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, (Eye(R, 1), Eye(L, 0)), clock.now())
        photograph = t.scalars(select(Photograph).where(Photograph.laterality == R)).one()
        first = t.scalars(select(Grading).where(Grading.photograph_id == photograph.id)).one()
        photograph.number_of_frames = 3
        for frame, grade in ((2, 3), (3, None)):
            t.add(
                Grading(
                    photograph_id=photograph.id, frame=frame, bundle_id=first.bundle_id, certainty=0.9, grade=grade,
                    gradability="gradable" if grade else "ungradable", reason=None if grade else "blurred",
                    score=grade and float(grade), confidence=grade and 0.9, runner="openvino", graded_at=clock.now(),
                )
            )  # fmt: skip
    right, _ = page().all(".panel")
    assert right.all("h2")[0].text == "R Right eye 3 Severe sure, 90 %"
    assert [button.text for button in right.all(".film button")] == ["1 1 Mild", "2 3 Severe decides", "3 Ungradable"]
    assert [why.text for why in right.all(".why")] == ["3: It is too blurred."]


def test_ux_U8_the_model_introduces_itself(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    card = {
        "training": {"data": [{"source": "A clinic", "fitted": 1200}, {"source": "Another", "fitted": 34}]},
        "scores": {"sources": {"all": {"photographs": 99, "sensitivity": {"value": 0.914}, "specificity": {"value": 0.8}}}},
        "intended_use": "Research use, not for diagnosis. Sees no other disease.",
    }  # fmt: skip
    with database.transaction() as t:
        add_case(t, healthy(), clock.now())
        t.scalars(select(BundleRow)).one().card = json.dumps(card)
    facts = [fact.text for fact in page().all(".facts div")]
    assert "Model rg-test 1" in facts
    assert "Runs on openvino" in facts
    assert "Trained on 1,234 photographs: A clinic; Another" in facts
    assert (
        "Tested on 99 other photographs of the same sources: 91 % of referable eyes found, 80 % of the others left alone"
        in facts
    )
    assert "Limits Research use, not for diagnosis. Sees no other disease." in facts
    assert words.RESEARCH_USE in page().all(".answer")[0].text


def test_T22_earlier_visits_are_those_of_the_same_person(
    database: Database, clock: Any, page: Callable[..., Page]
) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), key="now")
        add_case(t, (Eye(R, 1), blurred(L)), clock.now(), key="before", study_date="20250312")
    assert [visit.text for visit in page().all(".visits li")] == ["12 Mar 2025 R 1 Mild L Ungradable"]
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), key="somebody else", study_date="20200312", born="19800101")
    assert words.OTHER_PERSON_SENTENCE in page().text
    assert len(page().all(".visits li")) == 1


def test_T28_a_camera_that_is_ahead_is_named(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), study_date="20260313")
    assert words.CAMERA_AHEAD_SENTENCE in page().text


def test_T29_a_synthetic_eye_is_marked(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), synthetic=True)
    assert [mark.text for mark in page().all(".banner .synthetic")] == [words.SYNTHETIC_MARK]


def test_ux_U20_what_failed_says_what_to_do(database: Database, clock: Any, page: Callable[..., Page]) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), delivery=DeliveryState.WAITING, fault=FAULT)
    [result] = page().all(".result")
    assert result.text == f"Structured Report waiting pacs The result has not reached {FAULT} Next try 08:02."
    assert result.all("a")[0].attributes["href"].endswith(".dcm")


def test_what_failed_can_be_sent_again_from_the_page(
    database: Database, clock: Any, app: FastAPI, visitor: Visitor, page: Callable[..., Page]
) -> None:
    app.state.destinations = (PACS,)
    with database.transaction() as t:
        add_case(t, healthy(), clock.now() - timedelta(hours=1), delivery=DeliveryState.FAILED, fault=FAULT)
    page()
    answer = visitor.post("/cases/1/resend")
    assert answer.status_code == 303
    assert "1 result is on the way again." in page(answer.headers["location"]).text
    with database.reading() as t:
        delivery = t.scalars(select(Delivery)).one()
        assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.WAITING, clock.now())
        audited = t.scalars(select(AuditRow).where(AuditRow.action == "case.resend")).one()
        assert (audited.actor, audited.case_id, audited.outcome) == ("grader", 1, "ok")


def test_H4_sending_again_needs_the_form_and_the_role(
    database: Database, clock: Any, visitor: Visitor, signed_in: Callable[[Role], Visitor]
) -> None:
    with database.transaction() as t:
        add_case(t, healthy(), clock.now(), delivery=DeliveryState.FAILED, fault=FAULT)
    assert visitor.post("/cases/1/resend", csrf="").status_code == 403
    assert visitor.post("/cases/1/resend", csrf="0" * 64).status_code == 403
    foreign = {"Accept": "text/html", "Origin": "https://evil"}
    assert visitor.client.post("/cases/1/resend", data={"csrf": visitor.csrf}, headers=foreign).status_code == 403
    assert visitor.get("/cases/1/resend").status_code == 405
    viewer = signed_in(Role.VIEWER)
    shown = read(viewer.get("/cases/1").text)
    assert shown.all("form button.main") == shown.all("dialog form button.main")
    assert words.LOOK_ONLY_RESEND in shown.text
    assert viewer.post("/cases/1/resend").status_code == 403
    with database.reading() as t:
        assert t.scalars(select(Delivery.state)).one() is DeliveryState.FAILED
    assert visitor.post("/cases/99/resend").status_code == 404


@pytest.mark.parametrize(
    "path", ["/cases/0", "/cases/-1", "/cases/99", "/cases/9223372036854775808", "/cases/1e9", "/cases/%00"]
)
def test_H3_what_is_not_there_is_a_page_that_says_so(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert read(answer.text).all("h1")[0].text == "There is nothing here"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_D4_whatever_is_typed_is_shown_as_typed(
    database: Database, clock: Any, page: Callable[..., Page], hostile: str
) -> None:
    camera = {"00080070": hostile, "00081010": hostile, "00080080": hostile}
    # Neither "=" nor "^" can be part of a name: they separate its groups and components (PS3.5 6.2.1).
    named = hostile.replace("=", "-").replace("^", "-")
    with database.transaction() as t:
        add_case(
            t, (Eye(R, 1), Eye(L, 2)), clock.now(), name=f"{named}^{named}={named}={named}", patient_id=hostile,
            issuer=hostile, accession=hostile, description=hostile, calling_ae=hostile, camera=camera, born=hostile,
            study_date=hostile, study_time=hostile, delivery=DeliveryState.FAILED, fault=hostile,
        )  # fmt: skip
        add_case(t, healthy(), clock.now(), key="before", patient_id=hostile, issuer=hostile, study_date="20200101")
    folded = " ".join(hostile.split())
    for path in ("/", "/?tab=all", "/worklist/rows", "/cases/1"):
        shown = page(path)
        assert folded in shown.text
        tags = {element.tag for element in shown.all("*")}
        assert not tags & {"script"} or all("src" in script.attributes for script in shown.all("script"))
        assert all("onerror" not in e.attributes and "onload" not in e.attributes for e in shown.all("*"))
        assert all(image.attributes["src"].startswith("/api/") for image in shown.all("img"))
        assert "49" not in [element.text for element in shown.all("bdi")]
    case = page("/cases/1")
    assert sum(fact.text.endswith(folded) for fact in case.all("dl div")) >= 6
    assert folded in case.all(".problem")[0].text
