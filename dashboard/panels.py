"""The eyes of a case as panels: right on the viewer's left, one of unknown side between them (ux U4)."""

from dataclasses import dataclass

from casebook import cases, words
from casebook.models import Grading, Photograph, Rendition, RenditionKind
from casebook.outcome import Eye, PhotographAnswer
from casebook.summary import Summary
from casebook.words import Gradability, Laterality
from casebook.worklist import CaseView
from dashboard import chips
from dashboard.chips import Chip

Renditions = dict[tuple[int, int, RenditionKind], Rendition]
_PLACES = (Laterality.RIGHT, None, Laterality.BOTH, Laterality.LEFT)


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of one photograph, with its pictures."""

    name: str  # which of how many it is, in words
    chip: Chip
    reason: str  # why it has no grade, or a doubtful one
    percent: int | None  # probability of the grade
    preview: str  # addresses; empty where there is no picture
    full: str
    heat: str  # empty for a healthy eye too: there the map only misleads (ux E2)
    width: int  # of the full picture
    height: int
    preview_width: int
    decides: bool

    @property
    def spoken(self) -> str:
        """What a screen reader says of the picture."""
        return ", ".join(filter(None, (self.chip.label, self.name, self.chip.word.lower(), self.chip.certainty)))


@dataclass(frozen=True, slots=True)
class Panel:
    """An eye with all its photographs."""

    side: str
    label: str
    chip: Chip
    percent: int | None
    shots: list[Shot]
    missing: str  # why there is no picture, where there is none

    @property
    def chosen(self) -> int:
        """Which shot is shown first: the one whose grade is the eye's."""
        return next((number for number, shot in enumerate(self.shots) if shot.decides), 0)


def of_case(view: CaseView, summary: Summary, renditions: Renditions) -> list[Panel]:
    """Return the panels of a case from the viewer's left to right."""
    eyes = {eye.laterality: eye for eye in summary.eyes}
    sides = [side for side in _PLACES if side in eyes or _photographs(view, side)]
    return [
        _panel(view, side, eyes.get(side, Eye(side, None)), renditions, is_answered=summary.is_answered)
        for side in sides
    ]


def _panel(view: CaseView, side: Laterality | None, eye: Eye, renditions: Renditions, *, is_answered: bool) -> Panel:
    photographs = _photographs(view, side)
    decides = next((one.id for one in photographs if eye.deciding == cases.answer_of(one, view.gradings[one.id])), None)
    shots: list[Shot] = []
    total = sum(photograph.number_of_frames for photograph in photographs)
    for photograph in photographs:
        worst = cases.worst(view.gradings[photograph.id])
        for frame in range(1, photograph.number_of_frames + 1):
            is_it = photograph.id == decides and frame == (worst.frame if worst is not None else 1)
            name = f"photograph {len(shots) + 1} of {total}"
            shots.append(_shot(view, photograph, frame, name, renditions, decides=is_it))
    chip = chips.of_eye(eye, is_answered=is_answered)
    return Panel(
        side=chip.side,
        label=chip.label,
        chip=chip,
        percent=_percent(eye.deciding.confidence) if eye.deciding is not None and eye.deciding.is_graded else None,
        shots=shots,
        missing=chip.word if not shots else "",
    )


def _shot(
    view: CaseView, photograph: Photograph, frame: int, name: str, renditions: Renditions, *, decides: bool
) -> Shot:
    grading = next((one for one in view.gradings[photograph.id] if one.frame == frame), None)
    answer = _answer(photograph, grading)
    address = f"/api/v1/cases/{view.case.id}/photographs/{photograph.id}"
    preview = renditions.get((photograph.id, frame, RenditionKind.PREVIEW))
    full = renditions.get((photograph.id, frame, RenditionKind.FULL))
    has_heat = grading is not None and grading.heatmap is not None and bool(grading.grade)
    return Shot(
        name=name,
        chip=chips.of_answer(answer),
        reason=_reason(answer),
        percent=_percent(answer.confidence),
        preview=f"{address}/preview.jpg?frame={frame}" if preview else "",
        full=f"{address}/full.jpg?frame={frame}" if full else "",
        heat=f"{address}/heatmap.png?frame={frame}" if has_heat else "",
        width=full.width if full else 0,
        height=full.height if full else 0,
        preview_width=preview.width if preview else 0,
        decides=decides,
    )


def _answer(photograph: Photograph, grading: Grading | None) -> PhotographAnswer:
    """Return what is known of one frame; without a grading of its own, what is known of the photograph."""
    if grading is None:
        return cases.answer_of(photograph, [])
    return PhotographAnswer(
        photograph.laterality, photograph.laterality_contradicts, grading.gradability, grading.reason, grading.grade,
        grading.confidence, grading.score,
    )  # fmt: skip


def _reason(answer: PhotographAnswer) -> str:
    if answer.gradability is Gradability.PENDING:
        return words.NO_PICTURE_YET
    if answer.reason is None:
        return ""
    if answer.is_graded:
        return words.doubt_note(answer.reason)
    sentence = words.reason_sentence(answer.reason)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _percent(confidence: float | None) -> int | None:
    return round(100 * confidence) if confidence is not None else None


def _photographs(view: CaseView, side: Laterality | None) -> list[Photograph]:
    return [photograph for photograph in view.photographs if photograph.laterality is side]
