"""Checks that a page is whole and holds everything in itself: it can be mailed, printed and opened without a network."""

import re
import xml.etree.ElementTree as ET

from html_page import Page, read


def assert_stands_alone(text: str) -> Page:
    """Fail where an element is not closed, a drawing is no XML, or something would be fetched; return the page."""
    page = read(text)
    for element in page.all("*"):
        assert element.tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "href", "srcset", "data"):
            assert element.attributes.get(name, "data:").startswith("data:"), element.attributes
    assert not re.search(r"https?://|url\(|@import", text)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)
    return page
