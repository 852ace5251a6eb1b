"""The patient's outcome: pure judgement over the answers for all photographs of a revision.

One promise stands above the others: nothing is negative by absence. A missing, ungradable or unread eye is never taken
for a healthy one, so ``referable`` is ``False`` only when both eyes have a photograph of grade 0 or 1, and the grader
is in doubt about no photograph.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from casebook import words
from casebook.words import GRADED, REFERABLE_FROM, Attention, Certainty, Gradability, Laterality, Reason

# Of the calibrated probability of the shown grade (ux U7). It chooses the word alone: what asks for a person is doubt
# about referable disease, whose share and gain the bundle's card states.
UNSURE_BELOW = 0.6
SURE_FROM = 0.8
_URGENCY = {4: 0, 3: 1, 2: 2}  # ux U1
CANNOT_SAY = 3
_NOT_DELIVERED = 4
_DOUBTS = frozenset(Attention) - {Attention.REFERABLE, Attention.DELIVERY_FAILED}
_ANSWERED_WITHOUT_GRADE = (Gradability.UNGRADABLE, Gradability.UNREADABLE, Gradability.PENDING)


@dataclass(frozen=True, slots=True)
class PhotographAnswer:
    """What is known of one photograph; of several frames the worst."""

    laterality: Laterality | None
    laterality_contradicts: bool
    gradability: Gradability
    reason: Reason | None
    grade: int | None
    confidence: float | None
    score: float | None = None

    @property
    def is_graded(self) -> bool:
        """Whether it carries a grade."""
        return self.gradability in GRADED and self.grade is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look at its grade."""
        return self.is_graded and (self.gradability is Gradability.LIMITED or self.is_unsure)

    @property
    def is_unsure(self) -> bool:
        """Whether the grader doubts that the eye is referable, or that it is not."""
        return self.is_graded and self.reason is Reason.UNSURE

    @property
    def is_between(self) -> bool:
        """Whether the grade might as well be the next one, up or down."""
        return self.is_graded and self.confidence is not None and self.confidence < UNSURE_BELOW

    @property
    def certainty(self) -> Certainty | None:
        """How sure the network is, where it gave a grade."""
        if not self.is_graded or self.confidence is None:
            return None
        if self.is_unsure or self.is_between:
            return Certainty.UNSURE
        return Certainty.SURE if self.confidence >= SURE_FROM else Certainty.FAIRLY_SURE


