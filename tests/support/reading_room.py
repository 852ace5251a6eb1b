"""A reader at a screen: the real application on a clinic's casebook, and a browser before it that notes every fault."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from clinic import Eye, L, Patient, R
from playwright.sync_api import Page
from visitor import PASSWORD

from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database
from casebook.words import DeliveryState

NOW = datetime(2026, 3, 12, 11, 4, tzinfo=UTC)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
FAULT = "pacs (PACS at 10.0.0.5:4242): nothing listens there. Check address, port and firewall."
BEFORE = timedelta(days=183)
PATIENTS = (
    Patient("Yamada^Tarou=山田^太郎", "8841-7", (Eye(R, 1, seed=11, size=512), Eye(L, 0, seed=11, size=512)), arrived=BEFORE),
    Patient("Yamada^Tarou=山田^太郎", "8841-7", accession="A20261207",
            eyes=(Eye(R, 4, 0.88, seed=11, size=2400), Eye(L, 2, 0.71, seed=11, size=512), Eye(R, 3, 0.62, size=512))),
    Patient("O'Brien^Siobhán", "2207-5", (Eye(R, None, flaw="blurred", size=512), Eye(L, 0, seed=7, size=512))),
    Patient("Nguyễn^Thị Minh Khai", "9034-1", (Eye(R, 0, seed=8, size=512),)),
    Patient("Papadopoulou^Eleni=Παπαδοπούλου^Ελένη", "4488-6",
            (Eye(None, 1, 0.71, seed=9, size=512), Eye(L, 1, 0.8, seed=9, size=512))),
    Patient("van der Berg^Willem", "5602-8", (Eye(R, 0, seed=10, size=512), Eye(L, 0, seed=10, size=512)),
            delivered=DeliveryState.FAILED, fault=FAULT),
    Patient("Wolfeschlegelsteinhausenbergerdorff^Hubert Blaine", "3001-1",
            (Eye(R, 0, seed=12, size=512), Eye(L, 1, seed=12, size=512, flaw="unread"))),
    Patient("Kowalska^Anna", "3003-3", (Eye(R, flaw="pending", size=512), Eye(L, 0, seed=13, size=512)),
            arrived=timedelta(seconds=10)),
    Patient("Phantom^Eye", "PHANTOM", (Eye(R, 3, seed=3, size=512), Eye(L, 0, seed=3, size=512)), synthetic=True, born=""),
)  # fmt: skip
CASES = {patient.id: number for number, patient in enumerate(PATIENTS, start=1)}


class ClinicClock(Clock):
    """That morning's clock; it goes on as any clock does."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._began)


@dataclass
class Site:
    """The application with its casebook, behind a socket."""

    url: str
    database: Database
    archive: Archive
    clock: Clock
    app: Any


@dataclass
class Reader:
    """A person at a screen.

    Attributes:
        page: what the browser shows.
        requests: the addresses it has asked for.
        faults: what no page may do: errors and refusals on the console, dialogs, requests elsewhere.
        expected: parts of the faults a test provokes.
    """

    page: Page
    site: Site
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def watch(self) -> "Reader":
        self.page.on("console", lambda message: message.type in ("error", "warning") and self._fault(message.text))
        self.page.on("pageerror", lambda error: self._fault(str(error)))
        self.page.on("dialog", lambda dialog: (self._fault(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self._asked(request.url))
        return self

    def _fault(self, what: str) -> None:
        if not any(part in what for part in self.expected):
            self.faults.append(what)

    def _asked(self, url: str) -> None:
        self.requests.append(url.removeprefix(self.site.url))
        if not url.startswith((self.site.url, "blob:", "data:")):
            self._fault(f"a request leaves: {url}")

    def sign_in(self) -> "Reader":
        self.page.goto("/login")
        self.page.fill("[name=name]", "Ada Reader")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url("**/")
        return self

    def open_case(self, patient_id: str) -> None:
        self.page.goto(f"/cases/{CASES[patient_id]}")
        self.wait_drawn()

    def wait_drawn(self) -> None:
        self.page.wait_for_function("() => [...document.querySelectorAll('.viewer')].every((box) => box.dataset.drawn)")

    def pictures(self, what: str) -> Any:
        """Return the value of an expression for every picture of the case page, ``picture`` being its object."""
        return self.page.evaluate(
            "async () => { const source = document.querySelector('script[src*=\"case.js\"]').src;"
            f" const {{ pictures }} = await import(source); return pictures.map((picture) => {what}); }}"
        )
