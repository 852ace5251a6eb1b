"""Killed with SIGKILL in the middle of reporting or sending, the PACS still holds exactly the same objects (R5, R9)."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from graded_case import Shot, healthy
from hostile_pacs import hostile_pacs
from reporting_desk import Desk

from casebook import jobs
from casebook.words import Laterality

R, L = Laterality.RIGHT, Laterality.LEFT
ROOT = Path(__file__).resolve().parents[2]
VICTIM = ROOT / "tests" / "support" / "reporting_victim.py"


def kill(desk: Desk, port: int, kind: str, point: str) -> None:
    """Let another process work the next job and die at the point; then void its lease, as a start does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(VICTIM.parent)))}
    arguments = [desk.database.url, str(desk.archive.root), str(port), desk.clock.now().isoformat(), kind, point]
    ended = subprocess.run([sys.executable, str(VICTIM), *arguments], env=environment, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with desk.database.transaction() as t:
        jobs.release_expired(t, desk.clock.now(), all_leases=True)


def test_R5_killed_between_files_and_rows_the_report_is_made_once(desk_for: Callable[..., Desk]) -> None:
    with hostile_pacs() as pacs:
        desk = desk_for(pacs.port)
        desk.case(Shot(R, 3), healthy(L))
        kill(desk, pacs.port, "report", "after_report_files")
        assert desk.reports() == []
        desk.work()
        desk.send()
        assert len({uid for uid, _, _ in pacs.received}) == len(pacs.received) == 3
        # The files of the dead process are named by no row; the check for those removes them.
        assert {found.split(":")[0] for found in desk.findings()} <= {"I2"}


def test_R9_killed_between_the_answer_and_its_row_the_same_bytes_go_again(desk_for: Callable[..., Desk]) -> None:
    with hostile_pacs() as pacs:
        desk = desk_for(pacs.port)
        desk.case(Shot(R, 3), healthy(L))
        desk.work()
        kill(desk, pacs.port, "deliver", "after_store")
        assert [str(row.state) for row in desk.deliveries()] == ["waiting"] * 3
        desk.send()
        assert [str(row.state) for row in desk.deliveries()] == ["sent"] * 3
        first, *again = pacs.received
        assert again[0] == first
        assert len({uid for uid, _, _ in pacs.received}) == 3
        assert desk.findings() == []
