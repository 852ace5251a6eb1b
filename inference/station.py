"""The grading station: one photograph from its row to its answer (steps 3 and 4 of a photograph).

Files first, each durable; then one transaction that writes every row and ends the job. A death of the child is counted
against the photograph; anything that passes by itself (disk, database, a model still loading) is not, and ends as the
error it is, for the worker to put the job off.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from casebook import attention, cases, failpoints, jobs
from casebook.archive import Archive, Stored, register
from casebook.clock import SYSTEM, Clock
from casebook.database import Database
from casebook.errors import LostLease, Unavailable
from casebook.jobs import Claim
from casebook.models import BundleRow, FileKind, Grading, Heatmap, Photograph, Rendition, RenditionKind
from casebook.telemetry import DECODER_RESTARTS, GRADABILITY, GRADE_SECONDS, GRADINGS
from casebook.words import Attention, Gradability, JobKind, Reason
from inference.child_words import ChildDied, ChildStopped, DeadlinePassed, Ready
from inference.examination import Examination, FrameAnswer, Made

log = logging.getLogger(__name__)

_KINDS = {
    Made.FULL: FileKind.RENDITION,
    Made.PREVIEW: FileKind.PREVIEW,
    Made.ACTIVATION: FileKind.ACTIVATION,
    Made.LAYER: FileKind.HEATMAP,
    Made.OVERLAY: FileKind.OVERLAY,
}
_RENDITIONS = {Made.FULL: RenditionKind.FULL, Made.PREVIEW: RenditionKind.PREVIEW}


@dataclass(frozen=True, slots=True)
class _Subject:
    """The photograph of a job: its file, and the renditions an earlier grading has left."""

    id: int
    path: Path
    synthetic: bool
    rendered: frozenset[tuple[int, RenditionKind]]


class Examines(Protocol):
    """What answers to files: a child, or several."""

    @property
    def hands(self) -> int:
        """How many files can be under way at once."""
        ...

    def is_ready(self) -> bool:
        """Say, without waiting, whether a file could be examined now."""
        ...

    def wait_ready(self) -> Ready:
        """Wait until one can be."""
        ...

    def examine(self, path: Path, out: Path | None) -> Examination:
        """Answer to one file."""
        ...


class Grader:
    """Grades photographs, as many at once as there are children for.

    Args:
        database: rows.
        archive: files.
        children: what reads and computes.
        clock: what time it is.
    """

    kind = JobKind.GRADE

    def __init__(self, database: Database, archive: Archive, children: Examines, clock: Clock = SYSTEM) -> None:
        self._database = database
        self._archive = archive
        self._children = children
        self._clock = clock

    @property
    def hands(self) -> int:
        """How many photographs can be under way at once."""
        return self._children.hands

    def is_ready(self) -> bool:
        """Say whether a child could take a photograph now; one that died is started again by asking."""
        return self._children.is_ready()

    def work(self, claim: Claim) -> None:
        """Grade the photograph of a claim.

        Raises:
            LostLease: another worker has the job now; what was made is thrown away.
            Unavailable: disk, database or child are not there now.
            Misconfigured: the bundle is refused.
        """
        subject = self._subject(claim)
        began = self._clock.monotonic()
        with self._archive.work_folder() as folder:
            try:
                ready = self._children.wait_ready()
                examination = self._children.examine(subject.path, folder)
            except ChildStopped:
                with self._database.transaction() as t:
                    jobs.release(t, claim, self._clock.now())
                return
            except ChildDied as death:
                self._crashed(claim, subject, death)
                return
            self._keep(claim, subject, ready, examination, folder)
        if not subject.synthetic:  # in no count (ux O39)
            _count(examination, self._clock.monotonic() - began)
        log.info("photograph answered", extra={"photograph": subject.id, "outcome": str(examination.gradability)})

    def _subject(self, claim: Claim) -> _Subject:
        with self._database.reading() as t:
            photograph = t.get_one(Photograph, int(claim.subject))
            rendered = t.execute(
                select(Rendition.frame, Rendition.kind).where(Rendition.photograph_id == photograph.id)
            )
            return _Subject(
                photograph.id,
                self._archive.path(photograph.file.path),
                photograph.case.synthetic,
                frozenset((frame, kind) for frame, kind in rendered),
            )

    def _keep(self, claim: Claim, subject: _Subject, ready: Ready, examination: Examination, folder: Path) -> None:
        kept: dict[tuple[int, Made], Stored] = {}
        try:
            for answer in examination.frames:
                for made in answer.made():
                    if (answer.frame, _RENDITIONS.get(made)) not in subject.rendered:
                        part = made.path(folder, answer.frame)
                        kept[answer.frame, made] = self._archive.keep(part, part.suffix)
            failpoints.point("after_grading_files")
            with self._database.transaction() as t:
                now = self._clock.now()
                jobs.finish(t, claim, now)
                _write(t, subject.id, ready, examination, kept, now)
        except (LostLease, OSError) as error:
            # Only here is it certain that no row names them; after a lost connection the sweep looks.
            for stored in kept.values():
                self._archive.discard(stored.path)
            if isinstance(error, LostLease):
                raise
            raise Unavailable("The archive cannot be written.", "Check its disk.") from error

    def _crashed(self, claim: Claim, subject: _Subject, death: ChildDied) -> None:
        DECODER_RESTARTS.labels("deadline" if isinstance(death, DeadlinePassed) else "died").inc()
        with self._database.transaction() as t:
            now = self._clock.now()
            condemned = jobs.crashed(t, claim, now, error=f"{death.message} Stage: {death.stage}.")
            if condemned:
                photograph = t.get_one(Photograph, subject.id)
                cases.answered(t, photograph, Gradability.UNREADABLE, Reason.GRADING_FAILED, now)
                attention.ask(t, photograph.case_id, Attention.GRADING_FAILED, now)
        log.warning(
            "the child died over a photograph",
            extra={"photograph": subject.id, "job": claim.id, "outcome": "quarantined" if condemned else "again"},
        )


def _count(examination: Examination, seconds: float) -> None:
    GRADE_SECONDS.labels(examination.runner or "none").observe(seconds)
    GRADABILITY.labels(str(examination.gradability), str(examination.reason or "")).inc()
    for frame in examination.frames:
        if frame.graded:
            GRADINGS.labels(str(frame.grade)).inc()


def _write(
    t: Session,
    photograph_id: int,
    ready: Ready,
    examination: Examination,
    kept: dict[tuple[int, Made], Stored],
    now: datetime,
) -> None:
    """Write all rows of an examination; gradings that counted until now are superseded."""
    photograph = t.get_one(Photograph, photograph_id)
    files = {(frame, made): register(t, stored, _KINDS[made], now).id for (frame, made), stored in kept.items()}
    t.execute(
        update(Grading)
        .where(Grading.photograph_id == photograph_id, Grading.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    bundle = _bundle(t, ready, now) if examination.frames else None
    for answer in examination.frames:
        assert bundle is not None
        _renditions(t, photograph_id, answer, files)
        grading = _grading(photograph_id, bundle, answer, examination.runner, now)
        t.add(grading)
        t.flush()
        if answer.graded:
            t.add(
                Heatmap(
                    grading_id=grading.id,
                    layer_file_id=files[answer.frame, Made.LAYER],
                    overlay_file_id=files[answer.frame, Made.OVERLAY],
                    activation_file_id=files[answer.frame, Made.ACTIVATION],
                    overlay_width=answer.preview_width,
                    overlay_height=answer.preview_height,
                )
            )
    cases.answered(t, photograph, examination.gradability, examination.reason, now)


def _renditions(t: Session, photograph_id: int, answer: FrameAnswer, files: dict[tuple[int, Made], int]) -> None:
    sizes = {
        Made.FULL: (answer.width, answer.height),
        Made.PREVIEW: (answer.preview_width, answer.preview_height),
    }
    for made, (width, height) in sizes.items():
        file_id = files.get((answer.frame, made))
        if file_id is not None:
            t.add(
                Rendition(
                    photograph_id=photograph_id,
                    frame=answer.frame,
                    kind=_RENDITIONS[made],
                    width=width,
                    height=height,
                    file_id=file_id,
                )
            )


def _grading(photograph_id: int, bundle: BundleRow, answer: FrameAnswer, runner: str, now: datetime) -> Grading:
    circle = answer.circle
    return Grading(
        photograph_id=photograph_id,
        frame=answer.frame,
        bundle_id=bundle.id,
        gradability=answer.gradability,
        certainty=answer.certainty,
        reason=answer.reason,
        score=answer.score,
        grade=answer.grade,
        confidence=answer.confidence,
        circle_x=circle.x if circle else None,
        circle_y=circle.y if circle else None,
        circle_radius=circle.radius if circle else None,
        runner=runner,
        graded_at=now,
    )


def _bundle(t: Session, ready: Ready, now: datetime) -> BundleRow:
    """Find or write the row of a bundle; the same card is one bundle on all hosts."""
    query = select(BundleRow).where(BundleRow.sha256 == ready.sha256)
    row = t.scalar(query)
    if row is None:
        try:
            with t.begin_nested():
                t.add(
                    BundleRow(
                        name=ready.name,
                        version=ready.version,
                        sha256=ready.sha256,
                        card=ready.card,
                        first_used_at=now,
                    )
                )
        except IntegrityError:
            pass  # another worker wrote it in this instant
        row = t.scalars(query).one()
    return row
