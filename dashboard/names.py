"""How a peer's text is shown: nothing hidden stays hidden, nothing unbounded stays so, names in reading order (S14)."""

import unicodedata
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 160  # characters of a text that a page shows
_MOST_MARKS: Final = 6  # combining marks on one letter; more only paint over the neighbours
_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # Persian and Indic names need them


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as a list of people shows it (PS3.5 6.2.1.2)."""

    family: str
    given: str  # with the middle names
    title: str  # prefix and suffix
    scripts: tuple[str, ...]  # the same name as written, then as spoken, where those are known

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.family or self.given or self.title or self.scripts)


def person_name(value: str) -> Name:
    """Read a Person Name: up to three component groups, each of up to five components.

    Args:
        value: as stored: groups apart by ``=``, components by ``^``; anything else is somebody's text.
    """
    groups = [[visible(part.strip()) for part in group.split("^")] for group in value.split("=")]
    alphabetic, others = groups[0], groups[1:]
    # What stands behind the fifth component belongs nowhere, but is not lost.
    family, given, middle, prefix, *rest = [*alphabetic, "", "", "", ""]
    return Name(
        family=family,
        given=_joined([given, middle]),
        title=_joined([prefix, *rest]),
        scripts=tuple(filter(None, (_joined(group) for group in others))),
    )


def visible(text: str, longest: int = LONGEST) -> str:
    """Return a text with its control characters as symbols, cut where it is longer than a page can show."""
    shown = []
    marks = 0
    for character in text[: longest + 1]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            shown.append(_symbol(character))
    if len(text) > longest:
        shown[longest:] = ["\N{HORIZONTAL ELLIPSIS}"]
    return "".join(shown)


def _symbol(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    # Cc, Cf: controls, bidi overrides, zero widths; Zl, Zp: line ends; Cs, Co, Cn: what no font can draw.
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn") and character not in _JOINERS:
        return f"[U+{code:04X}]"
    return character


def _joined(parts: list[str]) -> str:
    return visible(" ".join(filter(None, parts)))
