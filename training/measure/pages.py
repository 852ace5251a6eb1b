"""Puts findings into self-contained HTML pages: one file, nothing fetched, light, dark and on paper."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from casebook.errors import Misconfigured
from casebook.words import GRADE_NAMES, HEATMAP_SENTENCE, RESEARCH_USE
from training.measure import panels
from training.measure.bootstrap import RECALLS

TITLES = {
    "quadratic_kappa": "Quadratic weighted kappa",
    "accuracy": "Same grade",
    "referable_auc": "AUC for referable disease",
    "sensitivity": "Sensitivity for referable disease",
    "specificity": "Specificity for referable disease",
    **{name: f"Grade {grade} recognised" for grade, name in enumerate(RECALLS)},
    "ungradable": "Not gradable",
    "calibration_error": "Calibration error of the confidence",
    "referable_calibration_error": "Calibration error of p(referable)",
}
NAMES = {"aptos2019": "APTOS 2019", "eyepacs": "EyePACS", "idrid": "IDRiD", "all": "all"}


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"  # noqa: RUF001 - an en dash is meant


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share in per cent, a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"  # noqa: RUF001


def hundred(value: float | None) -> str:
    """Write of how many in a hundred, a dash where it is not known."""
    return "–" if value is None else f"{100 * value:.0f}"  # noqa: RUF001


def reach(found: dict[str, float | None], digits: int = 2) -> str:
    """Write the interval of what was found, nothing where there is none."""
    if found["low"] is None:
        return ""
    return f"{number(found['low'], digits)} to {number(found['high'], digits)}"


def new_folder(folder: Path) -> None:
    """Make the folder of a report.

    Raises:
        Misconfigured: there is a file of that name, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"The folder {folder} cannot be made.", "Give --out another folder.") from error


def write(folder: Path, name: str, found: dict[str, Any], **shown: Any) -> Path:
    """Write ``NAME.json`` with what was found and ``NAME.html`` that shows it, and return the page.

    Args:
        folder: of the report.
        name: also of the template.
        found: plain values.
        shown: what only the page holds, such as small photographs.
    """
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = folder / f"{name}.html"
    page.write_text(_ENVIRONMENT.get_template(f"{name}.html").render(found=found, **shown), encoding="utf-8")
    return page


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training.measure"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "reach": reach, "hundred": hundred}
    environment.globals |= {
        "panels": panels,
        "research_use": RESEARCH_USE,
        "heatmap_sentence": HEATMAP_SENTENCE,
        "titles": TITLES,
        "names": NAMES,
        "grade_names": GRADE_NAMES,
    }
    return environment


_ENVIRONMENT = _environment()
