"""A browser before the real application on a clinic's casebook; whatever a page should not do fails the test."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clinic import PACS, Clinic
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from private_orthanc import free_port
from reading_room import FLAGS, PATIENTS, ClinicClock, Reader, Site
from running_service import wait_for
from visitor import QUICK, add_person

from casebook.archive import Archive
from casebook.database import Database
from casebook.models import Role
from casebook.settings import Dashboard
from dashboard.app import make_app
from dashboard.connections import make_server


@pytest.fixture(scope="session")
def clinic_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with everybody's photographs graded and reported."""
    home: Path = tmp_path_factory.mktemp("clinic")
    database, archive = _opened(home)
    archive.prepare("a-test-installation", is_new=True)
    clinic = Clinic(database, archive, ClinicClock())
    assert [clinic.admit(patient) for patient in PATIENTS] == [*range(1, len(PATIENTS) + 1)]
    add_person(database, clinic.clock, "Ada Reader", Role.GRADER)
    database.close()
    return home


def _opened(home: Path, *, new: bool = True) -> tuple[Database, Archive]:
    database = Database(f"sqlite:///{home / 'casebook.sqlite3'}")
    if new:
        database.create_schema()
    return database, Archive(home / "archive", reserve_mb=0)


@pytest.fixture
def site(clinic_home: Path, tmp_path: Path) -> Iterator[Site]:
    """The clinic's application, on a copy of its casebook."""
    yield from _served(clinic_home, tmp_path / "home")


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """The application at its first start."""
    home = tmp_path / "empty"
    home.mkdir()
    database, archive = _opened(home)
    archive.prepare("a-test-installation", is_new=True)
    add_person(database, ClinicClock(), "Ada Reader", Role.GRADER)
    database.close()
    yield from _served(home, tmp_path / "home")


def _served(seed: Path, home: Path) -> Iterator[Site]:
    shutil.copytree(seed, home)
    database, archive = _opened(home, new=False)
    clock = ClinicClock()
    settings = Dashboard(port=free_port())
    app = make_app(settings, database, archive, clock, destinations=(PACS,), passwords=QUICK)
    server = make_server(app, settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, 20, "the server")
    yield Site(f"http://127.0.0.1:{settings.port}", database, archive, clock, app)
    app.state.live.close()
    server.should_exit = True
    thread.join(timeout=15)
    assert not thread.is_alive()
    database.close()


@pytest.fixture(scope="session")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = program("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_reader(browser: Browser) -> Iterator[Callable[..., Reader]]:
    """Open a browser window before a site; at the end nothing may have gone wrong in it."""
    opened: list[tuple[BrowserContext, Reader]] = []

    def open_window(site: Site, width: int = 1440, height: int = 900, theme: str = "light") -> Reader:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, base_url=site.url,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(20_000)
        reader = Reader(context.new_page(), site).watch()
        opened.append((context, reader))
        return reader

    yield open_window
    for context, _ in opened:
        context.close()
    assert [reader.faults for _, reader in opened] == [[] for _ in opened]


@pytest.fixture
def reader(site: Site, open_reader: Callable[..., Reader]) -> Reader:
    """A signed-in reader before the clinic's list."""
    return open_reader(site).sign_in()
