"""What a run tells while it goes on: a bar for who watches, a log for who comes later."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from training.dataset import Crops
from training.recipe import Recipe

LOG = "log.jsonl"


class Journal:
    """The journal of one call of the fit.

    Args:
        folder: of the run.
        recipe: what is fitted.
        speaks: whether this process is the one that tells.
    """

    def __init__(self, folder: Path, recipe: Recipe, speaks: bool) -> None:  # noqa: FBT001
        self._folder, self._recipe, self._speaks = folder, recipe, speaks
        self._bar: tqdm | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def holds(self, fitting: Crops, calibration: Crops) -> None:
        """Tell how many photographs there are."""
        left_out = len(fitting.left_out) + len(calibration.left_out)
        self._say(f"{len(fitting)} photographs to fit on, {len(calibration)} held out, {left_out} without a retina")

    def step(self, steps: int, loss: float) -> None:
        """Move the bar by a step of the epoch."""
        if not self._speaks:
            return
        if self._bar is None:
            self._bar = tqdm(total=steps, disable=None, leave=False)
        self._bar.update()
        self._bar.set_postfix(loss=f"{loss:.3f}")

    def epoch(self, number: int, loss: float, seconds: float, told: dict[str, float]) -> None:
        """Write down what an epoch brought."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if not self._speaks:
            return
        line = json.dumps({"epoch": number, "loss": round(loss, 4), "seconds": round(seconds), **told})
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        self._say(line)

    def _say(self, text: str) -> None:
        if self._speaks:
            print(text, flush=True)
