"""Grades files without any service: what stands behind ``retinagate grade PATH...``."""

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from casebook.words import Gradability, Reason
from inference.child import Child
from inference.child_words import ChildDied
from inference.examination import Examination, Made


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What came of one file.

    Attributes:
        path: as it was given, or as a walk from a given folder found it.
        gradability: also ``unreadable`` for what is no picture at all.
        reason: why it is not simply gradable, or that its grade is in doubt.
        grade: 0 to 4, of the worst frame; with score and confidence only where graded.
        score: 0 to 4.
        confidence: calibrated probability of the grade, 0 to 1.
    """

    path: str
    gradability: Gradability
    reason: Reason | None = None
    grade: int | None = None
    score: float | None = None
    confidence: float | None = None

    def as_json(self) -> dict[str, str | int | float | None]:
        """Return it as the interface names its parts."""
        return {
            "path": self.path,
            "gradability": self.gradability.value,
            "reason": self.reason.value if self.reason else None,
            "grade": self.grade,
            "score": self.score,
            "confidence": self.confidence,
        }


def walk(paths: Iterable[str | Path]) -> Iterator[str]:
    """Give every file named, and every file in every folder named, sorted; nothing is left out silently."""
    for path in paths:
        if not Path(path).is_dir():
            yield str(path)
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                yield str(Path(folder, name))


def grade_files(paths: Iterable[str | Path], child: Child, heatmaps: Path | None = None) -> Iterator[FileAnswer]:
    """Answer to every file, in order; whatever it is, it gets exactly one answer.

    Args:
        paths: files and folders; a folder is walked.
        child: reads and grades; it is replaced when a file kills it.
        heatmaps: folder that receives the overlay of every graded frame; made when it is not there.

    Raises:
        Misconfigured: the bundle is refused.
        Unavailable: the child cannot be started, or an overlay not be written.
        OSError: ``heatmaps`` cannot be made or written.
    """
    if heatmaps is not None:
        heatmaps.mkdir(parents=True, exist_ok=True)
    child.wait_ready()
    for number, path in enumerate(walk(paths), start=1):
        with TemporaryDirectory(prefix="retinagate-") if heatmaps is not None else nullcontext() as folder:
            out = Path(folder) if folder else None
            examination = _examination(Path(path), child, out)
            if heatmaps is not None and out is not None:
                _copy_overlays(examination, Path(path), number, out, heatmaps)
        worst = examination.worst
        yield FileAnswer(
            path=path,
            gradability=examination.gradability,
            reason=examination.reason,
            grade=worst.grade if worst else None,
            score=worst.score if worst else None,
            confidence=worst.confidence if worst else None,
        )


def _examination(path: Path, child: Child, out: Path | None) -> Examination:
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: opening it might never come back
            return Examination(gradability=Gradability.UNREADABLE, reason=Reason.SYNTAX)
        with path.open("rb"):
            pass
    except OSError:
        return Examination(gradability=Gradability.UNREADABLE, reason=Reason.DAMAGED)
    try:
        return child.examine(path, out)
    except ChildDied:
        return Examination(gradability=Gradability.UNREADABLE, reason=Reason.GRADING_FAILED)


def _copy_overlays(examination: Examination, path: Path, number: int, made: Path, heatmaps: Path) -> None:
    for answer in examination.frames:
        if answer.graded:
            # The running number keeps two files of one name in two folders apart.
            name = f"{number:04d}-{path.stem}{f'-{answer.frame}' if answer.frame > 1 else ''}.jpg"
            (heatmaps / name).write_bytes(Made.OVERLAY.path(made, answer.frame).read_bytes())
