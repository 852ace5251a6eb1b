"""A reader's way: sign in, the case that cannot wait, both eyes, where the network looked, the report in hand."""

from typing import Any

from reading_room import CASES, Reader

CYAN = (0x00, 0xC8, 0xFF)
# Colours on a grid over a picture's canvas, as one list of [r, g, b] per place.
GRID = """(() => { const canvas = picture.box.querySelector('canvas'); const at = canvas.getContext('2d');
  const found = [];
  for (let y = 1; y < 24; y += 1) for (let x = 1; x < 24; x += 1)
    found.push([...at.getImageData(x * canvas.width / 24, y * canvas.height / 24, 1, 1).data].slice(0, 3));
  return found; })()"""


def test_from_the_door_to_the_report(reader: Reader) -> None:
    page = reader.page
    reader.expected = ("willReadFrequently",)  # we look at pixels, the page never does
    first = page.locator(".row").first
    assert "Refer immediately (ADA-2017)" in first.inner_text()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{CASES['8841-7']}")
    reader.wait_drawn()
    assert page.title() == f"Case {CASES['8841-7']} - RetinaGate"
    assert page.locator(".patient h1").inner_text() == "YAMADA, Tarou 山田 太郎"

    # The heat-map is off at first (U9), and one hue with strength as alpha (U10).
    assert [heat or "0" for heat in reader.pictures("picture.box.dataset.heat")] == ["0", "0"]
    assert not any("heatmap" in address for address in reader.requests)
    bare = reader.pictures(GRID)
    page.keyboard.press("h")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.viewer')].every((box) => box.dataset.heatDrawn === 'yes')"
    )
    assert reader.pictures("picture.heat.getOpacity()") == [0.4, 0.4]
    for _ in range(9):
        page.keyboard.press(".")
    assert reader.pictures("picture.box.dataset.heat") == ["100", "100"]
    _wait_until_drawn_at(reader, 1)
    for before, after in zip(bare, reader.pictures(GRID), strict=True):
        _assert_cyan(before, after)
    page.keyboard.press("h")
    _wait_until_drawn_at(reader, 0)
    assert reader.pictures(GRID) == bare

    with page.expect_download() as download:
        page.get_by_role("link", name="Structured Report").click()
    assert download.value.suggested_filename.startswith(f"retinagate-case-{CASES['8841-7']}-sr-")
    assert download.value.path().read_bytes()[128:132] == b"DICM"

    page.keyboard.press("Escape")
    page.wait_for_url(f"**/#case-{CASES['8841-7']}")
    assert page.locator(".row.chosen").get_attribute("data-case") == str(CASES["8841-7"])


def _wait_until_drawn_at(reader: Reader, opacity: float) -> None:
    assert reader.pictures("picture.heat.getOpacity()") == [opacity] * 2
    reader.pictures("picture.viewer.forceRedraw()")
    reader.page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    reader.pictures(
        "new Promise((done) => { picture.viewer.addOnceHandler('update-viewport', done); picture.viewer.forceRedraw(); })"
    )


def _assert_cyan(before: list[list[int]], after: list[list[int]]) -> None:
    """Whatever changed has moved towards cyan, by the same share in every channel."""
    shares = []
    for old, new in zip(before, after, strict=True):
        parts = [(n - o) / (c - o) for o, n, c in zip(old, new, CYAN, strict=True) if abs(c - o) > 60]
        if max(parts, default=0.0) > 0.1:
            assert max(parts) - min(parts) < 0.1, (old, new, parts)
            shares.append(max(parts))
    assert len(shares) > 10, "the heat-map shows nowhere"


def test_ux_F8_only_the_preview_travels_until_somebody_zooms(reader: Reader) -> None:
    reader.open_case("8841-7")
    pictures = [address for address in reader.requests if ".jpg" in address]
    assert pictures
    assert all("preview.jpg" in address for address in pictures)
    reader.page.locator(".viewer [role=img]").first.focus()
    for _ in range(4):
        reader.page.keyboard.press("+")
    reader.page.wait_for_function("() => document.querySelector('.viewer').dataset.drawn === 'full'")
    full = [address for address in reader.requests if "full.jpg" in address]
    assert len(full) == 1, "only the eye that has the focus was zoomed"


