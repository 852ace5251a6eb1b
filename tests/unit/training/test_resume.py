"""A fit that was broken off and resumed is, bit for bit, the fit that was not."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from casebook.errors import Misconfigured  # noqa: E402
from training.fit import checkpoint  # noqa: E402
from training.fit.checkpoint import Progress  # noqa: E402
from training.fit.journal import Journal, read_log  # noqa: E402
from training.fit.loop import Run, fit  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.recipe import Recipe, Stage, parse_recipe  # noqa: E402

HEAD = """
name = "tiny"
version = "0.0.1"
architecture = "efficientnet_lite0"
seed = 7
weights = "random"
[preprocessing]
size = 64
[augment]
[fit]
threads = 1
folds = 3
dropout = 0.2
batch = 4
average = 0.9
"""
FROZEN_THEN_FREE = """
[[stages]]
epochs = 1
draws = 8
learning_rate = 1e-2
frozen = true
schedule = "constant"
[[stages]]
epochs = 2
draws = 8
learning_rate = 1e-3
"""
# A rate that changes nothing in the digits that count: no epoch of the first stage is better than its first.
STANDS_STILL = """
[[stages]]
epochs = 6
draws = 8
learning_rate = 1e-12
schedule = "constant"
frozen = true
[[stages]]
epochs = 1
draws = 8
learning_rate = 1e-3
"""
RECIPES = {
    "two stages, frozen, ordinal, momentum": 'optimizer = "sgd"\nmomentum = 0.9\nloss = "ordinal"' + FROZEN_THEN_FREE,
    "bfloat16, parts": 'precision = "bfloat16"\naccumulate = 2\nweight_decay = 0.01' + FROZEN_THEN_FREE,
    "patience": 'patience = 2\noptimizer = "sgd"' + STANDS_STILL,
}
# What a run of one epoch and more is killed by: no warning, no cleaning up.
KILLED = """
import os, signal, sys
from pathlib import Path
from training.fit.journal import Journal
from training.fit.loop import Run, fit
from training.recipe import parse_recipe
from training.photographs.sources import read_labels
step, steps = Journal.step, []
def killed(self, loss):
    step(self, loss)
    steps.append(loss)
    if len(steps) == 3:  # the first of two steps of the second epoch
        os.kill(os.getpid(), signal.SIGKILL)
Journal.step = killed
recipe, eyes, out = sys.argv[1:]
fit(parse_recipe(Path(recipe).read_text()), Run(read_labels(Path(eyes)), Path(out)))
"""


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_resumed_after_every_epoch_equals_an_unbroken_one_bit_for_bit(
    eyes: Path, tmp_path: Path, name: str
) -> None:
    recipe = parse_recipe(HEAD + RECIPES[name])
    unbroken = fit(recipe, Run(read_labels(eyes), tmp_path / "unbroken"))
    broken = fit(recipe, Run(read_labels(eyes), tmp_path / "broken", stop_after=0.0))
    while checkpoint.load_average(broken)[2].planned < recipe.epochs:
        fit(recipe, Run(read_labels(eyes), tmp_path / "broken", resume=True, stop_after=0.0))
    assert broken.read_bytes() == unbroken.read_bytes()
    rows = [[{**row, "seconds": 0} for row in read_log(path.parent)] for path in (broken, unbroken)]
    assert rows[0] == rows[1]
    assert checkpoint.load_average(broken)[2].skipped == (3 if name == "patience" else 0)


def test_a_run_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(
    eyes: Path, recipe: Recipe, tmp_path: Path
) -> None:
    unbroken = fit(recipe, Run(read_labels(eyes), tmp_path / "unbroken"))
    (tmp_path / "recipe.toml").write_text(recipe.text)
    words = [sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml"), str(eyes), str(tmp_path / "killed")]
    done = subprocess.run(words, capture_output=True, timeout=150)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert checkpoint.load_average(tmp_path / "killed" / checkpoint.NAME)[2].epochs == 1
    resumed = fit(recipe, Run(read_labels(eyes), tmp_path / "killed", resume=True))
    assert resumed.read_bytes() == unbroken.read_bytes()


def test_a_log_ahead_of_its_checkpoint_is_cut_back(recipe: Recipe, tmp_path: Path) -> None:
    with Journal(tmp_path, recipe, speaks=True, epochs=0) as journal:
        journal.epoch({"epoch": 1, "loss": 0.5, "held_loss": 0.6})
        journal.epoch({"epoch": 2, "loss": 0.4, "held_loss": 0.5})
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"epoch": 3, "lo')
    with Journal(tmp_path, recipe, speaks=True, epochs=1):
        assert [row["epoch"] for row in read_log(tmp_path)] == [1]


def test_other_photographs_are_no_resumption(eyes: Path, recipe: Recipe, tmp_path: Path) -> None:
    photographs = read_labels(eyes)
    fit(recipe, Run(photographs, tmp_path / "run", stop_after=0.0))
    regraded = [replace(photographs[0], grade=4), *photographs[1:]]
    with pytest.raises(Misconfigured, match="photographs"):
        fit(recipe, Run(regraded, tmp_path / "run", resume=True))


def test_a_checkpoint_of_an_older_version_is_read(recipe: Recipe, tmp_path: Path) -> None:
    text = recipe.text.replace('weights = "random"', "")
    known = {"epochs": 3, "steps": 9, "recipe": text, "weights": "start.safetensors", "fold": 2}
    path = tmp_path / checkpoint.NAME
    save_file({"average.head.weight": torch.ones(1, 2)}, path, metadata={"progress": json.dumps(known)})
    weights, found, progress = checkpoint.load_average(path)
    assert list(weights) == ["head.weight"]
    assert (found.weights, found.teacher) == ("", None)
    assert (progress.planned, progress.data, progress.teacher, progress.best) == (3, "", "", None)


def test_a_stage_ends_when_patience_does() -> None:
    stage = Stage(epochs=10, learning_rate=1.0)
    progress = Progress(epochs=0, steps=0, recipe="", weights="", fold=0)
    for number, loss in enumerate([0.9, 0.8, 0.85, 0.79, 0.8, 0.81]):
        assert progress.planned == number
        progress = progress.after(stage, number, 5, loss, 2)
    assert (progress.epochs, progress.planned, progress.steps, progress.best) == (6, 10, 30, 0.79)
    # The next stage begins with fresh patience, even where it is worse than the best before.
    progress = progress.after(stage, 0, 5, 2.0, 2)
    assert (progress.best, progress.waited, progress.planned) == (2.0, 0, 11)


def test_without_patience_no_stage_ends_early() -> None:
    stage = Stage(epochs=4, learning_rate=1.0)
    progress = Progress(epochs=0, steps=0, recipe="", weights="", fold=0)
    for number in range(4):
        progress = progress.after(stage, number, 1, 1.0 + number, 0)
    assert (progress.epochs, progress.skipped) == (4, 0)
