"""Draws what ``findings`` and ``doubt`` say."""

import math
from typing import Any

from markupsafe import Markup

from training.measure.charts import Chart, Scale, strip
from training.measure.findings import BINS
from training.measure.scores import GRADES

_TRUE = Scale(0, 1, (0, 0.25, 0.5, 0.75, 1), "referable eyes found", "%")
_FALSE = Scale(0, 1, (0, 0.5, 1), "others referred", "%")
_BIN = 4 / BINS


def roc(points: list[list[float]], found: dict[str, Any], source: str) -> Markup:
    """Draw the ROC curve of referable disease, with the point at which the card's threshold works."""
    chart = Chart(f"ROC curve of {source}", _FALSE, _TRUE, left=58)
    chart.line([(0, 0), (1, 1)], "chance")
    corners = [(x, y) for x, y in points]
    if corners:
        chart.area([*corners, (1.0, 0.0)], "s1")
        chart.line(corners, "s1")
    sensitivity, specificity = found["sensitivity"], found["specificity"]
    if sensitivity["value"] is not None and specificity["value"] is not None:
        x, y = 1 - specificity["value"], sensitivity["value"]
        chart.whisker(x, sensitivity["low"], sensitivity["high"], "ink")
        chart.line([(1 - specificity["high"], y), (1 - specificity["low"], y)], "whisker ink")
        chart.dot((x, y), "ink", f"sensitivity {y:.3f}, specificity {specificity['value']:.3f}")
    return chart.svg()


def calibration(rows: list[dict[str, Any]], said: str, held: str) -> Markup:
    """Draw how often came true what was said to be so probable."""
    chart = Chart(
        f"{held} against {said}",
        Scale(0, 1, (0, 0.5, 1), said, "%"),
        Scale(0, 1, (0, 0.25, 0.5, 0.75, 1), held, "%"),
        left=58,
    )
    chart.line([(0, 0), (1, 1)], "chance")
    for row in rows:
        label = f"{row['photographs']} photographs: said {row['said']:.2f}, came true {row['held']['value']:.2f}"
        if row["held"]["low"] is not None:
            chart.whisker(row["said"], row["held"]["low"], row["held"]["high"], "s1")
        chart.dot((row["said"], row["held"]["value"]), "s1", label)
    return chart.svg()


def distribution(counts: list[list[int]], thresholds: tuple[float, ...]) -> Markup:
    """Draw the scores of each true grade, one row a grade, with the thresholds between the grades."""
    score = Scale(0, 4, (0, 1, 2, 3, 4), "score")
    chart = Chart("Scores by true grade", score, Scale(0, GRADES, ()), width=640, height=330, left=84)
    for cut in thresholds:
        chart.upright(cut, "cut")
    for grade, row in enumerate(counts):
        base, most = GRADES - 1 - grade, max(*row, 1)
        for number, count in enumerate(row):
            if count:
                begin = number * _BIN
                chart.bar(begin, begin + _BIN, base + 0.86 * count / most, f"g{grade}", bottom=base)
        chart.line([(0, base), (4, base)], "base")
        chart.label((0, base), f"grade {grade}", "row", shift=(-8, -16), anchor="end")
        chart.label((0, base), f"{sum(row)}", "quiet", shift=(-8, -2), anchor="end")
    return chart.svg()


def doubt(points: list[dict[str, Any]], marked: dict[str, Any] | None) -> Markup:
    """Draw the errors left against the share of gradings sent to a person first."""
    most = max([point[name]["high"] or point[name]["value"] or 0 for point in points for name in _LEFT], default=0.1)
    top, steps = next((top, steps) for top, steps in _TOPS if top >= min(1.0, most))
    reach = max([0.1, *(math.ceil(10 * round(point["sent"]["value"] or 0, 2)) / 10 for point in points)])
    across = Scale(
        0, reach, [share / 10 for share in range(round(reach * 10) + 1)], "gradings sent to a person first", "%"
    )
    up = Scale(0, top, [top * part / steps for part in range(steps + 1)], "errors left", "%")
    chart = Chart("Errors left against the share sent to a person", across, up, width=640, height=330, left=64)
    for name, look in _LEFT.items():
        drawn = [point for point in points if point[name]["value"] is not None]
        if not drawn:
            continue
        places = [point["sent"]["value"] for point in drawn]
        first = drawn[0][name]["value"]
        chart.line([(0, first), (reach, first * (1 - reach))], f"chance {look}")
        upper = [(x, min(top, point[name]["high"] or 0)) for x, point in zip(places, drawn, strict=True)]
        lower = [(x, point[name]["low"] or 0) for x, point in zip(places, drawn, strict=True)]
        chart.area([*upper, *reversed(lower)], look)
        chart.line([(x, point[name]["value"]) for x, point in zip(places, drawn, strict=True)], look)
    if marked is not None and marked["sent"]["value"] <= reach:
        chart.upright(marked["sent"]["value"], "mark", f"the card's limit: certainty below {marked['threshold']:.2f}")
        for name, look in _LEFT.items():
            if marked[name]["value"] is not None:
                chart.dot((marked["sent"]["value"], marked[name]["value"]), look, f"{marked[name]['value']:.3f}")
    return chart.svg()


_TOPS = ((0.1, 5), (0.2, 4), (0.3, 3), (0.4, 4), (0.5, 5), (0.8, 4), (1.0, 5))  # of the vertical axis, with its parts
_LEFT = {"missed_referable": "s2", "grade_errors": "s1"}

__all__ = ["calibration", "distribution", "doubt", "roc", "strip"]
