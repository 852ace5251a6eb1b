"""The report a buyer asks for before anything is switched on: the grader beside the clinic's own grades.

The grader's answers were kept from everybody. Each photograph goes one of three ways: to a person, because the gate or
the grader is not sure; referred; or let go. What is let go although the clinic calls it referable is missed.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from casebook.errors import BadInput
from casebook.words import REFERABLE_FROM
from training.measure import pages
from training.measure.bootstrap import INTERVAL, Found, Rows, at_an_end, draws, interval, ratio
from training.measure.clinic import Case, Shadow, read_cases, read_gradings
from training.measure.scores import GRADES, kappa_of

WAYS = ("to a person", "referred", "let go")
ALL = "all"
NO_CAMERA = "camera not named"
_FEW = 200  # referable photographs below which the report says that they are few
MEASURES = (
    "quadratic_kappa",
    "agreement",
    "sensitivity",
    "specificity",
    "missed",
    "needless",
    "to_a_person",
    "ungradable",
)


def shadow(cases: Path, gradings: Path, out: Path) -> dict[str, Any]:
    """Compare gradings with a clinic's grades and write ``shadow.json`` and ``shadow.html``.

    Args:
        cases: the clinic's CSV.
        gradings: the grader's answers.
        out: folder of the report; what it holds is replaced.

    Returns:
        What was found; ``sentences`` for a person.

    Raises:
        BadInput: a file is wrong, or no photograph is in both.
        Misconfigured: the folder cannot be made.
    """
    key, known = read_cases(cases)
    answers = read_gradings(gradings, key)
    pairs = [(case, answers[case.key]) for case in known if case.key in answers]
    if not pairs:
        raise BadInput(
            f"No photograph of {cases.name} is in {gradings.name}.", f"Give {key} in both files in the same form."
        )
    pages.new_folder(out)
    found = {
        "cases": len(known),
        "not_graded_yet": len(known) - len(pairs),
        "not_known_to_the_clinic": len(answers) - len(pairs),
        "patients": len({case.patient for case, _ in pairs}),
        "bundles": sorted({answer.bundle for _, answer in pairs if answer.bundle}),
        "interval": INTERVAL,
        **agreement(pairs),
        "missed": [_listed(case, answer) for case, answer in pairs if _missed(case, answer)],
    }
    found["sentences"] = sentences(found)
    pages.write(out, "shadow", found)
    return found


def agreement(pairs: list[tuple[Case, Shadow]]) -> dict[str, Any]:
    """Return the measures over all photographs and by camera, and which way each grade of the clinic goes."""
    cameras = sorted({case.camera for case, _ in pairs})
    parts = {ALL: pairs}
    if cameras != [""]:
        parts |= {
            camera or NO_CAMERA: [(case, answer) for case, answer in pairs if case.camera == camera]
            for camera in cameras
        }
    return {
        "cameras": {
            name: {
                "photographs": len(theirs),
                "referable": sum(case.grade >= REFERABLE_FROM for case, _ in theirs),
                "measures": measured(theirs),
            }
            for name, theirs in parts.items()
        },
        "confusion": _confusion(pairs),
        "ways": [
            {"grade": grade, **{way: counts[grade, way] for way in WAYS}}
            for counts in [Counter((case.grade, way_of(answer)) for case, answer in pairs)]
            for grade in range(GRADES)
        ],
    }


def way_of(answer: Shadow) -> str:
    """Return which of the three ways a photograph goes."""
    if answer.to_a_person or answer.grade is None:
        return WAYS[0]
    return WAYS[1] if answer.grade >= REFERABLE_FROM else WAYS[2]


def measured(pairs: list[tuple[Case, Shadow]], *, seed: int = 0) -> dict[str, Found]:
    """Return each measure of agreement with its interval by patient.

    ``quadratic_kappa`` and ``agreement`` (the same grade), ``sensitivity`` and ``specificity`` for referable disease
    are over the photographs that were graded. ``missed`` is the share of the referable eyes that are let go,
    ``needless`` the share of the others that are referred, both of all photographs; ``to_a_person`` and ``ungradable``
    (no grade at all) are shares of all photographs.
    """
    patients = np.array([case.patient for case, _ in pairs])
    truth = np.array([case.grade for case, _ in pairs])
    shown = np.array([answer.grade or 0 for _, answer in pairs])
    graded = np.array([answer.grade is not None for _, answer in pairs])
    way = np.array([WAYS.index(way_of(answer)) for _, answer in pairs])
    ill, everyone = truth >= REFERABLE_FROM, np.ones(len(pairs), bool)
    weights = draws(patients, seed=seed)
    shares = {
        "agreement": (truth == shown, graded),
        "sensitivity": (shown >= REFERABLE_FROM, graded & ill),
        "specificity": (shown < REFERABLE_FROM, graded & ~ill),
        "missed": (way == WAYS.index("let go"), ill),
        "needless": (way == WAYS.index("referred"), ~ill),
        "to_a_person": (way == WAYS.index("to a person"), everyone),
        "ungradable": (~graded, everyone),
    }
    told = {"quadratic_kappa": interval(_kappas(truth, shown, graded, weights))}
    for name, (hits, among) in shares.items():
        found = interval(ratio(weights @ (hits & among), weights @ among))
        told[name] = at_an_end(found, len(set(patients[among].tolist())))
    return told


def sentences(found: dict[str, Any]) -> list[str]:
    """Say what a buyer wants to know, over all cameras."""
    whole = found["cameras"][ALL]
    measures, referable = whole["measures"], whole["referable"]
    graded = whole["photographs"]
    told = [
        f"{graded} photographs of {found['patients']} patients were graded by the clinic and answered by the grader; "
        f"{referable} are referable by the clinic."
    ]
    if found["not_graded_yet"]:
        told.append(f"{found['not_graded_yet']} photographs of the clinic have no answer and are in no number.")
    missed, needless = len(found["missed"]), sum(row["referred"] for row in found["ways"][:REFERABLE_FROM])
    asked = sum(row[WAYS[0]] for row in found["ways"])
    refused = sum(row[GRADES] for row in found["confusion"])
    told += [
        f"Missed: {missed} of {referable} referable photographs would have been let go{_share(measures['missed'])}.",
        f"Needless: {needless} of {graded - referable} others would have been referred{_share(measures['needless'])}.",
        f"To a person first: {asked} of {graded}{_share(measures['to_a_person'])}.",
        f"No grade at all: {refused} of {graded}{_share(measures['ungradable'])}.",
    ]
    kappa = measures["quadratic_kappa"]
    if kappa["value"] is not None:
        reach = "" if kappa["low"] is None else f" ({kappa['low']:.2f} to {kappa['high']:.2f})"
        told.append(f"Agreement of the grades: quadratic kappa {kappa['value']:.3f}{reach}.")
    if referable < _FEW:
        told.append(
            f"{referable} referable photographs are few: wait for {_FEW} or more before anything rests on this."
        )
    return told


def _share(found: Found) -> str:
    if found["value"] is None or found["low"] is None or found["high"] is None:
        return ""
    return f" ({100 * found['value']:.1f} %; {100 * found['low']:.1f} to {100 * found['high']:.1f} %)"


def _kappas(truth: np.ndarray, shown: np.ndarray, graded: np.ndarray, weights: Rows) -> Rows:
    cells = np.eye(GRADES**2)[truth * GRADES + shown] * graded[:, None]
    return kappa_of((weights @ cells).reshape(len(weights), GRADES, GRADES))


def _confusion(pairs: list[tuple[Case, Shadow]]) -> list[list[int]]:
    """Return counts of the clinic's grade by the grader's 0-4, in the sixth column what has no grade."""
    counts = Counter((case.grade, GRADES if answer.grade is None else answer.grade) for case, answer in pairs)
    return [[counts[grade, shown] for shown in range(GRADES + 1)] for grade in range(GRADES)]


def _missed(case: Case, answer: Shadow) -> bool:
    return case.grade >= REFERABLE_FROM and way_of(answer) == "let go"


def _listed(case: Case, answer: Shadow) -> dict[str, Any]:
    return {"photograph": case.key, "camera": case.camera, "clinic": case.grade, "grader": answer.grade}
