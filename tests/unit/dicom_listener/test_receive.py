"""Success is answered when file, row and job are durable; every failure has a status and leaves nothing behind (R1)."""

import errno
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import raw_association as raw
from listening import Place, until
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from raw_association import OPHTHALMIC, RawAssociation, c_store, data_set, element
from sqlalchemy import select

from casebook.archive import Archive, Stored
from casebook.database import Database
from casebook.errors import BadInput, Refused, Unavailable
from casebook.models import AttentionRow, Case, ConflictingCopy, File, Job, Photograph, Revision
from casebook.settings import Listener as Settings
from casebook.words import Attention, JobKind
from dicom_listener.callers import SELF_TEST
from dicom_listener.contexts import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE, PICTURES
from dicom_listener.server import make_server
from dicom_listener.statuses import NotAsAnnounced, Status, answer_to


def send(place: Place, uid: str = "1.2.3.4.5", data: bytes | None = None, **announced: str) -> int:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(
            3, c_store(announced.get("sop_class", OPHTHALMIC), announced.get("sop_instance", uid)),
            data_set(sop_instance=uid) if data is None else data,
        )  # fmt: skip
        return peer.status()[1]


def test_R1_a_stored_object_has_its_file_its_rows_and_its_job(place: Place) -> None:
    assert send(place) == Status.SUCCESS
    with place.database.reading() as t:
        photograph = t.scalars(select(Photograph)).one()
        case = t.scalars(select(Case)).one()
        revision = t.scalars(select(Revision)).one()
        job = t.scalars(select(Job)).one()
        file = t.scalars(select(File)).one()
    assert (photograph.sop_instance_uid, photograph.calling_ae, photograph.caller_host) == (
        "1.2.3.4.5", "CAMERA", "127.0.0.1",
    )  # fmt: skip
    assert (case.study_instance_uid, case.patient_name, case.synthetic) == ("1.2.3", "Eye^Test", False)
    assert (revision.number, revision.objects) == (1, 1)
    assert (job.kind, job.subject) == (JobKind.GRADE, str(photograph.id))
    assert place.archive.differs(file) is None
    stored = place.archive.read(file.path)
    assert stored[:132] == b"\0" * 128 + b"DICM"  # D20: the preamble is ours
    assert stored.endswith(data_set())  # the bytes are the camera's
    assert until(lambda: place.rings == ["grade"])
    assert place.parts() == []


@pytest.mark.parametrize("transfer_syntax", [*PICTURES, DEFLATED])
def test_every_transfer_syntax_of_the_list_is_taken(listen: Callable[..., Place], transfer_syntax: str) -> None:
    place = listen(accept_deflated=True)
    data = data_set() if transfer_syntax != DEFLATED else _deflated(data_set())
    if transfer_syntax in (IMPLICIT_LITTLE, EXPLICIT_BIG):
        data = _written_as(transfer_syntax)
    with RawAssociation(place.address) as peer:
        peer.associate((3, OPHTHALMIC, [transfer_syntax]))
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"), data)
        assert peer.status() == (0x8001, Status.SUCCESS)
    with place.database.reading() as t:
        row = t.scalars(select(Photograph)).one()
        path = t.scalars(select(File.path)).one()
    assert (row.transfer_syntax_uid, row.rows, row.columns) == (transfer_syntax, 2, 2)
    assert dcmread(place.archive.path(path)).file_meta.TransferSyntaxUID == transfer_syntax


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _written_as(transfer_syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax != EXPLICIT_BIG
    stream.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = OPHTHALMIC, "1.2.3.4.5"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    data.Rows = data.Columns = 2
    write_dataset(stream, data)
    return bytes(stream.getvalue())


def test_R4_the_same_object_again_is_success_and_nothing_new(place: Place) -> None:
    assert [send(place), send(place)] == [Status.SUCCESS, Status.SUCCESS]
    assert place.counts() == (1, 1)
    assert place.parts() == []


def test_R4_same_uid_other_bytes_is_kept_aside(place: Place) -> None:
    assert send(place) == Status.SUCCESS
    other = data_set(name=b"Other^Name")
    assert [send(place, data=other), send(place, data=other)] == [Status.SUCCESS, Status.SUCCESS]
    with place.database.reading() as t:
        assert t.scalars(select(Case)).one().patient_name == "Eye^Test"
        assert len(t.scalars(select(ConflictingCopy)).all()) == 1
        assert t.scalars(select(AttentionRow)).one().reason is Attention.CONFLICTING_COPY
    assert place.counts() == (1, 2)


def test_R4_F28_one_object_from_four_associations_at_once(place: Place) -> None:
    copies = [data_set(), data_set(name=b"Other^Name"), data_set(), data_set(name=b"Other^Name")]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda data=data: statuses.append(send(place, data=data))) for data in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [Status.SUCCESS] * 4
    assert place.counts() == (1, 2)
    assert place.parts() == []


