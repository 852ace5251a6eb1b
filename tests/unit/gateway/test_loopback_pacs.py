"""The loop-back PACS takes what our sender sends and nothing else, and keeps little of it."""

import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pynetdicom import AE
from pynetdicom.presentation import build_context

from casebook.deliveries import Effect
from gateway import loopback_pacs
from gateway.loopback_pacs import LoopbackPacs
from reporting.layout import COMPREHENSIVE_3D_SR, EXPLICIT_LITTLE_ENDIAN
from reporting.store import Cargo, Lane, Limits, Unsendable

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[LoopbackPacs]:
    with LoopbackPacs(tmp_path, "RETINAGATE") as running:
        yield running


def _report(folder: Path, uid: str, **attributes: Any) -> Path:
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = COMPREHENSIVE_3D_SR, uid
    for keyword, value in attributes.items():
        setattr(report, keyword, value)
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = EXPLICIT_LITTLE_ENDIAN
    path = folder / f"{len(list(folder.iterdir()))}.dcm"
    report.save_as(path, enforce_file_format=True)
    return path


def _send(pacs: LoopbackPacs, path: Path, title: str = "RETINAGATE") -> Effect:
    cargo = Cargo(COMPREHENSIVE_3D_SR, EXPLICIT_LITTLE_ENDIAN, "sr")
    with Lane(pacs.destination, title, [cargo], Limits()) as lane:
        return lane.send(cargo, path).effect


def test_what_our_sender_sends_is_kept_for_the_services_user_alone(pacs: LoopbackPacs, tmp_path: Path) -> None:
    report = _report(tmp_path, "1.2.3")
    assert _send(pacs, report) is Effect.DELIVERED
    held = loopback_pacs.read(tmp_path, "1.2.3")
    assert held is not None
    assert dcmread(BytesIO(held)) == dcmread(report)
    kept = loopback_pacs.path(tmp_path, "1.2.3")
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)
    assert loopback_pacs.read(tmp_path, "1.2.4") is None


def test_it_listens_on_this_machine_only_and_knows_one_caller(pacs: LoopbackPacs, tmp_path: Path) -> None:
    assert pacs.destination.host == "127.0.0.1"
    with pytest.raises(Unsendable):
        _send(pacs, _report(tmp_path, "1.2.3"), title="CAMERA")
    association = AE("RETINAGATE").associate(
        pacs.destination.host, pacs.destination.port, [build_context(CT)], pacs.destination.ae_title
    )
    assert association.rejected_contexts
    assert not association.accepted_contexts
    association.abort()


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["../../../etc/x", "1.2/../3"])
def test_security_S6_a_peers_text_is_never_part_of_a_path(pacs: LoopbackPacs, tmp_path: Path, uid: str) -> None:
    association = AE("RETINAGATE").associate(
        pacs.destination.host,
        pacs.destination.port,
        [build_context(COMPREHENSIVE_3D_SR, EXPLICIT_LITTLE_ENDIAN)],
        pacs.destination.ae_title,
    )
    report = dcmread(_report(tmp_path, "1.2.3"))
    report.SOPInstanceUID = uid
    assert association.send_c_store(report).Status == 0xC000
    association.release()
    assert not (tmp_path / loopback_pacs.FOLDER).exists()


def test_it_keeps_the_newest_few_and_nothing_large(
    pacs: LoopbackPacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback_pacs, "MOST_OBJECTS", 3)
    monkeypatch.setattr(loopback_pacs, "MOST_BYTES", 4096)
    for number in range(5):
        assert _send(pacs, _report(tmp_path, f"1.2.{number}")) is Effect.DELIVERED
    held = {file.name for file in (tmp_path / loopback_pacs.FOLDER).iterdir()}
    assert held == {"1.2.2.dcm", "1.2.3.dcm", "1.2.4.dcm"}
    assert _send(pacs, _report(tmp_path, "1.2.9", TextValue="x" * 5000)) is Effect.TRANSIENT
    assert {file.name for file in (tmp_path / loopback_pacs.FOLDER).iterdir()} == held


def test_a_folder_that_cannot_be_written_is_a_failure_to_try_again(pacs: LoopbackPacs, tmp_path: Path) -> None:
    (tmp_path / loopback_pacs.FOLDER).write_text("in the way")
    assert _send(pacs, _report(tmp_path, "1.2.3")) is Effect.TRANSIENT
