"""The files pages are made of, under addresses that name their content, so that a browser may keep them for good.

All are read once at the start: what is not in that table does not exist, whatever path is asked for (H15).
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).with_name("static")
_KINDS: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".sha256": "text/plain; charset=utf-8",
    }
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and what a browser is told that it is."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class _Shelf:
    version: str
    files: MappingProxyType[str, Asset]


def url(path: str) -> str:
    """Return the address of a file below ``static``.

    Raises:
        KeyError: there is none of that name.
    """
    shelf = _shelf()
    shelf.files[path]
    return f"/static/{shelf.version}/{path}"


def find(version: str, path: str) -> Asset | None:
    """Return a file of this version of the pages, or none."""
    shelf = _shelf()
    return shelf.files.get(path) if version == shelf.version else None


@cache
def _shelf() -> _Shelf:
    # One version for all, so that a module finds its neighbours by a relative path.
    files = {
        str(path.relative_to(FOLDER)): Asset(path.read_bytes(), _KINDS[path.suffix])
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file()
    }
    digest = hashlib.sha256()
    for name, asset in files.items():
        digest.update(f"{name}\0{len(asset.data)}\0".encode() + asset.data)
    return _Shelf(digest.hexdigest()[:16], MappingProxyType(files))