@pytest.mark.parametrize(
    ("uid", "data", "announced", "status"),
    [
        ("1.2.3.4.5", None, {"sop_instance": "1.2.3.4.6"}, Status.DATA_SET_DIFFERS),
        ("1.2.3.4.5", data_set(sop_class=raw.SECONDARY_CAPTURE), {}, Status.DATA_SET_DIFFERS),
        ("1.2.3.4.5", b"", {}, Status.DATA_SET_DIFFERS),
        ("1.2.3.4.5", data_set(study=""), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="1.2\\1.3"), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="../../etc"), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="1.2\n"), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="1..2"), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="1." + "2" * 63), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set(study="\uff11.\uff12"), {}, Status.CANNOT_UNDERSTAND),
        ("../../../etc/x", None, {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", b"\xff" * 200, {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", data_set()[:40], {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", element(0x0002, 0x0010, "UI", b"1.2") + data_set(), {}, Status.CANNOT_UNDERSTAND),
        ("1.2.3.4.5", element(0x0000, 0x0002, "UI", b"1.2") + data_set(), {}, Status.CANNOT_UNDERSTAND),
    ],
    ids=[
        "other UID", "other class", "empty", "no study", "two studies", "path", "line feed", "double dot", "too long",
        "full-width digits", "path in the command", "rubbish", "cut", "file meta in the data set",
        "command in the data set",
    ],
)  # fmt: skip
def test_security_D7_D8_D9_what_does_not_agree_is_refused_and_leaves_nothing(
    place: Place, uid: str, data: bytes | None, announced: dict[str, str], status: Status
) -> None:
    assert send(place, uid, data, **announced) == status
    assert place.parts() == []
    assert place.counts() == (0, 0)
    assert send(place) == Status.SUCCESS


def test_security_D7_a_leading_zero_in_a_uid_is_kept_as_sent(place: Place) -> None:
    assert send(place, "1.02.3") == Status.SUCCESS
    with place.database.reading() as t:
        assert t.scalars(select(Photograph.sop_instance_uid)).one() == "1.02.3"


def test_a_command_without_a_data_set_is_refused(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5", data_set_type=0x0101))
        assert peer.status()[1] == Status.DATA_SET_DIFFERS


def test_a_command_without_an_instance_uid_is_aborted(place: Place) -> None:
    command = raw.command(raw.C_STORE_RQ, e0002=OPHTHALMIC, e0110=1, e0700=0, e0800=1)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, command, data_set())
        answer = peer.receive()
        assert answer is not None
        assert answer[0] == raw.ABORT
    assert until(lambda: place.listener.associations == 0)
    assert place.parts() == []


def test_pixels_that_are_cut_do_not_refuse_the_object(place: Place) -> None:
    whole = data_set(pixels=b"\0" * 1000)
    assert send(place, data=whole[:-500]) == Status.SUCCESS


class _Failing(Archive):
    """An archive on a disk that fails at one step."""

    failing: str = ""
    error: BaseException = OSError(errno.EIO, "disk")

    def keep(self, part: Path, suffix: str) -> Stored:
        if self.failing == "keep":
            raise self.error
        return super().keep(part, suffix)


def _failing(archive: Archive, error: BaseException) -> _Failing:
    failing = _Failing(archive.root, reserve_mb=0)
    failing.failing, failing.error = "keep", error
    return failing


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "full"), Status.OUT_OF_RESOURCES),
        (OSError(errno.EROFS, "read-only"), Status.OUT_OF_RESOURCES),
        (MemoryError(), Status.OUT_OF_RESOURCES),
        (KeyError("bug"), Status.PROCESSING_FAILURE),
        (SystemExit(), Status.PROCESSING_FAILURE),
    ],
)
def test_security_W12_whatever_fails_has_a_status_of_the_table(
    listen: Callable[..., Place], archive: Archive, error: BaseException, status: Status
) -> None:
    failing = _failing(archive, error)
    place = listen(archive=failing)
    with RawAssociation(place.address) as peer:
        peer.associate()
        assert peer.store() == status
        failing.failing = ""
        assert peer.store() == Status.SUCCESS  # on the same association
    assert place.counts() == (1, 1)
    assert place.parts() == []


