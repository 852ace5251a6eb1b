"""DCMTK speaks TLS with the listener as it does with other products (security S3)."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import certificates
import numpy as np
import pytest
from certificates import Certificates, Pair
from listening import Place, start

from casebook.archive import Archive
from casebook.database import Database
from casebook.words import Laterality
from dicom_listener.tls import server_context
from inference.phantom_dicom import ophthalmic_photograph

pytestmark = pytest.mark.peer("dcmtk")

Program = Callable[[str], str]


@pytest.fixture
def certified(tmp_path: Path) -> Certificates:
    return certificates.make(tmp_path)


@pytest.fixture
def place(database: Database, archive: Archive, certified: Certificates) -> Iterator[Place]:
    """Give a listener that takes nobody without a certificate."""
    pair = certified.listener
    place = start(database, archive, tls=server_context(pair.certificate, pair.key, certified.authority))
    yield place
    place.listener.stop()


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    data = ophthalmic_photograph(
        np.random.default_rng(7).integers(0, 255, (1200, 1600, 3), dtype=np.uint8), laterality=Laterality.RIGHT,
        study_uid="1.2.3", series_uid="1.2.3.4", sop_uid="1.2.3.4.5",
    )  # fmt: skip
    data.save_as(tmp_path / "photograph.dcm", enforce_file_format=True)
    return tmp_path / "photograph.dcm"


def send(storescu: str, place: Place, file: Path, *options: object) -> subprocess.CompletedProcess[str]:
    command = [storescu, "-aec", "RETINAGATE", *map(str, options), "127.0.0.1", str(place.address[1]), str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def shows(pair: Pair, certified: Certificates) -> tuple[object, ...]:
    return "+tls", pair.key, pair.certificate, "+cf", certified.authority


@pytest.mark.parametrize("profile", ["+px", "+py"], ids=["BCP 195", "BCP 195, no downgrade"])
def test_security_S3_storescu_sends_a_large_photograph_ciphered(
    place: Place, certified: Certificates, photograph: Path, program: Program, profile: str
) -> None:
    sent = send(program("storescu"), place, photograph, *shows(certified.camera, certified), profile)
    assert sent.returncode == 0, sent.stderr
    assert place.counts() == (1, 1)


def test_security_N10_storescu_without_the_right_certificate_or_without_tls_is_not_served(
    place: Place, certified: Certificates, photograph: Path, program: Program
) -> None:
    for options in (
        shows(certified.foreign, certified),
        shows(certified.expired, certified),
        ("+tla", "+cf", certified.authority),
        (),
    ):
        assert send(program("storescu"), place, photograph, *options).returncode != 0
    assert place.counts() == (0, 0)
    assert place.listener.associations == 0
