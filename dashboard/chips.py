"""An eye's grade as a chip: number, word and colour, never colour alone (ux U11); and what is spoken for it."""

from dataclasses import dataclass

from casebook import words
from casebook.outcome import Eye, PhotographAnswer
from casebook.words import Certainty, Gradability, Laterality


@dataclass(frozen=True, slots=True)
class Chip:
    """What stands on a chip, and how it looks."""

    side: str  # R, L or nothing
    label: str  # which eye, in words
    kind: str  # grade-0 to grade-4, ungradable, pending or missing: a class of the style sheet
    number: str  # of the grade, or nothing
    word: str
    certainty: Certainty | None = None

    @property
    def spoken(self) -> str:
        """What a screen reader says (T30)."""
        return ", ".join(filter(None, (self.label, self.word.lower(), self.certainty)))


def of_eye(eye: Eye, *, is_answered: bool) -> Chip:
    """Return the chip of an eye.

    Args:
        eye: as judged.
        is_answered: whether its photographs are all here and answered.
    """
    if eye.deciding is None:
        word = words.NO_PHOTOGRAPH if is_answered else words.NO_PHOTOGRAPH_YET
        return Chip(_side(eye.laterality), words.EYE_LABELS[eye.laterality], "missing", "", word)
    return of_answer(eye.deciding)


def of_answer(answer: PhotographAnswer) -> Chip:
    """Return the chip of one photograph."""
    side, label = _side(answer.laterality), words.EYE_LABELS[answer.laterality]
    if answer.is_graded and answer.grade is not None:
        return Chip(
            side, label, f"grade-{answer.grade}", str(answer.grade), words.GRADE_NAMES[answer.grade], answer.certainty
        )
    kind = "pending" if answer.gradability is Gradability.PENDING else "ungradable"
    return Chip(side, label, kind, "", words.NO_GRADE_NAMES[answer.gradability])


def _side(laterality: Laterality | None) -> str:
    return str(laterality) if laterality in (Laterality.RIGHT, Laterality.LEFT) else ""
