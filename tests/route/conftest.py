"""The whole service beside a camera and a PACS, all of them real programs."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import compose
import pytest
import stand_in_bundle
from private_orthanc import Orthanc
from running_service import QUIET_SECONDS, Service
from shapes import CALLER, Shape, destinations, processes
from studies import Study, make_study, phantom_jpeg

from casebook.words import Laterality
from inference.phantom import HEALTHY, MANY


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle that grades without any training."""
    return stand_in_bundle.make(tmp_path_factory.mktemp("bundle") / "stand-in")


@pytest.fixture
def phantoms(tmp_path: Path) -> Callable[[int], Study]:
    """Make studies of two synthetic eyes."""

    def make(number: int) -> Study:
        eyes = {
            Laterality.RIGHT: phantom_jpeg(number, MANY, Laterality.RIGHT),
            Laterality.LEFT: phantom_jpeg(number + 1000, HEALTHY, Laterality.LEFT),
        }
        return make_study(tmp_path / f"study-{number}", number, eyes)

    return make


@pytest.fixture(scope="session")
def one_orthanc(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Run an Orthanc of our own, with the settings of the PACS to try with."""
    with Orthanc(program("orthanc"), tmp_path_factory.mktemp("orthanc"), **compose.pacs_settings()) as running:
        yield running


@pytest.fixture
def orthanc(one_orthanc: Orthanc) -> Orthanc:
    """Give an Orthanc that is empty."""
    one_orthanc.forget_all()
    return one_orthanc


@pytest.fixture(params=["sqlite+memory", "postgresql+rabbitmq", "postgresql+redis"])
def shape(request: pytest.FixtureRequest) -> Shape:
    """Give each shape in turn; services that a test makes take it."""
    _, _, broker = request.param.partition("+")
    if broker == "memory":
        return Shape()
    return processes(request.getfixturevalue("postgresql_url"), request.getfixturevalue(f"{broker}_url"))


@pytest.fixture
def make_service(request: pytest.FixtureRequest, tmp_path: Path, stand_in: Path) -> Iterator[Callable[..., Service]]:
    """Make services, and end at the test's end what still runs."""
    made: list[Service] = []

    def make(orthanc: Orthanc | None = None, shape: Shape | None = None, **settings: object) -> Service:
        if shape is None:
            shape = request.getfixturevalue("shape") if "shape" in request.fixturenames else Shape()
        if orthanc is not None:
            settings["DESTINATIONS"] = destinations(orthanc)
        given = {"MODEL__BUNDLE": str(stand_in), "CASES__QUIET_SECONDS": QUIET_SECONDS} | shape.settings | settings
        made.append(Service(tmp_path / f"home-{len(made)}", commands=shape.commands, **given))
        return made[-1]

    yield make
    for service in made:
        service.end()


@pytest.fixture
def send(program: Callable[[str], str]) -> Callable[[Service, Study], None]:
    """Send a study as a camera does, and fail when an object was not taken."""

    def send(service: Service, study: Study) -> None:
        report = study.folder / "report.txt"
        command = [program("dcmsend"), "-v", "-aet", CALLER, "-aec", "RETINAGATE", "127.0.0.1", str(service.dicom_port)]
        # dcmsend exits 0 whatever happens: only its report says what was taken.
        ended = subprocess.run(
            [*command, "+crf", str(report), *map(str, study.files)], capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        taken = report.read_text().count("DIMSE Status  : 0x0000 (Success)")
        assert taken == len(study.files), report.read_text()

    return send
