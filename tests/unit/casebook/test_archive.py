"""A file exists when it is durable, under a name of ours, and nothing half-written stays."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from casebook.archive import Archive
from casebook.errors import Misconfigured, Unavailable
from casebook.models import File


def test_R2_a_stored_file_has_its_hash_and_a_name_of_ours(archive: Archive) -> None:
    stored = archive.store(b"photograph", ".dcm")
    assert stored.sha256 == hashlib.sha256(b"photograph").hexdigest()
    assert stored.size == 10
    assert stored.path.startswith("objects/")
    assert stored.sha256 not in stored.path
    assert archive.read(stored.path) == b"photograph"
    assert list(archive.incoming.iterdir()) == []


def test_R2_files_and_folders_are_for_the_service_alone(archive: Archive) -> None:
    part = archive.incoming / "1-layer.png"
    part.write_bytes(b"x")
    part.chmod(0o644)
    path = archive.path(archive.keep(part, ".png").path)
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, archive.incoming, archive.objects):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_R2_equal_bytes_never_share_a_file(archive: Archive) -> None:
    assert archive.store(b"x", ".dcm").path != archive.store(b"x", ".dcm").path


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_R2_a_failing_disk_leaves_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails) if step == "fsync" else monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="Input/output"):
        archive.store(b"x", ".dcm")
    assert list(archive.objects_on_disk(time.time() + 1)) == []
    assert list(archive.incoming.iterdir()) == []


def test_S6_a_link_in_incoming_is_never_followed(archive: Archive, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = archive.incoming / "a.part"
    link.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        archive.keep(link, ".dcm")


def test_R18_below_the_reserve_nothing_more_is_taken(tmp_path: Path) -> None:
    archive = Archive(tmp_path, reserve_mb=1 << 40)
    with pytest.raises(Unavailable, match="nearly full"):
        archive.check_reserve()


def test_F5_an_archive_that_vanished_under_its_casebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not mounted"):
        Archive(tmp_path / "gone").prepare("identity", is_new=False)


def test_F5_the_archive_of_another_installation_is_refused(archive: Archive) -> None:
    with pytest.raises(Misconfigured, match="another installation"):
        archive.prepare("somebody-else", is_new=False)
    archive.prepare("a-test-installation", is_new=False)


def test_a_file_that_differs_from_its_row_is_named(archive: Archive) -> None:
    stored = archive.store(b"photograph", ".dcm")
    file = File(path=stored.path, sha256=stored.sha256, size=stored.size)
    assert archive.differs(file) is None
    archive.path(stored.path).write_bytes(b"photogravhp"[:10])
    assert archive.differs(file) == "has other bytes than were received"
    archive.path(stored.path).write_bytes(b"short")
    assert archive.differs(file) == "has 5 bytes instead of 10"
    archive.discard(stored.path)
    assert archive.differs(file) == "is missing"


def test_R12_only_old_parts_are_swept(archive: Archive) -> None:
    old, new, folder = (archive.incoming / name for name in ("old.part", "new.part", "old.work"))
    folder.mkdir()
    (folder / "preview.jpg").write_bytes(b"x")
    for path in (old, new):
        path.write_bytes(b"x")
    for path in (old, folder):
        os.utime(path, (1000, 1000))
    assert archive.sweep_incoming(older_than=2000) == 2
    assert list(archive.incoming.iterdir()) == [new]


def test_a_work_folder_is_gone_with_everything_in_it(archive: Archive) -> None:
    with archive.work_folder() as folder:
        (folder / "layer.png").write_bytes(b"x")
        kept = archive.keep(folder / "layer.png", ".png")
        (folder / "rest").write_bytes(b"x")
    assert list(archive.incoming.iterdir()) == []
    assert archive.read(kept.path) == b"x"