def test_R2_M17_a_write_error_is_answered_and_the_association_lives_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = os.write, threading.Event()
    full.set()

    def failing(descriptor: int, data: bytes) -> int:
        if full.is_set() and len(data) == 5000:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    monkeypatch.setattr("dicom_listener.spool.os.write", failing)
    data = data_set(pixels=b"\0" * 50_000)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"), data, size=5000)
        assert peer.status()[1] == Status.OUT_OF_RESOURCES
        assert place.parts() == []
        full.clear()
        assert peer.store(data=data) == Status.SUCCESS


def test_F5_a_read_only_archive_is_out_of_resources(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, flags: int, mode: int) -> int:
        raise OSError(errno.EROFS, "read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("dicom_listener.spool.os.open", read_only)
        with RawAssociation(place.address) as peer:
            peer.associate()
            assert peer.store() == Status.OUT_OF_RESOURCES
            patched.undo()
            assert peer.store() == Status.SUCCESS


def test_F5_an_archive_that_is_gone_is_out_of_resources(place: Place) -> None:
    away = place.archive.root.with_name("away")
    place.archive.root.rename(away)
    with RawAssociation(place.address) as peer:
        assert peer.associate() == (raw.RJ, bytes([0, 2, 3, 1]))
    away.rename(place.archive.root)
    assert send(place) == Status.SUCCESS


def test_R18_an_object_under_way_is_refused_when_the_reserve_is_reached(
    listen: Callable[..., Place], archive: Archive
) -> None:
    filling = Archive(archive.root, reserve_mb=0)
    place = listen(archive=filling)
    with RawAssociation(place.address) as peer:
        peer.associate()
        filling._reserve_mb = 1 << 40
        assert peer.store() == Status.OUT_OF_RESOURCES
        assert place.parts() == []


def test_F7_a_database_that_is_away_is_out_of_resources_and_leaves_no_file(place: Place) -> None:
    with place.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE cases RENAME TO gone")
        connection.commit()
    assert send(place) == Status.OUT_OF_RESOURCES
    assert place.parts() == []
    assert place.objects() == []
    with place.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO cases")
        connection.commit()
    assert send(place) == Status.SUCCESS


def test_keeping_that_took_too_long_is_out_of_resources(listen: Callable[..., Place]) -> None:
    place = listen(bounds={"keep_seconds": 0.0})
    assert send(place) == Status.OUT_OF_RESOURCES
    assert place.counts() == (0, 0)
    assert place.parts() == []


def test_a_bell_that_fails_changes_no_answer(database: Database, archive: Archive) -> None:
    def broken(kind: JobKind) -> None:
        raise ConnectionError

    listener = make_server(Settings().model_copy(update={"port": 0}), database, archive, ring=broken)
    listener.start()
    try:
        with RawAssociation(listener.address) as peer:
            peer.associate()
            assert peer.store() == Status.SUCCESS
    finally:
        listener.stop()


@pytest.mark.parametrize(
    ("identity", "status", "synthetic"),
    [
        (("selftest", "this start's secret"), Status.SUCCESS, True),
        (("selftest", "guessed"), Status.NOT_AUTHORISED, None),
        (None, Status.NOT_AUTHORISED, None),
    ],
)
def test_security_S4_the_self_test_needs_the_secret_of_this_start(
    listen: Callable[..., Place], identity: tuple[str, str] | None, status: Status, synthetic: bool | None
) -> None:
    place = listen(secret="this start's secret")
    with RawAssociation(place.address) as peer:
        peer.associate(calling=SELF_TEST.encode(), identity=identity)
        assert peer.echo() == Status.SUCCESS
        assert peer.store() == status
    with place.database.reading() as t:
        assert t.scalars(select(Case.synthetic)).one_or_none() is synthetic


def test_D22_our_own_object_coming_back_is_stored_and_never_graded(place: Place) -> None:
    assert send(place, data=_from_us()) == Status.SUCCESS
    with place.database.reading() as t:
        assert t.scalars(select(Photograph.reason)).one() == "own_object"
        assert t.scalars(select(Job)).all() == []
    assert place.rings == []


def _from_us() -> bytes:
    code = element(0x0008, 0x0100, "SH", b"109102") + element(0x0008, 0x0102, "SH", b"DCM")
    purpose = element(0x0040, 0xA170, "SQ", b"\xfe\xff\x00\xe0" + len(code).to_bytes(4, "little") + code)
    equipment = element(0x0008, 0x0070, "LO", b"RetinaGate") + purpose
    contributing = element(0x0018, 0xA001, "SQ", b"\xfe\xff\x00\xe0" + len(equipment).to_bytes(4, "little") + equipment)
    whole = data_set()
    behind = whole.index(element(0x0020, 0x000D, "UI", b"1.2.3"))
    return whole[:behind] + contributing + whole[behind:]


def test_R16_a_study_is_in_flight_from_its_first_bytes_to_the_answer(place: Place) -> None:
    data = data_set(pixels=b"\0" * 50_000)
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"))
        assert place.listener.in_flight == frozenset()
        peer.send(raw.pdu(raw.P_DATA, raw.fragment(3, 0, data[:20_000])))
        assert until(lambda: place.listener.in_flight == {"1.2.3"})
        peer.send(raw.pdu(raw.P_DATA, raw.fragment(3, raw.LAST, data[20_000:])))
        assert peer.status()[1] == Status.SUCCESS
        assert place.listener.in_flight == frozenset()


def test_R16_a_peer_that_leaves_half_way_is_in_flight_no_more(place: Place) -> None:
    with RawAssociation(place.address) as peer:
        peer.associate()
        peer.message(3, c_store(OPHTHALMIC, "1.2.3.4.5"))
        peer.send(raw.pdu(raw.P_DATA, raw.fragment(3, 0, data_set()[:-4])))
        assert until(lambda: place.listener.in_flight == {"1.2.3"})
    assert until(lambda: place.listener.in_flight == frozenset())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotAsAnnounced("x"), Status.DATA_SET_DIFFERS),
        (BadInput("x"), Status.CANNOT_UNDERSTAND),
        (RecursionError(), Status.CANNOT_UNDERSTAND),
        (Refused("x"), Status.NOT_AUTHORISED),
        (Unavailable("x"), Status.OUT_OF_RESOURCES),
        (TimeoutError(), Status.OUT_OF_RESOURCES),
        (ValueError(), Status.PROCESSING_FAILURE),
        (KeyboardInterrupt(), Status.PROCESSING_FAILURE),
    ],
)
def test_every_error_has_one_status(error: BaseException, status: Status) -> None:
    assert answer_to(error).status is status


def test_an_answer_says_nothing_of_the_peers_and_fits_the_error_comment() -> None:
    for error in (OSError(errno.ENOSPC, "No space", "/secret/path"), ValueError("Müller"), BadInput("x" * 200)):
        response = answer_to(error).data_set()
        assert len(response.ErrorComment) <= 64
        assert "secret" not in response.ErrorComment
        assert "Müller" not in response.ErrorComment
