"""DCMTK as the camera: what it sends is taken, whatever its encoding, and survives whatever happens to the listener."""

import io
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import raw_association as raw
from listener_process import ListenerProcess
from listening import Place, start, until
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, JPEG2000Lossless
from sqlalchemy import select

from casebook import invariants
from casebook.archive import Archive, strangers
from casebook.clock import SYSTEM
from casebook.database import Database
from casebook.models import ConflictingCopy, File, Photograph
from casebook.words import Laterality
from dicom_listener.limits import Limits
from inference.phantom_dicom import ophthalmic_photograph

pytestmark = pytest.mark.peer("dcmtk")

Program = Callable[[str], str]
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def listen(database: Database, archive: Archive) -> Iterator[Callable[..., Place]]:
    """Start listeners with the limits they ship with."""
    places: list[Place] = []

    def begin(**settings: object) -> Place:
        places.append(start(database, archive, Limits(), **settings))
        return places[-1]

    yield begin
    for place in places:
        place.listener.stop()


@pytest.fixture
def place(listen: Callable[..., Place]) -> Place:
    return listen()


def photograph(uid: str = "1.2.3.4.5", size: tuple[int, int] = (60, 80), *, jpeg: bool = False) -> Dataset:
    pixels = np.random.default_rng(7).integers(0, 255, (*size, 3), dtype=np.uint8)
    picture: bytes | np.ndarray = pixels
    if jpeg:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG")
        picture = stream.getvalue()
    return ophthalmic_photograph(
        picture, laterality=Laterality.RIGHT, study_uid="1.2.3", series_uid="1.2.3.4", sop_uid=uid,
        patient_name="Müller^Jürgen",
    )  # fmt: skip


def save(data: Dataset, file: Path) -> Path:
    data.save_as(file, enforce_file_format=True)
    return file


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(one) for one in arguments], capture_output=True, text=True, timeout=120)


def dcmsend(program: Program, port: object, *files: object) -> str:
    """Send, and return what dcmsend says of it: its exit code is 0 even when all was refused."""
    sent = run(program("dcmsend"), "-v", "-aec", "RETINAGATE", "127.0.0.1", port, *files)
    return sent.stdout + sent.stderr


def succeeded(report: str, count: int = 1) -> bool:
    return f"* with status SUCCESS  : {count}" in report


def test_performance_P35_these_are_dcmtks_own_programs(program: Program) -> None:
    for name in ("dcmsend", "storescu", "echoscu"):
        assert "$dcmtk" in run(program(name), "--version").stdout


def test_echoscu_is_answered(place: Place, program: Program) -> None:
    assert run(program("echoscu"), "-aec", "RETINAGATE", "127.0.0.1", place.address[1]).returncode == 0
    assert run(program("echoscu"), "-aec", "WRONG", "127.0.0.1", place.address[1]).returncode != 0


ENCODERS: dict[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.1": ("dcmconv", "+te"),
    "1.2.840.10008.1.2.1.99": ("dcmconv", "+td"),
    "1.2.840.10008.1.2.5": ("dcmcrle",),
    "1.2.840.10008.1.2.4.50": ("dcmcjpeg", "+eb"),
    "1.2.840.10008.1.2.4.51": ("dcmcjpeg", "+ee"),
    "1.2.840.10008.1.2.4.57": ("dcmcjpeg", "+el"),
    "1.2.840.10008.1.2.4.70": ("dcmcjpeg", "+e1"),
    "1.2.840.10008.1.2.4.80": ("dcmcjpls", "+el"),
    "1.2.840.10008.1.2.4.81": ("dcmcjpls", "+en"),
    JPEG2000Lossless: (),
    JPEG2000: (),
}


