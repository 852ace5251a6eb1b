"""Every pair of colours that carries a text or an outline, recomputed from the style sheet (WCAG 2.2, ux U11, U12)."""

import itertools
import re
from pathlib import Path

import pytest

from dashboard import assets

CSS = (assets.FOLDER / "site.css").read_text()
VARIABLE = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\);")
COLOURS = {name: {"light": light, "dark": dark} for name, light, dark in VARIABLE.findall(CSS)}
THEMES = ("light", "dark")
GROUNDS = ("page", "surface", "selected")
TEXTS = ("text", "muted", "link")


def luminance(colour: str) -> float:
    """Return WCAG's relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_is_the_one_of_the_standard() -> None:
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#14191C", "#FFFFFF") == pytest.approx(17.7, abs=0.05)
    assert len(COLOURS) == 24


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), [*itertools.product(TEXTS, GROUNDS)])
def test_ux_U12_texts_have_4_5(theme: str, text: str, ground: str) -> None:
    assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", ["danger", "warning", "done"])
def test_ux_U12_states_have_4_5(theme: str, text: str, ground: str) -> None:
    assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_ux_U12_a_main_buttons_text_has_4_5(theme: str) -> None:
    assert contrast(COLOURS["on-link"][theme], COLOURS["link"][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["page", "surface"])
def test_ux_U12_outlines_and_focus_have_3(theme: str, ground: str) -> None:
    for line in ("outline", "focus"):
        assert contrast(COLOURS[line][theme], COLOURS[ground][theme]) >= 3, line


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("grade", range(5))
def test_ux_U11_a_chips_text_has_4_5_on_its_fill(theme: str, grade: int) -> None:
    assert contrast(COLOURS[f"on-grade-{grade}"][theme], COLOURS[f"grade-{grade}"][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_ux_U11_lightness_alone_orders_the_grades(theme: str) -> None:
    scale = [luminance(COLOURS[f"grade-{grade}"][theme]) for grade in range(5)]
    assert scale == sorted(scale, reverse=theme == "light")


@pytest.mark.parametrize("theme", THEMES)
def test_hatching_leaves_its_text_readable(theme: str) -> None:
    assert contrast(COLOURS["text"][theme], COLOURS["hatch"][theme]) >= 4.5


def test_no_colour_stands_outside_the_variables() -> None:
    allowed = {"#000", "#6F7C84", "#E6EAEC", "#171C1F", "#7A3B1E"}  # on the black around photographs, the same in both
    for file in Path(assets.FOLDER).glob("*.css"):
        text = VARIABLE.sub("", file.read_text())
        assert set(re.findall(r"#[0-9A-Fa-f]{3,8}\b", text)) <= allowed, file.name
