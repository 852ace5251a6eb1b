"""A handful of synthetic patients go through the real route, and the grader says what it sees: ``retinagate demo``.

Where no service runs in this home it runs one, and leaves it running in the foreground.
"""

import time

import click

from casebook import cases, words, worklist
from casebook.errors import RetinaGateError, Unavailable
from casebook.models import Photograph
from casebook.outcome import conclusion, judge
from casebook.settings import Settings
from casebook.words import GRADED, CaseStatus, DeliveryState, Gradability
from casebook.worklist import CaseView
from gateway import running
from gateway.demo_patients import patients
from gateway.house import House, open_house
from gateway.running import Running
from gateway.synthetic_camera import SyntheticCamera, service_in
from gateway.terminal import Waiting, bold

PATIENCE_SECONDS = 120.0  # for what should take a few
_LOOK_EVERY = 0.2


def run(settings: Settings) -> int:
    """Tell the story beside the service that runs in this home, or run one first and stay; return the exit code.

    Raises:
        Refused: what runs has no loop-back PACS.
        Unavailable: the service does not answer, or not in time.
    """
    if running.read(settings.home) is None and settings.broker.url.startswith("memory:"):
        from gateway import up

        return up.run(settings, then=_tell_at_home)
    service = service_in(settings)
    with open_house(settings) as house:
        _Story(house, service).tell()
    return 0


def _tell_at_home(house: House) -> None:
    """Tell it inside the process that runs the service; whatever fails, the service goes on."""
    try:
        _Story(house, service_in(house.settings)).tell()
    except RetinaGateError as error:
        click.echo(f"retinagate: {error}", err=True)
    else:
        click.echo("The service goes on running here. Stop: Ctrl-C")


class _Story:
    """Sends, waits and says what came of it.

    Args:
        house: the casebook of the service.
        service: where it runs.
    """

    def __init__(self, house: House, service: Running) -> None:
        self._house, self._service = house, service
        self._waiting = Waiting()
        self._patients = {patient.study: patient for patient in patients()}
        self._width = max(len(patient.name) for patient in self._patients.values())
        self._photographs = sum(len(patient.eyes) for patient in self._patients.values())
        self._began = time.monotonic()
        self._told: set[int] = set()

    def tell(self) -> None:
        """Tell the whole story.

        Raises:
            Unavailable: the service does not answer, or not in time.
        """
        click.echo(
            f"\n{len(self._patients)} synthetic patients, {self._photographs} photographs drawn by a program: "
            "nobody's eyes.\nThey take the real way through "
            f"{self._service.ae_title} at {self._service.dicom_host}:{self._service.dicom_port}; "
            "their reports stay on this machine.\n"
        )
        try:
            self._send()
            self._wait_for_answers()
            self._wait_for_reports()
        finally:
            self._waiting.clear()
        self._conclude()

    def _send(self) -> None:
        sent = 0
        with SyntheticCamera(self._service) as camera:
            for patient in self._patients.values():
                for eye, photograph in patient.photographs():
                    name = words.eye_name(eye.laterality).lower()
                    self._waiting.say(f"  photograph {sent + 1} of {self._photographs}: {name}, {patient.name.lower()}")
                    camera.store(photograph)
                    sent += 1
                    self._tell_answers(self._views())
        self._line(f"all {sent} photographs sent")

    def _wait_for_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self._tell_answers(self._views())
            if len(self._told) == self._photographs:
                return
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{self._photographs - len(self._told)} photographs are not answered yet.",
                    "Look into the service's log, and run: retinagate doctor",
                )
            self._waiting.say(f"  {len(self._told)} of {self._photographs} photographs answered")
            time.sleep(_LOOK_EVERY)

    def _wait_for_reports(self) -> None:
        quiet = self._house.settings.cases.quiet_seconds
        last = max(view.revision.last_object_at for view in self._views())
        expected = quiet - (self._house.clock.now() - last).total_seconds()
        if expected > 1:
            self._line(
                f"all {self._photographs} photographs answered; a report follows when its study is quiet, "
                f"in about {expected:.0f} s"
            )
        began = time.monotonic()
        while True:
            done = [view for view in self._views() if _is_reported(view)]
            if len(done) == len(self._patients):
                self._line(f"all {len(done)} reports arrived in the loop-back PACS, and nowhere else")
                return
            waited = time.monotonic() - began
            if waited > max(0.0, expected) + PATIENCE_SECONDS:
                raise Unavailable(
                    f"{len(self._patients) - len(done)} reports have not arrived.",
                    "Look into the service's log, and run: retinagate selftest",
                )
            left = f", about {expected - waited:.0f} s" if expected > waited else ""
            self._waiting.say(f"  {len(done)} of {len(self._patients)} reports arrived{left}")
            time.sleep(_LOOK_EVERY)

    def _tell_answers(self, views: list[CaseView]) -> None:
        """Print what was said of each photograph since the last look."""
        for view in views:
            patient = self._patients[view.case.study_instance_uid]
            for photograph in view.photographs:
                if photograph.gradability is not Gradability.PENDING and photograph.id not in self._told:
                    self._told.add(photograph.id)
                    self._line(f"{patient.name:<{self._width}}  {_said(view, photograph)}")

    def _conclude(self) -> None:
        views = sorted(self._views(), key=lambda view: (_urgency(view), view.case.id))
        click.echo("\nWhat the grader said, worst first:\n")
        with self._house.database.reading() as t:
            for view in views:
                patient = self._patients[view.case.study_instance_uid]
                headline, *sentences = conclusion(judge(cases.answers(t, view.photographs)))
                click.echo(f"  {patient.name:<{self._width}}  {bold(headline)}  (case {view.case.id})")
                for sentence in sentences:
                    if sentence != words.RESEARCH_USE:
                        click.echo(f"  {'':<{self._width}}  {sentence}")
        click.echo(
            f"\nSee them:  http://{self._service.dashboard_host}:{self._service.dashboard_port}\n"
            "Sign in:   admin, with the words the first start printed (another: retinagate user password admin "
            f"--password-stdin)\n{words.RESEARCH_USE}"
        )

    def _views(self) -> list[CaseView]:
        with self._house.database.reading() as t:
            found = (worklist.page(t, limit=1, study_instance_uid=study)[0] for study in self._patients)
            return [view for views in found for view in views]

    def _line(self, text: str) -> None:
        self._waiting.clear()
        click.echo(f"  {time.monotonic() - self._began:5.1f} s  {text}")


def _said(view: CaseView, photograph: Photograph) -> str:
    counts = cases.worst(view.gradings[photograph.id])
    if photograph.gradability in GRADED and counts is not None and counts.grade is not None:
        return words.graded_sentence(photograph.laterality, counts.grade)
    return words.ungradable_sentence(photograph.laterality, photograph.reason)


def _is_reported(view: CaseView) -> bool:
    states = [delivery.state for report in view.reports for delivery in report.deliveries]
    return view.revision.status is CaseStatus.REPORTED and all(state is DeliveryState.SENT for state in states)


def _urgency(view: CaseView) -> int:
    return 9 if view.revision.urgency is None else view.revision.urgency
