"""Runs parts in this process until told to stop: all for ``up``, some for ``listen``, ``work`` and ``dashboard``."""

import importlib
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

from sqlalchemy import func, select

from casebook import audit, people, telemetry
from casebook.errors import Misconfigured
from casebook.models import Role, User
from casebook.settings import Settings
from casebook.words import RESEARCH_USE
from gateway import parts, running, sweep
from gateway.house import House, SelfTest, alone_in, bundle_folder, open_house
from gateway.loopback_pacs import LoopbackPacs
from gateway.running import Running
from gateway.supervisor import Run, Supervisor

log = logging.getLogger(__name__)

_RUN: dict[str, parts.Part] = {
    "sweeper": sweep.run_sweeper,
    "listener": parts.run_listener,
    "dashboard": parts.run_dashboard,
    "worker": parts.run_worker,
}
# Imported before any thread starts: two threads that import pydicom at once can see it half made.
_NEEDS = {
    "sweeper": (),
    "listener": ("dicom_listener.server", "gateway.queue"),
    "dashboard": ("dashboard.app", "uvicorn"),
    "worker": ("gateway.stations", "gateway.queue"),
}
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"
FAILED = 1

Then = Callable[[House], None]


def run(settings: Settings, then: Then | None = None) -> int:
    """Run the whole service in this process and return its exit code.

    Args:
        then: called once the service is ready, in a thread of its own.
    """
    began = time.monotonic()
    bundle_folder(settings)
    with (
        alone_in(settings.home),
        open_house(settings, migrate=True) as bare,
        LoopbackPacs(settings.home, settings.listener.ae_title) as pacs,
    ):
        running.forget(settings.home)  # what a killed start left behind
        house = replace(bare, self_test=SelfTest(secrets.token_urlsafe(32), pacs.destination))
        password = _first_admin(house)
        broken = sweep.begin_alone(house)
        say = _Banner(house, password, began, then)
        if broken:
            say.line(f"  WARNING    {broken} promises about rows and files do not hold. Run: retinagate fsck")
        return _run(house, list(_RUN), say)


def run_one(settings: Settings, *names: str) -> int:
    """Run some parts as a process of its own and return its exit code.

    Raises:
        Misconfigured: the broker lives inside one process, so another could not hear it.
    """
    if settings.broker.url.startswith("memory:"):
        raise Misconfigured(
            "broker.url is memory://, which reaches no other process.",
            "Set it to amqp://... or redis://..., or use up.",
        )
    if "worker" in names:
        bundle_folder(settings)
    with open_house(settings) as house:
        return _run(house, list(names), None)


def _run(house: House, names: list[str], banner: "_Banner | None") -> int:
    # A person at a terminal reads the banner; the line a photograph is for whoever collects the log.
    telemetry.configure_logging(logging.WARNING if banner is not None and sys.stderr.isatty() else logging.INFO)
    for module in sorted({module for name in names for module in _NEEDS[name]}):
        importlib.import_module(module)
    stop = threading.Event()
    _stop_on_signals(stop)
    supervisor = Supervisor(house.clock)
    for name in names:
        supervisor.start(name, _bound(_RUN[name], house))
    if house.self_test is not None:
        running.write(house.settings.home, _where(house, house.self_test))
    if banner is not None:
        banner.announce_when_ready(stop)
    failed = supervisor.watch(stop)
    if house.self_test is not None:
        running.forget(house.settings.home)
    left = supervisor.stop()
    if failed is not None:
        print(f"retinagate: {failed} would not stay up; the log says why.", file=sys.stderr)  # noqa: T201
    for name in left:
        log.warning("a part did not stop in time", extra={"part": name})
    return FAILED if failed is not None else 0


def _where(house: House, self_test: SelfTest) -> Running:
    listener, dashboard = house.settings.listener, house.settings.dashboard
    return Running(
        process=os.getpid(),
        ae_title=listener.ae_title,
        dicom_host=listener.host,
        dicom_port=listener.port,
        dashboard_host=dashboard.host,
        dashboard_port=dashboard.port,
        loopback_port=self_test.loopback.port,
        self_test_secret=self_test.secret,
    )


def _bound(part: parts.Part, house: House) -> Run:
    return lambda stop, progress: part(house, stop, progress)


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set():  # a second one means now
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _first_admin(house: House) -> str | None:
    """Make the first user where there is none, and return the password that is shown this once."""
    with house.database.transaction() as t:
        if t.scalar(select(func.count()).select_from(User)):
            return None
        password, now = _eight_words(), house.clock.now()
        added = people.add_user(t, "admin", Role.ADMIN, password, now, must_change=True)
        audit.append(t, now, actor="first start", action="user.add", detail=f"user {added.id} as {added.role}")
        return password


def _eight_words() -> str:
    """Return eight words that can be spoken, 12 random bits each."""

    def syllable() -> str:
        return secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS)

    return " ".join(syllable() + syllable() for _ in range(8))


class _Banner:
    """What a person sees at start: where everything is, and when it is ready."""

    def __init__(self, house: House, password: str | None, began: float, then: Then | None) -> None:
        self._house, self._password, self._began, self._then = house, password, began, then

    def announce_when_ready(self, stop: threading.Event) -> None:
        """Print it from a thread of its own, for readiness may take a while."""
        self._print_head()
        threading.Thread(target=self._wait, args=(stop,), name="banner", daemon=True).start()

    def _print_head(self) -> None:
        settings = self._house.settings
        where = "SQLite" if self._house.database.is_sqlite else "PostgreSQL"
        free = self._house.archive.free_bytes() / 1e9
        callers = ", ".join(f"{caller.ae_title} at {caller.host}" for caller in settings.listener.allowed_callers)
        names = ", ".join(destination.name for destination in settings.destinations)
        signin = f"sign in: admin / {self._password}" if self._password else "sign in with the user you made"
        self.line(f"RetinaGate {version('retinagate')}   {RESEARCH_USE[:-1].lower()}")
        self.line(f"  home       {settings.home} ({where}, {free:.1f} GB free)")
        listener = settings.listener
        self.line(
            f"  DICOM      {listener.ae_title} at {listener.host}:{listener.port}   "
            f"callers: {callers or 'anyone on this machine'}"
        )
        self.line(f"  dashboard  http://{settings.dashboard.host}:{settings.dashboard.port}           {signin}")
        self.line(f"  results    {'go to ' + names if names else 'stay here until a destination is set'}")

    def _wait(self, stop: threading.Event) -> None:
        from dashboard.health import Readiness

        readiness = Readiness(self._house.database, self._house.archive, self._house.clock)
        told: dict[str, str] = {}
        while not stop.wait(0.2):
            answer = readiness.answer()
            if answer.ready:
                self.line(f"  model      {self._model()}")
                hint = "" if self._then else "Next, in another terminal: make demo     "
                self.line(f"Ready after {time.monotonic() - self._began:.1f} s. {hint}Stop: Ctrl-C")
                if self._then is not None:
                    self._then(self._house)
                return
            for name, fault in answer.parts.items():
                final = fault not in ("ready", "has not started", "is starting")
                if final and told.get(name) != fault and time.monotonic() - self._began > 5:
                    told[name] = fault
                    self.line(f"  waiting    {name}: {fault}")

    def _model(self) -> str:
        from casebook import heartbeats

        with self._house.database.reading() as t:
            return heartbeats.pulses(t, self._house.clock.now())["model"].detail

    def line(self, line: str) -> None:
        """Print a line."""
        print(line, flush=True)  # noqa: T201 - the banner is what `up` prints
