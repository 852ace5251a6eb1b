"""Names and other texts of peers as pages show them: in reading order, nothing hidden, nothing endless (S14, D5, D6)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.names import LONGEST, Name, person_name, visible


@pytest.mark.parametrize(
    ("value", "family", "given", "title", "scripts"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada", "Tarou", "", ("山田 太郎", "やまだ たろう")),
        ("=山田^太郎", "", "", "", ("山田 太郎",)),
        ("Kim^Cheolsu=김^철수", "Kim", "Cheolsu", "", ("김 철수",)),
        ("Haddad^Layla=حداد^ليلى", "Haddad", "Layla", "", ("حداد ليلى",)),
        ("O'Brien^Siobhán", "O'Brien", "Siobhán", "", ()),
        ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Adams", "John Robert Quincy", "Rev. B.A. M.Div.", ()),
        ("Okafor^Ngozi^Adaeze^Dr.", "Okafor", "Ngozi Adaeze", "Dr.", ()),
        ("Jane Doe", "Jane Doe", "", "", ()),
        ("^Jane", "", "Jane", "", ()),
        ("", "", "", "", ()),
        ("^^^^==", "", "", "", ()),
        (f"{'x' * 64}^y", "x" * 64, "y", "", ()),
    ],
)
def test_T23_a_name_stands_in_reading_order(
    value: str, family: str, given: str, title: str, scripts: tuple[str, ...]
) -> None:
    name = person_name(value)
    assert name == Name(family, given, title, scripts)
    assert name.is_empty == (not value.strip("^="))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_ux_U5_no_caret_and_no_control_is_ever_shown(value: str) -> None:
    name = person_name(value)
    for text in (name.family, name.given, name.title, *name.scripts):
        assert "^" not in text
        assert len(text) <= 12 * LONGEST
        assert all(
            unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
            and (unicodedata.category(character) != "Cf" or character in "\u200c\u200d")
            for character in text
        )


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("a\x00b", "a␀b"), ("a\r\nb", "a␍␊b"), ("\x1b[31mred", "␛[31mred"), ("\x7f", "␡"), ("\x85", "[U+0085]"),
        ("abc\u202ecba", "abc[U+202E]cba"), ("\u2066x\u2069", "[U+2066]x[U+2069]"), ("a\u200bb", "a[U+200B]b"),
        ("a\u2028b", "a[U+2028]b"), ("\ufeffx", "[U+FEFF]x"), ("\u0646\u200c\u0645", "\u0646\u200c\u0645"), ("plain ^text", "plain ^text"),
    ],
)  # fmt: skip
def test_D5_what_is_hidden_becomes_visible(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


def test_D6_what_is_endless_is_cut() -> None:
    assert len(visible("x" * 65536)) == LONGEST + 1
    assert visible("x" * 65536).endswith("…")
    assert visible("x" * LONGEST) == "x" * LONGEST
    assert len(visible("e" + "\u0301" * 500)) < 10
    assert len(person_name("^" * 1000 + "x").title) <= LONGEST + 1
    assert person_name("^" * 1000 + "x").family == ""
