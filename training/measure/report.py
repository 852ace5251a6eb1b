"""The report of ``evaluate``: everything that was measured about a bundle, as JSON and as one page."""

import json
from datetime import date
from pathlib import Path
from typing import Any

from inference.examine import Examiner
from training.measure import findings, forms, frame_shape, pages, thumbnails
from training.measure.answers import Answer, answered, examiner_of, outcomes_of, write_answers
from training.measure.bootstrap import draws
from training.measure.doubt import thresholds, trade_off
from training.measure.evaluate import ALL, by_source, of_split, summary
from training.photographs.sources import Photograph

_CURVE = tuple(share / 50 for share in range(31))  # shares sent to a person, for the curve
_WORST = 24


def report(
    folder: Path,
    photographs: list[Photograph],
    out: Path,
    *,
    split: str,
    data: list[Path],
    created: date,
    with_photographs: bool,
) -> dict[str, Any]:
    """Measure a bundle in every way and write ``evaluation.json``, ``evaluation.html`` and ``answers.csv``.

    Args:
        folder: of the bundle.
        photographs: all there are.
        out: folder of the report; what it holds is replaced.
        split: which photographs to measure on.
        data: folders of the photographs, for their originals in hospital size.
        created: stands in the report.
        with_photographs: whether the page shows small photographs.

    Returns:
        What ``evaluate.summary`` says.

    Raises:
        Misconfigured: the bundle cannot be used, or the folder not be made.
        BadInput: no photograph belongs to the split.
    """
    chosen = of_split(photographs, split)
    pages.new_folder(out)
    examiner = examiner_of(folder, threads=2)
    answers = answered(examiner, chosen)
    write_answers(answers, out / "answers.csv")
    found = measured_all(examiner, answers, split, data=data, created=created)
    worst = findings.disagreements(answers, _WORST)
    pictures = [thumbnails.photograph(answer.photograph.path) if with_photographs else None for answer in worst]
    pages.write(out, "evaluation", found, pictures=pictures)
    return {key: found[key] for key in ("bundle", "runner", "split", "interval", "sources", "doubt")}


def measured_all(
    examiner: Examiner, answers: list[Answer], split: str, *, data: list[Path], created: date
) -> dict[str, Any]:
    """Return everything the page shows but the photographs."""
    card, runner = examiner.bundle.card, examiner.choice.card
    boxes = frame_shape.boxes([answer.photograph for answer in answers])
    found, sources = outcomes_of(answers), by_source(answers)
    weights = draws(found.patients)
    return {
        **summary(examiner, answers, split),
        "created": created.isoformat(),
        "sha256": examiner.bundle.sha256,
        "fallback": examiner.choice.fallback,
        "licence": card.licence,
        "intended_use": card.intended_use,
        "trained_on": json.loads(examiner.bundle.card_json).get("training", {}).get("data", []),
        "patients": len(set(found.patients.tolist())),
        "thresholds": list(runner.thresholds),
        "doubt_below": runner.doubt_below,
        "details": {source: findings.of_source(theirs) for source, theirs in sources.items()},
        "doubt_curve": trade_off(found, thresholds(found, _CURVE), weights),
        "doubt_marked": trade_off(found, [runner.doubt_below], weights)[0] if runner.doubt_below else None,
        "copies_agree": findings.COPIES_AGREE,
        "shortcut": {
            source: findings.shortcut(theirs, boxes[[source == answer.photograph.source for answer in answers]])
            for source, theirs in sources.items()
            if source != ALL
        },
        "forms": {
            "hospital": forms.alike(forms.hospital_pairs(examiner, answers, data)),
            "squeezed": forms.alike(forms.squeezed_pairs(examiner, answers)),
        },
        "disagreements": [
            {
                "photograph": answer.photograph.path.name,
                "source": answer.photograph.source,
                "truth": answer.photograph.grade,
                "grade": answer.grade,
                "score": answer.score,
                "confidence": answer.confidence,
                "gradability": answer.gradability.value,
            }
            for answer in findings.disagreements(answers, _WORST)
        ],
    }
