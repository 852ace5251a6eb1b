"""Reads a page of ours as a tree, strictly: every element must be closed, every value quoted; no browser needed."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"input", "link", "meta", "img", "br", "hr"})
_SIMPLE = re.compile(
    r"^(?P<tag>[a-z0-9*]+)?(?:#(?P<id>[\w-]+))?(?P<classes>(?:\.[\w-]+)*)(?:\[(?P<attribute>[\w-]+)\])?$"
)


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything a person reads, its white space folded."""
        return re.sub(r"\s+(?=,)", "", re.sub(r"\s+", " ", self._raw()).strip())

    def _raw(self) -> str:
        inner = "".join(child if isinstance(child, str) else child._raw() for child in self.children)
        return f" {inner} " if self.tag in ("p", "li", "div", "dt", "dd", "span", "h1", "h2", "a", "button") else inner

    def all(self, selector: str) -> list["Element"]:
        """Return what a selector of simple parts, apart by spaces, finds; in the order of the page."""
        found: list[Element] = [self]
        for part in selector.split():
            found = [below for element in found for below in element._below() if _matches(below, part)]
        return found

    def _below(self) -> list["Element"]:
        elements = []
        for child in self.children:
            if isinstance(child, Element):
                elements += [child, *child._below()]
        return elements


@dataclass
class Page(Element):
    """A whole answer."""

    html: str = ""


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = [page]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if self._open[-1].tag == tag:
            self._open.pop()
        else:
            raise AssertionError(f"</{tag}> closes <{self._open[-1].tag}> at {self.getpos()}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(html: str) -> Page:
    """Read a page."""
    page = Page("", {}, html=html)
    reader = _Reader(page)
    reader.feed(html)
    reader.close()
    return page


def _matches(element: Element, part: str) -> bool:
    found = _SIMPLE.match(part)
    assert found is not None, part
    classes = {name for name in found["classes"].split(".") if name}
    return (
        found["tag"] in (None, "*", element.tag)
        and (found["id"] is None or element.attributes.get("id") == found["id"])
        and classes <= set(element.attributes.get("class", "").split())
        and (found["attribute"] is None or found["attribute"] in element.attributes)
    )
