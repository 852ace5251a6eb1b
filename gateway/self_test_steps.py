"""The six steps of the self-test: what each does, and what it says when it fails (ux C12)."""

import http.client
import json
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread

from casebook import audit, people, self_tests, worklist
from casebook.cases import worst
from casebook.errors import RetinaGateError
from casebook.models import Photograph, Scope
from casebook.settings import LOOPBACK, Settings
from casebook.words import CaseStatus, DeliveryState, Gradability, Laterality, Product, reason_sentence
from casebook.worklist import CaseView
from gateway import loopback_pacs, running
from gateway.house import House, bundle_folder, open_house
from gateway.running import Running
from gateway.synthetic_camera import SyntheticCamera, service_in
from gateway.terminal import Waiting
from inference.bundle import Bundle, Golden, load_bundle
from inference.phantom_dicom import ophthalmic_photograph, synthetic_uid

ANSWER_SECONDS = 120.0
REPORT_SECONDS = 60.0  # after the study fell quiet
_TOKEN_LIFE = timedelta(minutes=5)
_LOOK_EVERY = 0.1
_DOCTOR = "Look into the service's log, and run: retinagate doctor"
_LOOPBACK_DEAD = "Start the service again; if it stays red, look whether the home folder can be written."


class Red(RetinaGateError):
    """A step failed; the remedy is what to do."""


@dataclass(frozen=True, slots=True)
class _Eye:
    laterality: Laterality
    golden: Golden
    photograph: Dataset

    @property
    def uid(self) -> str:
        return str(self.photograph.SOPInstanceUID)


