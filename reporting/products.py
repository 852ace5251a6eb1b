"""What we make of a case: the name of each product and its builder."""

from collections.abc import Callable

from casebook.words import Product
from reporting import attributes, overlay, structured_report
from reporting.layout import Place
from reporting.source import Examination


def build(examination: Examination, place: Place, read: Callable[[str], bytes]) -> bytes:
    """Return a result as the bytes of its file, the same every time.

    Args:
        examination: the revision.
        place: which result.
        read: gives the bytes of one of our own pictures by its path in the archive.

    Raises:
        BadInput: one of our pictures is not what it should be.
        OSError: one of them cannot be read.
    """
    attributes.repeat_values_as_sent()
    if place.product is Product.SR:
        dataset = structured_report.build(examination, place)
    else:
        assert place.answer is not None
        assert place.answer.overlay is not None
        dataset = overlay.build(examination, place, read(place.answer.overlay))
    return attributes.encode(dataset, place.transfer_syntax_uid)