@pytest.mark.parametrize("transfer_syntax", ENCODERS)
def test_every_transfer_syntax_is_taken_as_it_is(
    listen: Callable[..., Place], program: Program, tmp_path: Path, transfer_syntax: str
) -> None:
    plain = save(photograph(), tmp_path / "plain.dcm")
    file = tmp_path / "encoded.dcm"
    if ENCODERS[transfer_syntax]:
        encoder, *options = ENCODERS[transfer_syntax]
        assert run(program(encoder), *options, plain, file).returncode == 0
    else:
        data = photograph()
        data.compress(transfer_syntax, generate_instance_uid=False, **_lossy(transfer_syntax))
        save(data, file)
    sent = dcmread(file)
    assert sent.file_meta.TransferSyntaxUID == transfer_syntax
    place = listen(accept_deflated=True)
    assert succeeded(dcmsend(program, place.address[1], "--decompress-never", file))
    with place.database.reading() as t:
        row = t.scalars(select(Photograph)).one()
        path = t.scalars(select(File.path)).one()
    assert (row.transfer_syntax_uid, row.laterality, row.rows, row.columns) == (transfer_syntax, "R", 60, 80)
    stored = dcmread(place.archive.path(path))
    assert stored.file_meta.TransferSyntaxUID == transfer_syntax
    assert stored.PixelData == sent.PixelData
    assert stored.PatientName == "Müller^Jürgen"
    assert place.parts() == []


def test_a_camera_that_proposes_implicit_only_gets_it(place: Place, program: Program, tmp_path: Path) -> None:
    file = save(photograph(), tmp_path / "a.dcm")
    sent = run(program("storescu"), "-aec", "RETINAGATE", "-xi", "127.0.0.1", place.address[1], file)
    assert sent.returncode == 0
    with place.database.reading() as t:
        row = t.scalars(select(Photograph)).one()
    assert (row.transfer_syntax_uid, row.rows, row.columns) == ("1.2.840.10008.1.2", 60, 80)


def _lossy(transfer_syntax: str) -> dict[str, object]:
    return {"j2k_cr": [10]} if transfer_syntax == JPEG2000 else {}


def test_deflated_is_not_taken_by_default(place: Place, program: Program, tmp_path: Path) -> None:
    plain, file = save(photograph(), tmp_path / "plain.dcm"), tmp_path / "deflated.dcm"
    assert run(program("dcmconv"), "+td", plain, file).returncode == 0
    # DCMTK unfolds it for us, for it proposes Explicit VR beside it.
    dcmsend(program, place.address[1], file)
    with place.database.reading() as t:
        assert "1.2.840.10008.1.2.1.99" not in t.scalars(select(Photograph.transfer_syntax_uid)).all()


def test_storescu_proposes_jpeg_and_is_answered(place: Place, program: Program, tmp_path: Path) -> None:
    file = save(photograph(jpeg=True), tmp_path / "a.dcm")
    sent = run(program("storescu"), "-aec", "RETINAGATE", "-xy", "127.0.0.1", place.address[1], file)
    assert sent.returncode == 0
    assert place.counts() == (1, 1)


def test_R4_the_study_again_and_a_conflicting_copy(place: Place, program: Program, tmp_path: Path) -> None:
    files = [save(photograph(f"1.2.3.4.{number}", jpeg=True), tmp_path / f"{number}.dcm") for number in range(3)]
    assert succeeded(dcmsend(program, place.address[1], *files), 3)
    assert succeeded(dcmsend(program, place.address[1], *files), 3)
    assert place.counts() == (3, 3)
    other = photograph("1.2.3.4.1", jpeg=True)
    other.PatientID = "somebody else"
    assert succeeded(dcmsend(program, place.address[1], save(other, tmp_path / "other.dcm")))
    assert place.counts() == (3, 4)
    with place.database.reading() as t:
        assert len(t.scalars(select(ConflictingCopy)).all()) == 1
        assert list(invariants.check(t, place.archive, SYSTEM.now())) == []