def test_ux_F4_no_key_mirrors_or_turns_an_eye(reader: Reader) -> None:
    reader.open_case("8841-7")
    picture = reader.page.locator(".viewer [role=img]").first
    picture.focus()
    for key in ("f", "r", "F", "R", "Shift+F", "Shift+R", "w", "a", "s", "d"):
        reader.page.keyboard.press(key)
    assert reader.pictures("[picture.viewer.viewport.getFlip(), picture.viewer.viewport.getRotation()]") == [
        [False, 0], [False, 0],
    ]  # fmt: skip


def test_ux_F6_pictures_have_a_name(reader: Reader) -> None:
    reader.open_case("8841-7")
    names = [picture.get_attribute("aria-label") for picture in reader.page.locator(".viewer [role=img]").all()]
    assert names == [
        "Right eye, photograph 1 of 2, proliferative, sure", "Left eye, photograph 1 of 1, moderate, fairly sure",
    ]  # fmt: skip


def test_the_other_photograph_of_an_eye_is_one_press_away(reader: Reader) -> None:
    reader.open_case("8841-7")
    reader.page.locator(".film button").nth(1).click()
    reader.wait_drawn()
    assert reader.pictures("picture.shot.dataset.spoken")[0] == "Right eye, photograph 2 of 2, severe, fairly sure"


def test_ux_U22_what_is_not_as_sent_stands_on_the_picture_and_ends_with_the_case(reader: Reader) -> None:
    reader.open_case("8841-7")
    marks = reader.page.locator(".marks").first
    reader.page.keyboard.press("g")
    assert marks.inner_text() == "red-free"
    assert "redfree.svg#g" in reader.page.locator(".viewer canvas").first.evaluate("(c) => getComputedStyle(c).filter")
    reader.page.keyboard.press("h")
    assert marks.inner_text() == "heat-map 40 %"
    reader.page.keyboard.press("h")
    reader.page.keyboard.press("o")
    assert marks.inner_text() == "1:1"
    reader.page.keyboard.press("+")
    assert marks.inner_text() == "enlarged 1.5x"
    reader.page.keyboard.press("f")
    assert marks.inner_text() == ""
    reader.page.reload()
    reader.wait_drawn()
    assert marks.inner_text() == ""


def test_ux_U16_everything_a_key_does_a_button_does(reader: Reader) -> None:
    reader.open_case("8841-7")
    place = "[picture.viewer.viewport.getZoom(false), ...Object.values(picture.viewer.viewport.getCenter(false))]"
    home = reader.pictures(place)
    for tool in ("in", "left", "up", "out", "in", "right", "down", "one"):
        before = reader.pictures(place)
        reader.page.locator(f"[data-tool={tool}]").click()
        assert reader.pictures(place) != before, tool
    reader.page.locator("[data-tool=fit]").click()
    assert reader.pictures(place) == home
    reader.page.locator("[data-tool=heat]").click()
    assert reader.page.locator("[data-tool=heat]").get_attribute("aria-pressed") == "true"
    slider = reader.page.locator("#strength")
    slider.focus()
    reader.page.keyboard.press("ArrowRight")
    assert reader.pictures("picture.box.dataset.heat") == ["50", "50"]
    assert reader.pictures(place) == home


def test_ux_U9_a_healthy_eye_gets_no_heat_map(reader: Reader) -> None:
    reader.open_case("PHANTOM")
    reader.page.keyboard.press("h")
    reader.page.wait_for_function("() => document.querySelector('.viewer').dataset.heatDrawn === 'yes'")
    assert reader.pictures("Boolean(picture.heat)") == [True, False]
    assert [mark.inner_text() for mark in reader.page.locator(".marks").all()] == ["heat-map 40 %", ""]


def test_what_failed_is_sent_again_from_the_page(reader: Reader) -> None:
    reader.open_case("5602-8")
    assert reader.page.locator(".result .problem").count() == 3
    reader.page.get_by_role("button", name="Send again").click()
    reader.page.get_by_text("3 results are on the way again.").wait_for()
    assert reader.page.locator(".result .state").all_inner_texts() == ["waiting"] * 3


def test_a_picture_that_cannot_be_had_says_so(reader: Reader) -> None:
    reader.expected = ("404", "503", "failed to load", "Failed to load")
    reader.page.route("**/preview.jpg*", lambda route: route.fulfill(status=503, body=""))
    reader.open_case("2207-5")
    sentence: Any = reader.page.locator(".instead").first.inner_text()
    assert sentence.startswith("This photograph could not be shown. Its grade is still valid")
