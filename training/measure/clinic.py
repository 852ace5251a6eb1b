"""Reads what a clinic exports of its own grades, and what the grader answered to the same photographs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casebook.errors import BadInput
from casebook.words import GRADED, Gradability, Reason
from training.photographs.tables import Line, lines_of

_KEYS = ("sop_instance_uid", "path")
_AS_WRITTEN = "Give the file as retinagate grade --json or the API wrote it."


@dataclass(frozen=True, slots=True)
class Case:
    """A photograph as the clinic graded it.

    Attributes:
        key: its SOP Instance UID or its path, as the file has it.
        grade: 0-4.
        camera: by which results are told apart; empty where it is not known.
        patient: who is drawn together; the photograph itself where nobody is named.
    """

    key: str
    grade: int
    camera: str
    patient: str


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the grader answered, to nobody's knowledge.

    Attributes:
        key: as in ``Case``.
        gradability: the gate's word.
        reason: why not simply gradable, or why a person should look.
        grade: 0-4; None where there is none.
        bundle: what graded it, where the file says so.
    """

    key: str
    gradability: Gradability
    reason: Reason | None
    grade: int | None
    bundle: str

    @property
    def to_a_person(self) -> bool:
        """Whether the service asks a person for this photograph, whatever its grade."""
        return self.grade is None or self.gradability is not Gradability.GRADABLE or self.reason is not None


def read_cases(file: Path) -> tuple[str, list[Case]]:
    """Read a clinic's CSV, one photograph a line.

    Returns:
        Which column names the photographs, ``sop_instance_uid`` or ``path``; and the photographs.

    Raises:
        BadInput: it cannot be read; the sentence names the line.
    """
    lines = lines_of(file)
    columns = lines[0].cells
    key = next((name for name in _KEYS if name in columns), None)
    if key is None or "grade" not in columns:
        raise BadInput(
            f"{file.name} has not the columns it needs.",
            "Name the photographs in sop_instance_uid or path, and the clinic's grade in grade, apart by commas.",
        )
    found: dict[str, Case] = {}
    for line in lines:
        name = line.text(key)
        if name in found:
            raise line.wrong("the photograph was named before", "Keep one grade for each.")
        patient = line.cells.get("patient", "") or f"photograph {name}"
        found[name] = Case(name, line.grade("grade"), line.cells.get("camera", ""), patient)
    return key, list(found.values())


def read_gradings(file: Path, key: str) -> dict[str, Shadow]:
    """Read the grader's answers: JSON of ``retinagate grade --json`` or of the API's cases, or a CSV.

    Args:
        file: one JSON object a line, or one JSON document, or a CSV with the names of the interface as columns.
        key: ``sop_instance_uid`` or ``path``, what names a photograph in the clinic's file.

    Returns:
        The answers by what names their photograph; what is not answered yet is left out.

    Raises:
        BadInput: it cannot be read; the sentence names the line.
    """
    found: dict[str, Shadow] = {}
    for line in _lines(file):
        if key not in line.cells:
            raise line.wrong(f"it has no {key}", f"The clinic's file names photographs by {key}.")
        name = line.text(key)
        if name in found:
            raise line.wrong("the photograph was named before", "Keep one grading for each.")
        found[name] = _shadow(name, line)
    return {name: answer for name, answer in found.items() if answer.gradability is not Gradability.PENDING}


def _shadow(name: str, line: Line) -> Shadow:
    gradability = line.cells.get("gradability", "")
    reason, grade = line.cells.get("reason", ""), line.cells.get("grade", "")
    if gradability not in set(Gradability) or reason not in {"", *Reason}:
        raise line.wrong("it has a word that is no gradability or reason", _AS_WRITTEN)
    if bool(grade) != (gradability in GRADED):
        raise line.wrong("it has a grade without a gradable photograph, or the other way about", _AS_WRITTEN)
    return Shadow(
        name,
        Gradability(gradability),
        Reason(reason) if reason else None,
        line.grade("grade") if grade else None,
        line.cells.get("bundle", ""),
    )


def _lines(file: Path) -> list[Line]:
    """Return the photographs of a CSV or JSON file, as lines of text."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read as text.", "Give a file of JSON or CSV in UTF-8.") from error
    if text.lstrip()[:1] not in {"{", "["}:
        return lines_of(file)
    return [
        Line(file.name, number, {name: _text(value) for name, value in row.items()})
        for number, document in _documents(file, text)
        for row in _photographs(file, document)
    ]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _documents(file: Path, text: str) -> list[tuple[int, Any]]:
    """Return the whole file as one JSON document, or each line as one, with the number of its line."""
    try:
        return [(1, json.loads(text))]
    except ValueError:
        pass
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append((number, json.loads(line)))
            except ValueError as error:
                raise BadInput(f"{file.name} is no JSON in line {number}.", "Give one JSON object a line.") from error
    return found


def _photographs(file: Path, document: Any) -> list[dict[str, Any]]:
    """Return every photograph's object, whatever list, page of cases or case it lies in."""
    if isinstance(document, list):
        return [row for part in document for row in _photographs(file, part)]
    if not isinstance(document, dict):
        raise BadInput(f"{file.name} holds something else than photographs.", _AS_WRITTEN)
    for name in ("items", "photographs"):
        if isinstance(document.get(name), list):
            return _photographs(file, document[name])
    return [document]
