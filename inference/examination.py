"""What the child answers about one file: plain values that travel as JSON, and pictures under fixed names beside them.

The child has seen what a peer sent and is not trusted: its answer is checked against these types, and the names of its
files are made here, never read from it.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from casebook.words import GRADED, Gradability, Reason

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1, le=1_000_000)]


class Stage(StrEnum):
    """What is at work on the file; it decides what a photograph is called that kills the child three times (R14)."""

    READING = "reading"
    GRADING = "grading"


class Made(StrEnum):
    """The pictures made of a frame; the value is what their file names end in."""

    FULL = "full.jpg"
    PREVIEW = "preview.jpg"
    ACTIVATION = "activation.npy"
    LAYER = "layer.png"
    OVERLAY = "overlay.jpg"

    def path(self, folder: Path, frame: int) -> Path:
        """Return where the child puts it in its work folder."""
        return folder / f"{frame}-{self.value}"


OF_EVERY_FRAME = (Made.FULL, Made.PREVIEW)
OF_GRADED_FRAMES = (Made.ACTIVATION, Made.LAYER, Made.OVERLAY)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RetinaCircle(_Answer):
    """The retina in pixels of the whole photograph; (0, 0) is the centre of the first pixel."""

    x: float
    y: float
    radius: float = Field(gt=0)


class FrameAnswer(_Answer):
    """What was found on one frame.

    Attributes:
        frame: number, from 1.
        gradability: gradable, limited or ungradable.
        certainty: of the gate's own answer, 0 to 1.
        reason: why limited or ungradable, or that the grader is unsure whether the eye is referable.
        score: severity 0 to 4; with grade and confidence only where graded.
        grade: 0 to 4.
        confidence: calibrated probability of the grade, 0 to 1.
        circle: the retina, where one was found.
        width: of the whole frame, in pixels, upright.
        height: of the whole frame.
        preview_width: of preview, layer and overlay.
        preview_height: of preview, layer and overlay.
    """

    frame: int = Field(ge=1)
    gradability: Gradability
    certainty: Share
    reason: Reason | None = None
    score: Annotated[float, Field(ge=0, le=4)] | None = None
    grade: Annotated[int, Field(ge=0, le=4)] | None = None
    confidence: Share | None = None
    circle: RetinaCircle | None = None
    width: Pixels
    height: Pixels
    preview_width: Pixels
    preview_height: Pixels

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = [value is not None for value in (self.score, self.grade, self.confidence)]
        if self.gradability not in GRADED | {Gradability.UNGRADABLE}:
            raise ValueError("a frame is gradable, limited or ungradable")
        if not all(given) if self.gradability in GRADED else any(given):
            raise ValueError("score, grade and confidence belong to graded frames, all three")
        _check_reason(self.gradability, self.reason)
        return self

    @property
    def graded(self) -> bool:
        """Whether there is a grade."""
        return self.grade is not None

    def made(self) -> tuple[Made, ...]:
        """Return which pictures the child made of this frame."""
        return OF_EVERY_FRAME + OF_GRADED_FRAMES if self.graded else OF_EVERY_FRAME


class Examination(_Answer):
    """What came of one file.

    Attributes:
        gradability: of the photograph as a whole.
        reason: why it is not simply gradable, or that its grade is in doubt.
        frames: one answer per frame; none where the file is unreadable or not applicable.
        runner: what computed, empty where nothing did.
    """

    gradability: Gradability
    reason: Reason | None = None
    frames: tuple[FrameAnswer, ...] = Field(default=(), max_length=1000)
    runner: str = Field(default="", max_length=64)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        read = self.gradability in GRADED | {Gradability.UNGRADABLE}
        if read != bool(self.frames) or self.gradability is Gradability.PENDING:
            raise ValueError("frames belong to a photograph that was read")
        _check_reason(self.gradability, self.reason)
        if [frame.frame for frame in self.frames] != list(range(1, len(self.frames) + 1)):
            raise ValueError("frames are numbered from 1")
        return self

    @property
    def worst(self) -> FrameAnswer | None:
        """The graded frame that counts for the photograph: the highest grade, then the highest score."""
        graded = [frame for frame in self.frames if frame.graded]
        return max(graded, key=lambda frame: (frame.grade, frame.score), default=None)


def _check_reason(gradability: Gradability, reason: Reason | None) -> None:
    if gradability is Gradability.GRADABLE:
        if reason not in {None, Reason.UNSURE}:
            raise ValueError("what is simply gradable has no reason but doubt")
    elif reason in {None, Reason.UNSURE}:
        raise ValueError("what is not simply gradable has a reason, and doubt is none")


def of_frames(frames: tuple[FrameAnswer, ...], runner: str) -> Examination:
    """Sum up a photograph that was read.

    The worst frame gives the grade. Where another frame could not be graded, or only poorly, a person should look: the
    photograph is then limited, for that frame's reason. Doubt is that of the worst frame: one with a lower score is
    further from being referable, or the photograph is referable anyway.
    """
    poor = [frame for frame in frames if frame.gradability is not Gradability.GRADABLE]
    if not any(frame.graded for frame in frames):
        return Examination(gradability=Gradability.UNGRADABLE, reason=poor[0].reason, frames=frames, runner=runner)
    if poor:
        return Examination(gradability=Gradability.LIMITED, reason=poor[0].reason, frames=frames, runner=runner)
    whole = Examination(gradability=Gradability.GRADABLE, frames=frames, runner=runner)
    return whole.model_copy(update={"reason": whole.worst.reason if whole.worst else None})