@dataclass(frozen=True, slots=True)
class Eye:
    """What all photographs of one eye say together: the worst graded one decides."""

    laterality: Laterality | None
    deciding: PhotographAnswer | None  # none: no photograph is known to show this eye

    @property
    def grade(self) -> int | None:
        """The eye's grade of 0 to 4, where it has one."""
        return self.deciding.grade if self.deciding is not None and self.deciding.is_graded else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The patient level: what the worse eye says, and why a person must look."""

    eyes: tuple[Eye, ...]  # right, left, then those of both or of unknown side where there are any
    referable: bool | None  # none: cannot say
    attention: frozenset[Attention]
    urgency: int | None  # 0 is most urgent, none needs nobody

    @property
    def worse(self) -> Eye | None:
        """The eye with the highest grade; the right one of two equals."""
        graded = [eye for eye in self.eyes if eye.grade is not None]
        return max(graded, key=lambda eye: eye.grade or 0, default=None)

    @property
    def grade(self) -> int | None:
        """The grade of the worse eye, where any eye has one."""
        return self.worse.grade if self.worse is not None else None


def judge(
    answers: Iterable[PhotographAnswer], *, conflicting_copy: bool = False, delivery_failed: bool = False
) -> Outcome:
    """Judge a patient by the worse eye.

    What is not applicable does not count. A photograph of unknown side, or of both eyes at once, is graded and may make
    the case referable, but satisfies no eye.

    Args:
        answers: one for each photograph of the revision, in any order.
        conflicting_copy: other bytes arrived under the identifier of one of them.
        delivery_failed: a result of the case did not reach its destination.

    Returns:
        Whether the worse eye is referable (grade 2 or worse), what needs a person, and how urgently (ux U1).
    """
    counted = [answer for answer in answers if answer.gradability is not Gradability.NOT_APPLICABLE]
    sides: dict[Laterality | None, list[PhotographAnswer]] = {Laterality.RIGHT: [], Laterality.LEFT: []}
    for side in (Laterality.BOTH, None):
        if any(answer.laterality is side for answer in counted):
            sides[side] = []
    for answer in counted:
        sides[answer.laterality].append(answer)
    eyes = tuple(Eye(side, _deciding(photographs)) for side, photographs in sides.items())

    referable = _referable(eyes, counted)
    attention = {attention for side, photographs in sides.items() for attention in _attention_of(side, photographs)}
    if referable:
        attention.add(Attention.REFERABLE)
    if conflicting_copy:
        attention.add(Attention.CONFLICTING_COPY)
    if delivery_failed:
        attention.add(Attention.DELIVERY_FAILED)
    return Outcome(eyes, referable, frozenset(attention), _urgency(eyes, attention))


def conclusion(outcome: Outcome) -> tuple[str, ...]:
    """Say an outcome in sentences: the worse eye, each eye, what is missing, and that this is research."""
    worse = outcome.worse
    side = worse.laterality if worse is not None else None
    sentences = [words.outcome_sentence(outcome.referable, side, outcome.grade)]
    for eye in outcome.eyes:
        sentences += _eye_sentences(eye, is_only_known=len(outcome.eyes) == 2)
    if Attention.LATERALITY_CONTRADICTION in outcome.attention:
        sentences.append(words.CONTRADICTION_SENTENCE)
    if outcome.referable is None:
        sentences.append(words.NOT_NEGATIVE)
    return (*sentences, words.RESEARCH_USE)


def _deciding(photographs: list[PhotographAnswer]) -> PhotographAnswer | None:
    graded = [answer for answer in photographs if answer.is_graded]
    if graded:
        return max(graded, key=_weight)
    for gradability in _ANSWERED_WITHOUT_GRADE:
        found = [answer for answer in photographs if answer.gradability is gradability]
        if found:
            return min(found, key=lambda answer: answer.reason or "")
    return None


def _weight(answer: PhotographAnswer) -> tuple[int, bool, bool, float]:
    """Order the photographs of an eye: the higher grade, then doubt that forbids a negative, then the better one."""
    grade = answer.grade or 0
    return grade, answer.is_unsure and grade < REFERABLE_FROM, not answer.is_doubtful, answer.confidence or 0.0


def _referable(eyes: tuple[Eye, ...], photographs: list[PhotographAnswer]) -> bool | None:
    if any(eye.grade is not None and eye.grade >= REFERABLE_FROM for eye in eyes):
        return True
    if any(photograph.is_unsure for photograph in photographs):
        return None
    right, left = eyes[:2]
    return None if right.grade is None or left.grade is None else False


def _attention_of(side: Laterality | None, photographs: list[PhotographAnswer]) -> set[Attention]:
    found = set()
    is_one_eye = side in (Laterality.RIGHT, Laterality.LEFT)
    if is_one_eye and not photographs:
        found.add(Attention.MISSING_EYE)
    # Photographs whose side is not known may show different eyes, so a graded one does not stand for the others.
    stands_for_all = is_one_eye and any(answer.is_graded for answer in photographs)
    for answer in photographs:
        if answer.gradability is Gradability.UNGRADABLE and not stands_for_all:
            found.add(Attention.UNGRADABLE)
        if answer.gradability is Gradability.UNREADABLE:  # nobody has looked at it, whatever the others show
            failed = answer.reason is Reason.GRADING_FAILED
            found.add(Attention.GRADING_FAILED if failed else Attention.UNGRADABLE)
        if answer.is_doubtful:
            found.add(Attention.UNCERTAIN)
        if answer.laterality_contradicts:
            found.add(Attention.LATERALITY_CONTRADICTION)
        elif side is None:
            found.add(Attention.UNKNOWN_LATERALITY)
    return found


def _urgency(eyes: tuple[Eye, ...], attention: set[Attention]) -> int | None:
    worst = max((eye.grade for eye in eyes if eye.grade is not None), default=0)
    if worst in _URGENCY:
        return _URGENCY[worst]
    if attention & _DOUBTS:
        return CANNOT_SAY
    return _NOT_DELIVERED if Attention.DELIVERY_FAILED in attention else None


def _eye_sentences(eye: Eye, *, is_only_known: bool) -> list[str]:
    answer = eye.deciding
    if answer is None:
        return [words.missing_sentence(eye.laterality, others_arrived=not is_only_known)]
    if answer.gradability is Gradability.PENDING:
        return [words.pending_sentence(eye.laterality)]
    if eye.grade is None:
        return [words.ungradable_sentence(eye.laterality, answer.reason)]
    sentences = [words.graded_sentence(eye.laterality, eye.grade)]
    if answer.is_unsure:
        sentences.append(words.unsure_sentence(eye.laterality))
    if answer.is_between:
        sentences.append(words.uncertain_sentence(eye.laterality, eye.grade, answer.score))
    if answer.gradability is Gradability.LIMITED:
        sentences.append(words.limited_sentence(eye.laterality, answer.reason))
    return sentences
