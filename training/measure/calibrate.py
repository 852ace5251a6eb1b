"""From scores to grades and how sure they are, fitted on patients the network was not fitted on."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from inference.bundle import Calibration, RunnerCard
from inference.grading import certainty
from training.measure.scores import Grades, Numbers, fit_thresholds, grades_of, quadratic_kappa

# The share of gradings sent to a person for doubt. A tenth is what a reading room can look at beside its other work;
# the card's curve says what another share would bring.
SENT = 0.1


@dataclass(frozen=True, slots=True)
class Odds:
    """P(grade >= k | score) = 1 / (1 + exp(-slope (score - cuts[k - 1]))) (McCullagh, JRSS B 1980;42:109)."""

    slope: float
    cuts: tuple[float, float, float, float]


def fit_odds(scores: Numbers, grades: Grades) -> Odds:
    """Fit slope and cuts by maximum likelihood.

    Args:
        scores: (n,) raw scores of the network.
        grades: (n,) true grades 0-4.
    """
    score = torch.tensor(np.asarray(scores, dtype=np.float64))
    grade = torch.tensor(np.asarray(grades, dtype=np.int64))
    # Logarithms of slope and of the distances between cuts: they stay positive, the cuts in order.
    free = torch.tensor([0.7, 0.5, 0.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        slope, cuts = _odds(free)
        reached = torch.sigmoid(slope * (score[:, None] - cuts[None, :]))
        ends = torch.ones((len(score), 1), dtype=torch.float64)
        reached = torch.cat([ends, reached, 0 * ends], dim=1)
        chance = (reached[:, :-1] - reached[:, 1:]).gather(1, grade[:, None])
        # A weak pull keeps grades that hardly occur from sending their cut away.
        return -torch.log(chance.clamp_min(1e-9)).mean() + 1e-3 * free[2:].square().sum()

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(step)
    slope, cuts = _odds(free.detach())
    first, second, third, fourth = (round(float(cut), 4) for cut in cuts)
    return Odds(round(float(slope), 4), (first, second, third, fourth))


def fit_runner(file: str, scores: Numbers, grades: Grades) -> RunnerCard:
    """Set thresholds, calibration and doubt of a runner by the scores it computed.

    Args:
        file: of the bundle that it computes.
        scores: (n,) raw scores of photographs held out of the fit.
        grades: (n,) true grades 0-4.
    """
    odds = fit_odds(scores, grades)
    calibration = Calibration(slope=odds.slope, cuts=odds.cuts)
    return RunnerCard(
        file=file,
        thresholds=_thresholds(scores, grades, odds),
        calibration=calibration,
        doubt_below=fit_doubt(scores, calibration),
    )


def fit_doubt(scores: Numbers, calibration: Calibration, sent: float = SENT) -> float:
    """Return the highest certainty about referable disease below which no more than a share of the scores lies."""
    certainties = np.sort([certainty(float(score), calibration) for score in scores])
    below = float(certainties[min(len(certainties) - 1, math.floor(sent * len(certainties)))])
    return math.floor(1e4 * below) / 1e4  # rounded down: never more than the share


def kappa_of_fit(scores: Numbers, grades: Grades) -> float:
    """Return the quadratic kappa of scores with thresholds fitted to them: to compare two graphs, not to quote."""
    return quadratic_kappa(grades, grades_of(scores, _thresholds(scores, grades, fit_odds(scores, grades))))


def _thresholds(scores: Numbers, grades: Grades, odds: Odds) -> tuple[float, float, float, float]:
    # The cuts that agree best chase single photographs, the calibration's own do not aim at agreement. Their means were
    # better than both on patients left out (five-fold, kappa 0.830 against 0.824 and 0.823, same scores).
    first, second, third, fourth = (
        round((best + even) / 2, 4) for best, even in zip(fit_thresholds(scores, grades), odds.cuts, strict=True)
    )
    return first, second, third, fourth


def _odds(free: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    distances = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(torch.exp(free[2:]), 0)])
    return torch.exp(free[0]), free[1] + distances