def test_F28_four_cameras_send_one_object_at_once(place: Place, program: Program, tmp_path: Path) -> None:
    other = photograph()
    other.PatientID = "somebody else"
    files = [save(photograph(), tmp_path / "a.dcm"), save(other, tmp_path / "b.dcm")] * 2
    command = [program("dcmsend"), "-v", "-aec", "RETINAGATE", "127.0.0.1", str(place.address[1])]
    cameras = [
        subprocess.Popen([*command, str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for file in files
    ]
    assert all(succeeded(camera.communicate(timeout=60)[0]) for camera in cameras)
    assert place.counts() == (1, 2)


def test_a_strange_camera_is_rejected(listen: Callable[..., Place], program: Program, tmp_path: Path) -> None:
    place = listen(allowed_callers=[{"ae_title": "CAMERA", "host": "127.0.0.1"}])
    file = save(photograph(), tmp_path / "a.dcm")
    assert "Rejected" in dcmsend(program, place.address[1], file)
    sent = run(
        program("storescu"), "-aet", "CAMERA", "-aec", "RETINAGATE", "127.0.0.1", place.address[1], file
    )  # fmt: skip
    assert sent.returncode == 0


def test_F4_a_full_disk_is_answered_A700_and_the_next_object_is_taken(program: Program, tmp_path: Path) -> None:
    large = save(photograph("1.2.3.4.1", (1000, 1000)), tmp_path / "large.dcm")
    small = save(photograph("1.2.3.4.2"), tmp_path / "small.dcm")
    with ListenerProcess(_home(tmp_path), "--file-size", "2000000") as listener:
        report = dcmsend(program, listener.port, large, small)
        assert "Refused: OutOfResources" in report or "A700" in report
        assert succeeded(report)
    assert _uids(tmp_path) == ["1.2.3.4.2"]
    assert list((_home(tmp_path) / "archive" / "incoming").iterdir()) == []


@pytest.mark.parametrize("point", ["after_part", "after_rename", "after_commit"])
def test_R1_F2_F3_killed_between_the_steps_and_sent_again_is_there_once(
    program: Program, tmp_path: Path, point: str
) -> None:
    file = save(photograph(), tmp_path / "a.dcm")
    with ListenerProcess(_home(tmp_path), "--arm", point) as listener:
        assert not succeeded(dcmsend(program, listener.port, file))
        assert listener.wait() == -signal.SIGKILL
    with ListenerProcess(_home(tmp_path)) as listener:
        assert succeeded(dcmsend(program, listener.port, file))
    _assert_clean_with(tmp_path, ["1.2.3.4.5"])


def test_R1_F1_killed_while_receiving_and_sent_again_is_there_once(program: Program, tmp_path: Path) -> None:
    file = save(photograph(), tmp_path / "a.dcm")
    incoming = _home(tmp_path) / "archive" / "incoming"
    with ListenerProcess(_home(tmp_path)) as listener, raw.RawAssociation(listener.address) as camera:
        camera.associate()
        camera.message(3, raw.c_store(raw.OPHTHALMIC, "1.2.3.4.5"))
        camera.send(raw.pdu(raw.P_DATA, raw.fragment(3, 0, raw.data_set()[:-4])))
        assert until(lambda: any(incoming.iterdir()))
        listener.kill()
    with ListenerProcess(_home(tmp_path)) as listener:
        assert succeeded(dcmsend(program, listener.port, file))
    _assert_clean_with(tmp_path, ["1.2.3.4.5"])


def test_R2_M18_memory_stays_flat_for_an_object_of_a_hundred_megabytes(program: Program, tmp_path: Path) -> None:
    small = save(photograph("1.2.3.4.1"), tmp_path / "small.dcm")
    large = save(photograph("1.2.3.4.2", (5000, 7000)), tmp_path / "large.dcm")
    assert large.stat().st_size > 100 << 20
    with ListenerProcess(_home(tmp_path)) as listener:
        assert succeeded(dcmsend(program, listener.port, small))
        before = listener.peak_memory_kib()
        assert succeeded(dcmsend(program, listener.port, large))
        assert listener.peak_memory_kib() - before < 30 << 10  # KiB; the object is 105 MB


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return home


def _uids(tmp_path: Path) -> list[str]:
    database = Database(f"sqlite:///{_home(tmp_path) / 'casebook.sqlite3'}")
    with database.reading() as t:
        uids = list(t.scalars(select(Photograph.sop_instance_uid)))
    database.close()
    return uids


def _assert_clean_with(tmp_path: Path, uids: list[str]) -> None:
    """After the sweep of a start there is one row and one file for each UID, and nothing else."""
    database = Database(f"sqlite:///{_home(tmp_path) / 'casebook.sqlite3'}")
    archive = Archive(_home(tmp_path) / "archive", reserve_mb=0)
    later = time.time() + 1
    archive.sweep_incoming(later)
    with database.reading() as t:
        for stranger in strangers(t, archive, later):
            archive.discard(stranger)
        assert list(t.scalars(select(Photograph.sop_instance_uid))) == uids
        assert list(invariants.check(t, archive, SYSTEM.now())) == []
    database.close()
    assert len([file for file in archive.objects.rglob("*") if file.is_file()]) == len(uids)
    assert list(archive.incoming.iterdir()) == []
