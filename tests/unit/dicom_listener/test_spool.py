"""The bytes of an object go to one part as they come, or nowhere; an error waits for its answer (R2, M17)."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from casebook.errors import Unavailable
from dicom_listener.spool import Spool


def test_R2_bytes_stand_behind_the_head_and_are_hashed_on_the_way(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"head")
    assert [spool.write(b"one"), spool.write(b"two")] == [3, 3]
    assert spool.complete() == hashlib.sha256(b"onetwo").hexdigest()
    assert spool.path.read_bytes() == b"headonetwo"
    assert spool.path.read_bytes()[spool.data_at :] == b"onetwo"
    assert spool.received == 6
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    assert spool.getvalue() == b""


def test_nothing_is_made_before_the_first_byte(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"head")
    assert list(tmp_path.iterdir()) == []
    spool.discard()


def test_a_discarded_part_is_gone_and_takes_no_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"")
    spool.write(b"one")
    spool.discard()
    spool.write(b"two")
    spool.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_was_renamed_away_is_not_touched(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"")
    spool.write(b"one")
    spool.complete()
    kept = spool.path.rename(tmp_path / "kept")
    spool.discard()
    assert kept.read_bytes() == b"one"


def test_a_refused_object_is_swallowed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"", refusal=Unavailable("full"))
    assert spool.write(b"x" * 1000) == 1000
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Unavailable):
        spool.complete()


def test_M17_the_first_write_error_is_kept_and_the_part_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gone", b"")
    spool.write(b"one")
    spool.write(b"two")
    with pytest.raises(FileNotFoundError):
        spool.complete()


def test_F4_a_full_disk_is_a_write_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("dicom_listener.spool.os.open", lambda *_: full)
    spool = Spool(tmp_path, b"")
    spool.write(b"one")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space left"):
        spool.complete()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(full)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("dicom_listener.spool.os.write", lambda descriptor, data: write(descriptor, data[:7]))
    spool = Spool(tmp_path, b"a long head")
    spool.write(b"a longer data set")
    spool.complete()
    assert spool.path.read_bytes() == b"a long heada longer data set"


def test_the_beginning_is_shown_each_time_it_doubled_until_it_was_enough(tmp_path: Path) -> None:
    seen: list[int] = []

    def look(beginning: bytes) -> bool:
        seen.append(len(beginning))
        return len(beginning) >= 40

    spool = Spool(tmp_path, b"", look=look)
    for _ in range(20):
        spool.write(b"12345")
    assert seen == [5, 10, 20, 40]
    spool.discard()


def test_no_more_than_the_head_is_kept_in_memory_to_be_shown(tmp_path: Path) -> None:
    seen: list[int] = []

    def look(beginning: bytes) -> bool:
        seen.append(len(beginning))
        return False

    spool = Spool(tmp_path, b"", look=look)
    for _ in range(60):
        spool.write(b"x" * (1 << 16))
    assert max(seen) < 2 * Spool.HEAD_BYTES + (1 << 16)
    spool.discard()