class SelfTest:
    """The six steps, and what each leaves for the next.

    Args:
        settings: those of the service.
        stack: closes at the end what a step opened.
    """

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.waiting = Waiting()
        self.steps: dict[str, Callable[[], str]] = {
            "associate": self._associate,
            "store 2 eyes": self._store,
            "file and rows": self._find,
            "score as golden": self._compare_scores,
            "report and overlays": self._read_back,
            "case in the API": self._ask_api,
        }
        self._settings, self._stack = settings, stack
        self._service: Running
        self._camera: SyntheticCamera
        self._bundle: Bundle
        self._eyes: list[_Eye] = []
        self._house: House | None = None
        self._case_id: int | None = None
        self._study = synthetic_uid("self-test", secrets.token_hex(16))

    def record(self, red: str) -> None:
        """Write down that the self-test ended; without a casebook there is nothing to write into.

        Args:
            red: the step that failed; empty when all were green.
        """
        if self._house is not None:
            with self._house.database.transaction() as t:
                self_tests.record(t, self._house.clock.now(), case_id=self._case_id, red=red)

    def _associate(self) -> str:
        self._service = service_in(self._settings)
        self._camera = self._stack.enter_context(SyntheticCamera(self._service))
        self._camera.echo()
        return ""

    def _store(self) -> str:
        self._bundle = load_bundle(bundle_folder(self._settings))
        by_score = sorted(self._bundle.card.golden, key=lambda golden: golden.score)
        sides = {Laterality.RIGHT: by_score[-1], Laterality.LEFT: by_score[0]}
        for number, (laterality, golden) in enumerate(sides.items(), 1):
            self._eyes.append(self._eye(number, laterality, golden))
            self._camera.store(self._eyes[-1].photograph)
        return ""

    def _eye(self, number: int, laterality: Laterality, golden: Golden) -> _Eye:
        with Image.open(BytesIO(self._bundle.files[golden.file])) as image:
            picture = np.asarray(image.convert("RGB"))
        photograph = ophthalmic_photograph(
            picture,  # uncompressed, for the score shall be the golden one
            laterality=laterality,
            study_uid=self._study,
            series_uid=f"{self._study}.1",
            sop_uid=f"{self._study}.1.{number}",
            patient_name="SYNTHETIC^Self-test",
            patient_id="RG-SELFTEST",
            taken_at=datetime.now(UTC),
            instance_number=number,
        )
        return _Eye(laterality, golden, photograph)

    def _find(self) -> str:
        self._house = self._stack.enter_context(open_house(self._settings))
        view = self._view()
        if view is None:
            raise Red(
                "The service stored the eyes, but the casebook of these settings has no row of them.",
                "Run selftest with the settings of the service, database.url above all.",
            )
        self._case_id = view.case.id
        if not view.case.synthetic:
            raise Red(
                "The case is not marked synthetic.", "Stop the service, and report this as a fault of RetinaGate."
            )
        with self._house.database.reading() as t:
            for photograph in view.photographs:
                differs = self._house.archive.differs(t.get_one(Photograph, photograph.id).file)
                if differs:
                    raise Red(
                        f"The file of a photograph {differs}.", "Check the archive's disk, and run: retinagate fsck"
                    )
        return ""

    def _compare_scores(self) -> str:
        def answered(view: CaseView) -> bool:
            return all(photograph.gradability is not Gradability.PENDING for photograph in view.photographs)

        view = self._wait(answered, ANSWER_SECONDS, "the eyes are graded")
        tolerance = self._bundle.card.golden_tolerance
        said, wrong, graded_by = [], [], set()
        for eye in self._eyes:
            photograph = next(one for one in view.photographs if one.sop_instance_uid == eye.uid)
            grading = worst(view.gradings[photograph.id])
            if grading is None or grading.score is None:
                raise Red(f"The {eye.laterality} eye got no score: {_why(photograph)}.", _DOCTOR)
            said.append(f"{eye.laterality} {grading.score:.2f} ({eye.golden.score:.2f} +- {tolerance:.2f})")
            wrong += [eye] if abs(grading.score - eye.golden.score) > tolerance else []
            graded_by.add(grading.bundle.sha256)
        if wrong:
            other = graded_by != {self._bundle.sha256}
            raise Red(
                "  ".join(said),
                "The service grades with another bundle than the settings name: start it again."
                if other
                else "Do not use its grades. Install the bundle again; if it stays red, report this processor.",
            )
        return "  ".join(said)

    def _read_back(self) -> str:
        quiet = self._settings.cases.quiet_seconds

        def arrived(view: CaseView) -> bool:
            for report in view.reports:
                for delivery in report.deliveries:
                    if delivery.state is not DeliveryState.SENT and delivery.attempts:
                        raise Red(f"The loop-back PACS: {delivery.last_error or 'no answer'}", _LOOPBACK_DEAD)
            return view.revision.status is CaseStatus.REPORTED and all(
                delivery.state is DeliveryState.SENT for report in view.reports for delivery in report.deliveries
            )

        view = self._wait(arrived, quiet + REPORT_SECONDS, "the study is quiet and the report has arrived", quiet)
        counts = dict.fromkeys(Product, 0)
        for report in view.reports:
            _check(loopback_pacs.read(self._settings.home, report.sop_instance_uid), report.product, self._study)
            counts[report.product] += 1
        if counts != {Product.SR: 1, Product.OVERLAY: len(self._eyes)}:
            raise Red(f"There are {counts[Product.SR]} SR and {counts[Product.OVERLAY]} overlays.", _DOCTOR)
        return f"1 SR, {len(self._eyes)} overlays, parsed"

    def _ask_api(self) -> str:
        assert self._house is not None
        database, clock = self._house.database, self._house.clock
        with database.transaction() as t:
            token = people.add_token(t, f"self-test {secrets.token_hex(8)}", Scope.READ, clock.now())
            row = people.token(t, token, clock.now())
            assert row is not None
            row.expires_at = clock.now() + _TOKEN_LIFE
            audit.append(t, clock.now(), actor=self_tests.ACTOR, action="token.add", detail="scope read, for minutes")
        try:
            items = self._get(f"/api/v1/cases?study_instance_uid={quote(self._study)}", token)["items"]
        finally:
            with database.transaction() as t:
                row = people.token(t, token, clock.now())
                if row is not None:
                    t.delete(row)
                audit.append(t, clock.now(), actor=self_tests.ACTOR, action="token.remove")
        shown = [(item["id"], item["synthetic"], len(item["photographs"])) for item in items]
        destinations = {delivery["destination"] for item in items for delivery in item["deliveries"]}
        if shown != [(self._case_id, True, len(self._eyes))] or destinations != {LOOPBACK}:
            raise Red("The API does not show the case as it is.", _DOCTOR)
        return ""

    def _get(self, path: str, token: str) -> Any:
        host, port = self._service.dashboard_host, self._service.dashboard_port
        names = [name for name in self._settings.dashboard.allowed_hosts if "*" not in name]
        connection = http.client.HTTPConnection(running.here(host), port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {token}", "Host": names[0] if names else host}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise Red(f"The dashboard answers {answer.status} {answer.reason}.", _DOCTOR)
            return json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            raise Red(f"Nothing answers as the dashboard at {host}:{port}.", _DOCTOR) from None
        finally:
            connection.close()

    def _view(self) -> CaseView | None:
        assert self._house is not None
        with self._house.database.reading() as t:
            views, _ = worklist.page(t, limit=1, study_instance_uid=self._study)
        return views[0] if views else None

    def _wait(self, is_there: Callable[[CaseView], bool], seconds: float, what: str, expected: float = 0.0) -> CaseView:
        began = time.monotonic()
        while True:
            view = self._view()
            if view is not None and is_there(view):
                return view
            waited = time.monotonic() - began
            if waited > seconds:
                raise Red(f"Not within {seconds:.0f} s: {what}.", _DOCTOR)
            left = f", about {expected - waited:.0f} s" if expected > waited else ""
            if waited > 1:
                self.waiting.say(f"    until {what}{left}")
            time.sleep(_LOOK_EVERY)


def _why(photograph: Photograph) -> str:
    return reason_sentence(photograph.reason) if photograph.reason is not None else str(photograph.gradability)


def _check(data: bytes | None, product: Product, study: str) -> None:
    """Parse an object that the loop-back PACS gave back.

    Raises:
        Red: it is not there, or not what it should be.
    """
    if data is None:
        raise Red("The loop-back PACS took an object and does not hold it.", _LOOPBACK_DEAD)
    try:
        result = dcmread(BytesIO(data))
        whole = bool(result.ContentSequence) if product is Product.SR else result.pixel_array.ndim == 3
        whole = whole and result.StudyInstanceUID == study
    except Exception:  # noqa: BLE001 - parsers raise anything
        whole = False
    if not whole:
        raise Red(f"The {product} that came back cannot be parsed.", "Report this as a fault of RetinaGate.")
