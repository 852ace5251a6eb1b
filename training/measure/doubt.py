"""The price of certainty: how many gradings a person is asked for first, against the errors among the others."""

from typing import Any

import numpy as np

from casebook.words import REFERABLE_FROM
from training.measure.bootstrap import Outcomes, Rows, interval, ratio

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # sent to a person, for the card


def thresholds(found: Outcomes, shares: tuple[float, ...] = SHARES) -> list[float]:
    """Return the certainty below which a grading is doubtful, so that about these shares are sent to a person."""
    certainty = np.sort(found.certainty[found.graded])
    if not len(certainty):
        return []
    places = np.minimum(np.round(np.array(shares) * len(certainty)).astype(int), len(certainty) - 1)
    return [float(limit) for limit in np.floor(certainty[places] * 1e6) / 1e6]  # down: nobody more is sent


def trade_off(found: Outcomes, below: list[float], weights: Rows) -> list[dict[str, Any]]:
    """Say for thresholds of certainty what is sent and which errors are left.

    Certainty is max(p, 1 - p) with p the probability of a referable eye. What the gate refused goes to a person anyway
    and is in no share here.

    Args:
        found: the answers.
        below: thresholds; a grading whose certainty lies below is sent.
        weights: of ``bootstrap.draws``.

    Returns:
        For each threshold the share of gradings ``sent``, the ``grade_errors`` left among those not sent as a share of
        all gradings, and the ``missed_referable`` eyes among those not sent as a share of all referable ones.
    """
    graded = weights * found.graded
    sent = (found.certainty[:, None] < np.array(below)[None, :]) & found.graded[:, None]
    wrong = found.shown != found.truth
    missed = found.referable & (found.shown < REFERABLE_FROM)
    everyone = np.broadcast_to(graded.sum(axis=1)[:, None], (len(weights), len(below)))
    referable = np.broadcast_to((graded @ found.referable)[:, None], everyone.shape)
    shares = {
        "sent": ratio(graded @ sent, everyone),
        "grade_errors": ratio(graded @ (~sent & wrong[:, None]), everyone),
        "missed_referable": ratio(graded @ (~sent & missed[:, None]), referable),
    }
    return [
        {"threshold": threshold, **{name: interval(values[:, number]) for name, values in shares.items()}}
        for number, threshold in enumerate(below)
    ]
