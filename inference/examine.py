"""The whole story of one file: read, find the retina, judge, grade, draw; the same file always gets the same answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casebook.words import GRADED, Gradability, Reason
from inference import gradability, grading, heatmap, preprocess, reader, renditions, retina
from inference.bundle import Bundle
from inference.examination import Examination, FrameAnswer, Made, RetinaCircle, Stage, of_frames
from inference.grading import Graded
from inference.reader import Frame, Rejected
from inference.retina import Circle
from inference.runners.choice import Choice
from inference.runners.runner import Activations, Tensor


@dataclass(frozen=True, slots=True)
class Examiner:
    """A bundle and what computes it.

    Attributes:
        bundle: says how pictures become input and scores become grades.
        choice: the runner, with its part of the card.
    """

    bundle: Bundle
    choice: Choice

    def examine(
        self, path: Path, out: Path | None, *, stage: Callable[[Stage], None] = lambda _stage: None
    ) -> Examination:
        """Answer to one file.

        Args:
            path: DICOM, JPEG or PNG.
            out: folder for the pictures of ``Made``; None makes none.
            stage: told what is at work from now on; it begins with reading.

        Raises:
            OSError: the file cannot be opened, or a picture cannot be written.
            RunnerFailed: the network contradicted itself.
        """
        answers: list[FrameAnswer] = []
        try:
            for number, frame in enumerate(reader.frames(path), start=1):
                answers.append(self._frame(frame, number, out, stage))
                stage(Stage.READING)
        except Rejected as rejected:
            return Examination(gradability=rejected.gradability, reason=rejected.reason)
        except MemoryError:
            return Examination(gradability=Gradability.UNREADABLE, reason=Reason.LIMITS)
        return of_frames(tuple(answers), self.choice.runner.name)

    def _frame(self, frame: Frame, number: int, out: Path | None, stage: Callable[[Stage], None]) -> FrameAnswer:
        circle = retina.find_circle(frame.picture)
        verdict = gradability.judge(frame.picture, circle)
        graded: Graded | None = None
        activations: Activations | None = None
        if verdict.gradability in GRADED:
            assert circle is not None, "the gate passes nothing without a retina"
            stage(Stage.GRADING)
            activations = self.choice.runner.run(self._tensor(frame, circle))
            graded = grading.answer(activations.score, self.choice.card)
        if out is not None:
            self._draw(frame, number, circle, activations, out)
        width, height = renditions.preview_size(frame)
        return FrameAnswer(
            frame=number,
            gradability=verdict.gradability,
            certainty=verdict.certainty,
            # A poor photograph asks for a person anyway, and says why.
            reason=Reason.UNSURE if graded and graded.doubtful and verdict.reason is None else verdict.reason,
            score=graded.score if graded else None,
            grade=graded.grade if graded else None,
            confidence=graded.confidence if graded else None,
            circle=_on_the_whole(circle, frame.reduction) if circle else None,
            width=frame.width,
            height=frame.height,
            preview_width=width,
            preview_height=height,
        )

    def _tensor(self, frame: Frame, circle: Circle) -> Tensor:
        """Cut out and normalise, from the whole picture where the reduced one shows the retina too small (P16)."""
        preprocessing, picture = self.bundle.preprocessing, frame.picture
        if frame.reduction > 1 and 2 * preprocessing.margin * circle.radius < preprocessing.size:
            picture, circle = frame.whole(), circle.scaled(frame.reduction)
        return preprocess.normalise(preprocess.prepare(picture, circle, preprocessing), preprocessing)

    def _draw(
        self, frame: Frame, number: int, circle: Circle | None, activations: Activations | None, out: Path
    ) -> None:
        shown = renditions.preview_picture(frame)
        Made.FULL.path(out, number).write_bytes(renditions.full(frame))
        Made.PREVIEW.path(out, number).write_bytes(renditions.preview(shown))
        if activations is None or circle is None:
            return
        height, width = shown.shape[:2]
        drawn = circle.scaled(width / frame.picture.shape[1], height / frame.picture.shape[0])
        heat = heatmap.strength(activations.map, drawn, (height, width), self.bundle.preprocessing)
        Made.ACTIVATION.path(out, number).write_bytes(renditions.grid(activations.map))
        Made.LAYER.path(out, number).write_bytes(heatmap.layer(heat))
        Made.OVERLAY.path(out, number).write_bytes(heatmap.overlay(shown, heat))


def _on_the_whole(circle: Circle, reduction: int) -> RetinaCircle:
    """Return the circle on the whole picture; for a squeezed retina, which is an ellipse, the circle of its area."""
    whole = circle.scaled(reduction)
    return RetinaCircle(x=whole.x, y=whole.y, radius=math.sqrt(whole.radius * whole.half_height))
