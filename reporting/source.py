"""What a revision's results are built from: rows of the casebook, read once into values."""

import json
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import cases
from casebook.installation import identity
from casebook.models import Grading, Photograph, Report, Revision
from casebook.outcome import Outcome, judge
from casebook.words import GRADED, Gradability, Laterality, Product, Reason
from reporting import attributes


@dataclass(frozen=True, slots=True)
class Circle:
    """The retina in a photograph: pixels, (0, 0) is the centre of the first one."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Grader:
    """What answered: a bundle, the runner it ran on and that runner's thresholds."""

    name: str
    version: str
    sha256: str
    runner: str
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """The answer for one frame; without a grader nobody could even open it."""

    frame: int  # from 1
    gradability: Gradability
    certainty: float | None  # of the gate, 0-1
    reason: Reason | None
    score: float | None
    grade: int | None
    confidence: float | None
    circle: Circle | None
    grader: Grader | None
    overlay: str | None  # path of the finished overlay (JPEG baseline, RGB) in the archive

    @property
    def is_graded(self) -> bool:
        """Whether it carries a grade."""
        return self.gradability in GRADED


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph that results speak about, with the answers for its frames."""

    id: int
    position: int  # from 1, in the order of arrival; the same in every revision
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    size: int  # of its file, in bytes
    laterality: Laterality | None
    number_of_frames: int
    rows: int | None
    columns: int | None
    attributes: Dataset  # of camera, series and photograph
    frames: tuple[FrameAnswer, ...]

    @property
    def worst_grade(self) -> int:
        """The highest grade of its frames; -1 where none has one, so that graded eyes come first."""
        return max((frame.grade for frame in self.frames if frame.grade is not None), default=-1)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The report of an earlier revision that this one follows."""

    id: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class Examination:
    """One revision of a case, whole."""

    identity: str  # of the installation
    study_instance_uid: str
    revision: int
    written_at: datetime  # when the last answer was there: the same however often it is built
    attributes: Dataset  # of patient and study
    sources: tuple[Source, ...]
    outcome: Outcome
    predecessor: Predecessor | None
    synthetic: bool

    @property
    def cameras(self) -> list[Dataset]:
        """The attributes of its photographs."""
        return [source.attributes for source in self.sources]


def load(t: Session, revision: Revision, now: datetime) -> Examination:
    """Read a revision with everything its results say.

    Args:
        t: a session; nothing is written, but for the installation's identity at the very first report.
        revision: answered whole.
        now: for that identity only.

    Returns:
        The examination; without sources when not one of its photographs shows a retina.
    """
    photographs = cases.photographs_of(t, revision)
    gradings = cases.current_gradings(t, photographs)
    applicable = [
        (position, photograph)
        for position, photograph in enumerate(photographs, start=1)
        if photograph.gradability is not Gradability.NOT_APPLICABLE
    ]
    sources = tuple(_source(position, photograph, gradings[photograph.id]) for position, photograph in applicable)
    moments = [grading.graded_at for _, photograph in applicable for grading in gradings[photograph.id]]
    return Examination(
        identity=identity(t, now),
        study_instance_uid=revision.case.study_instance_uid,
        revision=revision.number,
        written_at=max(filter(None, (*moments, revision.ready_at)), default=revision.opened_at),
        attributes=attributes.read(revision.case.attributes),
        sources=sources,
        outcome=judge(cases.answers(t, photographs)),
        predecessor=_predecessor(t, revision),
        synthetic=revision.case.synthetic,
    )


def _source(position: int, photograph: Photograph, gradings: list[Grading]) -> Source:
    newest = {grading.frame: grading for grading in sorted(gradings, key=lambda grading: grading.id)}
    frames = tuple(
        _answer(grading)
        for _, grading in sorted(newest.items())
        if grading.gradability is not Gradability.NOT_APPLICABLE
    )
    return Source(
        id=photograph.id,
        position=position,
        sop_class_uid=photograph.sop_class_uid,
        sop_instance_uid=photograph.sop_instance_uid,
        series_instance_uid=photograph.series_instance_uid,
        transfer_syntax_uid=photograph.transfer_syntax_uid,
        size=photograph.file.size,
        laterality=photograph.laterality,
        number_of_frames=photograph.number_of_frames,
        rows=photograph.rows,
        columns=photograph.columns,
        attributes=attributes.read(photograph.attributes),
        frames=frames or (_unanswered(photograph),),
    )


def _answer(grading: Grading) -> FrameAnswer:
    card = json.loads(grading.bundle.card)
    runner = card.get("runners", {}).get(grading.runner.split(" ")[0], {})  # behind its name stands its version
    return FrameAnswer(
        frame=grading.frame,
        gradability=grading.gradability,
        certainty=grading.certainty,
        reason=grading.reason,
        score=grading.score,
        grade=grading.grade,
        confidence=grading.confidence,
        circle=_circle(grading),
        grader=Grader(
            name=grading.bundle.name,
            version=grading.bundle.version,
            sha256=grading.bundle.sha256,
            runner=grading.runner,
            thresholds=tuple(runner.get("thresholds", ())),
        ),
        overlay=grading.heatmap.overlay_file.path if grading.heatmap is not None else None,
    )


def _circle(grading: Grading) -> Circle | None:
    if grading.circle_x is None or grading.circle_y is None or grading.circle_radius is None:
        return None
    return Circle(grading.circle_x, grading.circle_y, grading.circle_radius)


def _unanswered(photograph: Photograph) -> FrameAnswer:
    return FrameAnswer(1, photograph.gradability, None, photograph.reason, None, None, None, None, None, None)


def _predecessor(t: Session, revision: Revision) -> Predecessor | None:
    row = t.scalars(
        select(Report)
        .join(Report.revision)
        .where(Revision.case_id == revision.case_id, Revision.number < revision.number, Report.product == Product.SR)
        .order_by(Revision.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Predecessor(row.id, row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid)
