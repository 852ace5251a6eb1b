"""Says how sure a grade is: proportional odds over the score, fitted on patients the network was not fitted on."""

from dataclasses import dataclass

import numpy as np
import torch

from training.scores import Grades, Numbers


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


def _odds(free: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    distances = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(torch.exp(free[2:]), 0)])
    return torch.exp(free[0]), free[1] + distances
