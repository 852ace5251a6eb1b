"""What a page is when things are otherwise: empty, hostile, changed meanwhile, in another theme, on paper."""

import re
from collections.abc import Callable

import pytest
from hostile_texts import HOSTILE
from listed_case import Eye, L, R, add_case, healthy
from reading_room import CASES, Reader, Site
from sqlalchemy import delete

from casebook import cases, jobs
from casebook.models import Session
from casebook.words import DeliveryState, JobKind


def test_the_first_start_says_where_to_send(empty_site: Site, open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(empty_site).sign_in()
    empty = reader.page.locator(".empty")
    assert "No photograph has arrived yet. Cameras send to RETINAGATE at 127.0.0.1:11112." in empty.inner_text()
    with empty_site.database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), empty_site.clock.now())
    reader.page.locator(".row").wait_for()  # an empty list has no row to keep in place


def test_ux_U24_a_case_that_is_not_there_is_a_page(reader: Reader) -> None:
    reader.expected = ("404",)
    reader.page.goto("/cases/999")
    assert reader.page.locator("h1").inner_text() == "There is nothing here"
    reader.page.get_by_role("link", name="To the list of cases").click()
    reader.page.wait_for_url("**/")


def test_T9_a_case_that_changes_says_so_and_moves_nothing(reader: Reader) -> None:
    reader.open_case("9034-1")
    page, site = reader.page, reader.site
    page.wait_for_function(
        "() => performance.getEntriesByName(location.origin + '/api/v1' + location.pathname).length > 0"
    )
    with site.database.transaction() as t:
        # Another case's job changes the list, and nothing here.
        jobs.enqueue(t, JobKind.DELIVER, "elsewhere", site.clock.now())
    page.wait_for_function(
        "() => performance.getEntriesByName(location.origin + '/api/v1' + location.pathname).length > 1"
    )
    assert not page.locator("#changed").is_visible()
    with site.database.transaction() as t:
        cases.regrade(t, CASES["9034-1"], site.clock.now())
    page.locator("#changed").wait_for()
    page.get_by_role("link", name="Show the change").click()
    page.get_by_text("Wait for the grades").wait_for()


@pytest.mark.parametrize("path", ["/", f"/cases/{CASES['8841-7']}"])
def test_H6_when_the_session_has_ended_no_patient_stays_on_the_screen(reader: Reader, path: str) -> None:
    reader.expected = ("401", "MIME")
    reader.page.goto(path)
    if path != "/":
        reader.wait_drawn()
    with reader.site.database.transaction() as t:
        t.execute(delete(Session))
        jobs.enqueue(t, JobKind.DELIVER, "elsewhere", reader.site.clock.now())
    reader.page.wait_for_url(re.compile(r"/login\?next="))


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_chosen_theme_stays_and_nothing_else_is_kept(
    site: Site, open_reader: Callable[..., Reader], system: str
) -> None:
    reader = open_reader(site, theme=system).sign_in()
    page = reader.page
    ground = "() => getComputedStyle(document.documentElement).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(14, 17, 19)"
    assert page.evaluate(ground) == (dark if system == "dark" else light)
    other = "light" if system == "dark" else "dark"
    page.select_option("#theme", other)
    assert page.evaluate(ground) == (light if system == "dark" else dark)
    reader.open_case("8841-7")
    assert page.evaluate(ground) == (light if system == "dark" else dark)
    assert page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 0]
    assert {cookie["name"] for cookie in page.context.cookies()} == {"retinagate", "theme"}
    page.select_option("#theme", "")
    page.reload()
    assert page.evaluate(ground) == (dark if system == "dark" else light)
    assert {cookie["name"] for cookie in page.context.cookies()} == {"retinagate"}


def test_D4_hostile_texts_are_shown_as_typed_and_do_nothing(
    empty_site: Site, open_reader: Callable[..., Reader]
) -> None:
    reader = open_reader(empty_site)
    shown = []
    with empty_site.database.transaction() as t:
        for hostile in HOSTILE:
            # Neither "=" nor "^" can be part of a name: they separate its groups and components (PS3.5 6.2.1).
            named = hostile.replace("=", "-").replace("^", "-")
            shown.append(named)
            add_case(
                t, (Eye(R, 3), Eye(L, 0)), empty_site.clock.now(), key=hostile, name=f"{named}^{named}={named}={named}",
                patient_id=hostile, issuer=hostile, accession=hostile, description=hostile, calling_ae=hostile,
                camera={"00080070": hostile, "00081010": hostile, "00080080": hostile}, delivery=DeliveryState.FAILED,
                fault=hostile,
            )  # fmt: skip
            add_case(t, healthy(), empty_site.clock.now(), key=f"before {hostile}", patient_id=hostile, issuer=hostile,
                     study_date="20200101")  # fmt: skip
    reader.sign_in()
    text = reader.page.locator("main").text_content() or ""
    for hostile in (*HOSTILE, *shown):
        assert hostile in text
    for number in range(len(HOSTILE)):
        reader.page.goto(f"/cases/{2 * number + 1}")
        reader.wait_drawn()
        text = reader.page.locator("main").text_content() or ""
        assert text.count(HOSTILE[number]) >= 6, HOSTILE[number]
        assert shown[number] in text
    assert reader.page.evaluate("() => document.querySelectorAll('main script, main iframe, main object').length") == 0
    # The list also takes rows into itself; those must be as harmless.
    reader.page.goto("/")
    with empty_site.database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 0)), empty_site.clock.now(), key="late", name=f"{shown[1]}^{shown[9]}")
    reader.page.get_by_role("status").get_by_text("1 new, press").wait_for()
    reader.page.keyboard.press(".")
    reader.page.locator(".row").first.wait_for()


def test_D6_an_endless_name_leaves_the_page_whole(empty_site: Site, open_reader: Callable[..., Reader]) -> None:
    with empty_site.database.transaction() as t:
        for number, name in enumerate(("x" * 65536, "^" * 1000, "e" + "\u0301" * 500, "\u202egnp.exe", "a " * 5000)):
            add_case(t, (Eye(R, 4), Eye(L, 0)), empty_site.clock.now(), key=str(number), name=name, patient_id=name)
    for width in (1440, 320):
        reader = open_reader(empty_site, width=width).sign_in()
        for row in reader.page.locator(".row").all():
            box = row.bounding_box()
            assert box is not None
            assert box["height"] < 420
        for number in range(1, 6):
            reader.page.goto(f"/cases/{number}")
            assert reader.page.evaluate("() => document.documentElement.scrollWidth") <= width
            box = reader.page.locator(".patient").bounding_box()
            assert box is not None
            assert box["height"] < 420


def test_ux_U27_paper_shows_both_eyes_on_one_page(reader: Reader) -> None:
    reader.open_case("8841-7")
    page = reader.page
    page.emulate_media(media="print")
    assert [" ".join(text.split()) for text in page.locator(".sheet figcaption").all_inner_texts()] == [
        "Right eye: 4 Proliferative sure", "Left eye: 2 Moderate fairly sure",
    ]  # fmt: skip
    decided = [image.get_attribute("src") for image in page.locator(".sheet img").all()]
    assert decided == [shot["preview"] for shot in reader.pictures("({...picture.shot.dataset})")]
    for part in (".patient h1", ".answer", ".sheet"):
        assert page.locator(part).is_visible(), part
    for part in (".panels", ".tools", ".top"):
        assert not page.locator(part).is_visible(), part
    paper = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "12mm"))
    assert paper.count(b"/Type /Page\n") == 1
