"""How pages stand at every width and in both themes: whole, reachable, and without a fault that axe knows (F14, U12)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reading_room import CASES, Reader, Site

WIDTHS = (1440, 1024, 720, 320)
THEMES = ("light", "dark")
PATHS = (
    "/",
    "/?tab=all",
    "/?tab=undelivered",
    *(f"/cases/{number}" for number in CASES.values()),
    "/password",
    "/nothing",
)
SERIOUS = {"serious", "critical"}


def _window(open_reader: Callable[..., Reader], site: Site, width: int, theme: str = "light") -> Reader:
    return open_reader(site, width=width, height=900 if width > 1024 else 768, theme=theme).sign_in()


@pytest.mark.parametrize("width", WIDTHS)
def test_ux_F14_no_page_scrolls_sideways(site: Site, open_reader: Callable[..., Reader], width: int) -> None:
    reader = _window(open_reader, site, width)
    reader.expected = ("404",)
    for path in PATHS:
        reader.page.goto(path)
        if "/cases/" in path:
            reader.wait_drawn()
        assert reader.page.evaluate("() => document.documentElement.scrollWidth") <= width, path
    reader.page.context.clear_cookies()
    reader.page.goto("/login")
    assert reader.page.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_ux_U5_the_banner_never_scrolls_away(site: Site, open_reader: Callable[..., Reader], width: int) -> None:
    reader = _window(open_reader, site, width)
    reader.open_case("8841-7")
    reader.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    for part in ("h1", "dl div:nth-child(1)", "dl div:nth-child(2)"):
        box = reader.page.locator(f".patient {part}").bounding_box()
        assert box is not None
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] < 300, part


@pytest.mark.parametrize("width", [1440, 720])
def test_ux_U25_the_focus_never_hides_under_the_banner(
    site: Site, open_reader: Callable[..., Reader], width: int
) -> None:
    reader = _window(open_reader, site, width)
    reader.open_case("8841-7")
    reader.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    hidden = """() => { const at = document.activeElement; if (at.closest('.banner, .top, .skip')) return false;
      const bar = document.querySelector('.banner').getBoundingClientRect(); const box = at.getBoundingClientRect();
      return box.height > 0 && box.bottom <= bar.bottom + 1 && bar.top >= -1; }"""
    for _ in range(45):
        reader.page.keyboard.press("Shift+Tab")
        assert not reader.page.evaluate(hidden), reader.page.evaluate("() => document.activeElement.outerHTML")


def test_ux_U16_targets_have_24_pixels(site: Site, open_reader: Callable[..., Reader]) -> None:
    small = """() => [...document.querySelectorAll('a, button, select, input')].filter((target) => {
      const box = target.getBoundingClientRect(); const inline = target.matches('p a, li a, dd a');
      return box.width > 0 && !target.matches('.skip') && !inline && (box.width < 24 || box.height < 24); })
      .map((target) => target.outerHTML)"""
    for width in (1440, 320):
        reader = _window(open_reader, site, width)
        for path in ("/", f"/cases/{CASES['8841-7']}", f"/cases/{CASES['5602-8']}"):
            reader.page.goto(path)
            assert reader.page.evaluate(small) == [], (path, width)


@pytest.fixture(scope="session")
def axe(node_modules: Path) -> str:
    return (node_modules / "axe-core" / "axe.min.js").read_text()


def _violations(reader: Reader, axe: str) -> list[Any]:
    reader.page.evaluate(axe)
    found = reader.page.evaluate("async () => (await axe.run()).violations")
    return [(one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3]) for one in found
            if one["impact"] in SERIOUS]  # fmt: skip


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1440, 1024, 320])
def test_axe_finds_nothing_serious(
    site: Site, open_reader: Callable[..., Reader], axe: str, width: int, theme: str
) -> None:
    reader = open_reader(site, width=width, theme=theme)
    reader.expected = ("404",)
    reader.page.goto("/login")
    assert _violations(reader, axe) == []
    reader.sign_in()
    assert _violations(reader, axe) == []
    for patient_id in ("8841-7", "4488-6", "5602-8"):
        reader.open_case(patient_id)
        reader.page.keyboard.press("h")
        assert _violations(reader, axe) == [], patient_id
    for path in ("/?tab=all", "/password", "/nothing"):
        reader.page.goto(path)
        assert _violations(reader, axe) == [], path
