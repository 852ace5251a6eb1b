"""A casebook with graded cases, and what is built from them."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from graded_case import Shot, Study, write_case
from pydicom import dcmread
from pydicom.dataset import Dataset

from casebook.archive import Archive
from casebook.database import Database
from casebook.words import Product
from reporting import layout, products, source
from reporting.source import Examination


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One engine is enough here: both are tried where the rows are written."""
    return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"


@pytest.fixture
def examine(database: Database, archive: Archive, clock: Any) -> Callable[..., Examination]:
    """Write a graded case and read it as an examination."""

    def make(*shots: Shot, study: Study | None = None) -> Examination:
        with database.transaction() as t:
            return source.load(t, write_case(t, archive, list(shots), clock.now(), study), clock.now())

    return make


@pytest.fixture
def built(archive: Archive) -> Callable[[Examination], list[bytes]]:
    """Build every result of an examination; the report comes last."""

    def make(examination: Examination) -> list[bytes]:
        return [products.build(examination, place, archive.read) for place in layout.places(examination)]

    return make


@pytest.fixture
def report(built: Callable[[Examination], list[bytes]]) -> Callable[[Examination], Dataset]:
    """Build the report of an examination and read it back."""
    return lambda examination: dcmread(BytesIO(built(examination)[-1]))


@pytest.fixture
def overlays(built: Callable[[Examination], list[bytes]]) -> Callable[[Examination], list[Dataset]]:
    """Build the overlays of an examination and read them back."""
    return lambda examination: [
        dcmread(BytesIO(data))
        for place, data in zip(layout.places(examination), built(examination), strict=True)
        if place.product is Product.OVERLAY
    ]
