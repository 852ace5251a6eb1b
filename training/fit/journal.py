"""What a run tells while it goes on: a bar for who watches, log, TensorBoard and curves for who comes later."""

import json
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.measure import pictures
from training.recipe import Recipe

LOG, CURVES = "log.jsonl", "curves.png"


class Journal:
    """The journal of one call of the fit.

    Args:
        folder: of the run.
        recipe: what is fitted.
        speaks: whether this process is the one that tells.
        epochs: finished before; what an interrupted call wrote about later ones is forgotten.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, speaks: bool, epochs: int) -> None:
        self._folder, self._recipe, self._speaks = folder, recipe, speaks
        self._bar: tqdm | None = None
        self._pace = _Pace()
        self._rows: list[dict[str, Any]] = []
        self._board: SummaryWriter | None = None
        if speaks:
            folder.mkdir(parents=True, exist_ok=True)
            self._rows = read_log(folder)[:epochs]
            (folder / LOG).write_text("".join(json.dumps(row) + "\n" for row in self._rows), encoding="utf-8")
            self._board = SummaryWriter(str(folder), purge_step=epochs + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bar()
        if self._board is not None:
            self._board.close()

    def say(self, text: str) -> None:
        """Print a line, where this process is the one that tells."""
        if self._speaks:
            print(text, flush=True)

    def begin(self, planned: int, photographs: int) -> None:
        """Begin an epoch.

        Args:
            planned: where in the recipe's plan it stands, from 0.
            photographs: there are to fit on.
        """
        stage, _ = self._recipe.stage_of(planned)
        steps = self._recipe.steps_of(stage, photographs)
        a_step = self._recipe.fit.batch * self._recipe.size_of(stage) ** 2
        self._pace.begin(a_step, self._recipe.pixels_from(planned, photographs))
        if self._speaks:
            name = f"epoch {planned + 1}/{self._recipe.epochs}"
            self._bar = tqdm(total=steps, desc=name, disable=None, leave=False, dynamic_ncols=True)

    def step(self, loss: float) -> None:
        """Move the bar by a step of the epoch."""
        self._pace.step()
        if self._bar is not None:
            kappa = self._rows[-1].get("kappa", "-") if self._rows else "-"
            self._bar.update()
            self._bar.set_postfix(loss=f"{loss:.3f}", kappa=kappa, left=self._pace.left())

    def epoch(self, row: dict[str, Any]) -> None:
        """Write down what an epoch brought; ``epoch`` is its number, every other number becomes a scalar."""
        self._close_bar()
        if self._board is None:
            return
        self._rows.append(row)
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        for name, value in row.items():
            if name != "epoch":
                self._board.add_scalar(name.replace(" ", "/"), value, row["epoch"])
        self._board.flush()
        pictures.curves(self._folder / CURVES, self._rows)
        self.say(f"{json.dumps(row)}  {self._pace.left()} left")

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's log, one an epoch; a last line that was cut off is left out."""
    path = folder / LOG
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


class _Pace:
    """Guesses the time left of the whole run from the pixels that went through the network so far."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._done = self._ahead = self._a_step = 0

    def begin(self, a_step: int, ahead: int) -> None:
        self._began = time.monotonic() if self._began is None else self._began
        self._a_step, self._ahead = a_step, ahead

    def step(self) -> None:
        self._done += self._a_step
        self._ahead -= self._a_step

    def left(self) -> str:
        if self._began is None or not self._done:
            return "?"
        seconds = (time.monotonic() - self._began) / self._done * max(self._ahead, 0)
        return str(timedelta(seconds=round(seconds)))
