"""The list in use: by keyboard alone, and never moving under the eye (ux U3, U4, U15)."""

from collections.abc import Callable

from listed_case import Eye, L, R, add_case
from reading_room import CASES, Reader, Site
from running_service import wait_for
from sqlalchemy import select, update

from casebook import jobs, worklist
from casebook.models import AttentionRow, Delivery, Report, Revision
from casebook.words import DeliveryState, JobKind
from casebook.worklist import Tab


def _order(reader: Reader) -> list[int]:
    return [int(row.get_attribute("data-case") or 0) for row in reader.page.locator(".row").all()]


def _waiting(reader: Reader) -> int:
    return int(reader.page.locator(".tabs a").first.inner_text().split()[-1])


def test_ux_U1_the_page_stands_in_the_casebooks_order(reader: Reader) -> None:
    with reader.site.database.reading() as t:
        views, _ = worklist.tab_page(t, Tab.ATTENTION, limit=100)
        assert _order(reader) == [view.case.id for view in views]
    assert _order(reader)[0] == CASES["8841-7"]


def test_ux_U15_the_list_is_worked_by_keyboard(reader: Reader) -> None:
    page = reader.page
    order = _order(reader)
    for key in ("j", "j", "k", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert page.locator(".row.chosen").get_attribute("data-case") == str(order[1])
    assert page.evaluate("() => document.activeElement.closest('.row').dataset.case") == str(order[1])
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{order[1]}")
    reader.wait_drawn()
    page.keyboard.press("j")
    page.wait_for_url(f"**/cases/{order[2]}")
    reader.wait_drawn()
    page.keyboard.press("k")
    page.wait_for_url(f"**/cases/{order[1]}")
    reader.wait_drawn()
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/#case-{order[1]}")
    page.keyboard.press("j")
    assert page.locator(".row.chosen").get_attribute("data-case") == str(order[2])


def test_ux_U15_letters_typed_into_a_field_are_letters(reader: Reader) -> None:
    page = reader.page
    page.locator("#theme").focus()
    page.keyboard.press("j")
    page.keyboard.press("Control+j")
    assert page.locator(".row.chosen").count() == 0


def test_ux_U3_what_comes_moves_nothing(reader: Reader) -> None:
    page, site = reader.page, reader.site
    page.keyboard.press("j")
    page.keyboard.press("j")
    before = {case: page.locator(f".row[data-case='{case}']").bounding_box() for case in _order(reader)}
    chosen = page.locator(".row.chosen").get_attribute("data-case")
    waiting = _waiting(reader)
    for number in (1, 2):
        with site.database.transaction() as t:
            case = add_case(t, (Eye(R, 4), Eye(L, 4)), site.clock.now(), key=f"urgent {number}", name=f"New^{number}")
        page.get_by_role("status").get_by_text(f"{number} new, press").wait_for()
    assert {case: page.locator(f".row[data-case='{case}']").bounding_box() for case in _order(reader)} == before
    assert _waiting(reader) == waiting + 2
    page.keyboard.press(".")
    page.locator(f".row[data-case='{case.id}']").wait_for()
    assert page.get_by_role("status").inner_text() == ""
    assert page.locator(".row.chosen").get_attribute("data-case") == chosen


def test_ux_U3_cells_change_where_they_stand_and_what_is_done_turns_grey(reader: Reader) -> None:
    page, site = reader.page, reader.site
    row = page.locator(f".row[data-case='{CASES['5602-8']}']")
    box = row.bounding_box()
    assert row.locator(".state").inner_text() == "failed"
    with site.database.transaction() as t:
        of_case = select(Report.id).join(Report.revision).where(Revision.case_id == CASES["5602-8"])
        t.execute(update(Delivery).where(Delivery.report_id.in_(of_case)).values(
            state=DeliveryState.SENT, sent_at=site.clock.now()))  # fmt: skip
        jobs.enqueue(t, JobKind.DELIVER, "another", site.clock.now())
    row.get_by_text("sent", exact=True).wait_for()
    assert row.bounding_box() == box
    with site.database.transaction() as t:
        t.execute(
            update(AttentionRow).where(AttentionRow.case_id == CASES["5602-8"]).values(cleared_at=site.clock.now())
        )
    page.locator(f".row.finished[data-case='{CASES['5602-8']}']").wait_for()
    assert row.bounding_box() == box


def test_the_list_is_kept_up_to_date_without_a_stream(site: Site, open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(site)
    reader.expected = ("503", "live")
    while site.app.state.live.enter():
        pass  # all places are taken
    reader.page.clock.install()
    reader.sign_in()
    with site.database.transaction() as t:
        add_case(t, (Eye(R, 4), Eye(L, 4)), site.clock.now(), key="urgent")

    def shown_after_a_while() -> int:
        reader.page.clock.run_for(15_000)
        return reader.page.get_by_role("status").get_by_text("1 new, press").count()

    wait_for(shown_after_a_while, 20, "the new case")


def test_ux_U4_right_stands_left_of_left(reader: Reader) -> None:
    for row in reader.page.locator(".row").all():
        right, left = (row.locator(".eye").nth(number).bounding_box() for number in (0, 1))
        assert right is not None
        assert left is not None
        assert right["x"] < left["x"]
        assert row.locator(".eye .side").nth(0).inner_text() == "R"
        assert row.locator(".eye .side").nth(1).inner_text() == "L"
    reader.open_case("8841-7")
    boxes = [panel.bounding_box() for panel in reader.page.locator(".panel").all()]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] < boxes[1]["x"]
    reader.open_case("4488-6")
    places = [box["x"] for panel in reader.page.locator(".panel").all() if (box := panel.bounding_box()) is not None]
    assert places == sorted(places)
    assert [heading.split("\n")[0] for heading in reader.page.locator(".panel h2").all_inner_texts()][1].startswith(
        "Side not known"
    )


def test_ux_U4_stacked_right_stands_above_left(site: Site, open_reader: Callable[..., Reader]) -> None:
    reader = open_reader(site, width=720).sign_in()
    reader.open_case("8841-7")
    right, left = (panel.bounding_box() for panel in reader.page.locator(".panel").all())
    assert right is not None
    assert left is not None
    assert right["y"] < left["y"]
    assert right["x"] == left["x"]
