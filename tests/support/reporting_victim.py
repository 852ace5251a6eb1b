"""A process that works one reporting job and dies at a named point, as a power cut would have it.

Run as ``reporting_victim.py DATABASE_URL ARCHIVE PORT TIME report|deliver POINT``.
"""

import sys
from datetime import datetime
from pathlib import Path

from reporting_desk import Desk

from casebook import failpoints
from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database
from casebook.settings import Destination


class Stopped(Clock):
    """A clock that shows one time."""

    def __init__(self, time: datetime) -> None:
        self._time = time

    def now(self) -> datetime:
        return self._time


def main(url: str, archive: str, port: str, time: str, kind: str, point: str) -> None:
    pacs = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=int(port))
    desk = Desk(Database(url), Archive(Path(archive)), Stopped(datetime.fromisoformat(time)), (pacs,))
    failpoints.arm(point)
    if kind == "report":
        desk.work()
    else:
        desk.send()


if __name__ == "__main__":
    main(*sys.argv[1:])
