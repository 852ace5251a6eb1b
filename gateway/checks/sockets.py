"""Which processes listen on a TCP port of this machine, as far as the kernel tells this user (proc(5))."""

import re
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def listeners(port: int) -> frozenset[int]:
    """Return the processes that listen on a port; empty where they cannot be seen, as another user's cannot."""
    inodes = {inode for table in _TABLES for inode in _inodes(table, port)}
    if not inodes:
        return frozenset()
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if (held := re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))) and held[1] in inodes:
                found.add(int(descriptor.parts[2]))
    return frozenset(found)


def program(process: int) -> str:
    """Return what a process is called."""
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return "a program that has ended"


def _inodes(table: Path, port: int) -> list[str]:
    """Return the sockets of a table of the kernel that listen on a port."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]
