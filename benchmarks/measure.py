"""Times the sides of a ratio in turn, so that all of them see the same machine (rule P1)."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_NOISY = 1.3  # wall over CPU time of one thread from which on a figure is not quoted


@dataclass(frozen=True, slots=True)
class Timing:
    """What one side took, round by round, in seconds on one thread.

    Attributes:
        side: what was run.
        cpu: user and system time of the process.
        wall: by the clock.
    """

    side: str
    cpu: tuple[float, ...]
    wall: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median CPU seconds: the figure that ratios are made of, for neighbours disturb it little."""
        return statistics.median(self.cpu)

    @property
    def noisy(self) -> bool:
        """Whether the process waited for the processor so long that caches and clock were somebody else's."""
        return statistics.median(self.wall) > _NOISY * self.median


def interleaved(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Run every side once unmeasured, then all of them in turn; every second round backwards.

    Returns:
        A timing for each side, in the order given.
    """
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for run in sides.values():
        run()
    for number in range(rounds):
        for side in reversed(list(sides)) if number % 2 else sides:
            taken[side].append(timed(sides[side]))
    return {side: Timing(side, *map(tuple, zip(*times, strict=True))) for side, times in taken.items()}


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall
