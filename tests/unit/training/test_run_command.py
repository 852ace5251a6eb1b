"""The command: what it starts from, what it leaves in the folder, and how it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.torch import load_file

torch = pytest.importorskip("torch")

from training.__main__ import main  # noqa: E402
from training.fit import checkpoint  # noqa: E402
from training.fit.journal import read_log  # noqa: E402
from training.recipe import Recipe  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
PNG = b"\x89PNG\r\n"
# Nothing that depends on how many share a batch: the norms stay as they are, nothing is dropped, and no step divides a
# gradient by its own size.
SHARED_ALIKE = {
    "warm_up = 0.25": "frozen = true",
    "dropout = 0.2": "dropout = 0.0",
    "batch = 4": 'batch = 4\noptimizer = "sgd"',
    "learning_rate = 1e-3": "learning_rate = 1e-1",
}


@pytest.fixture
def file(recipe: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(recipe.text)
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_run_leaves_a_folder_that_tells_everything(
    eyes: Path, recipe: Recipe, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["run", str(file), "--data", str(eyes), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "photographs of 64 pixels to fit on" in told
    assert told.splitlines()[-1] == str(out / checkpoint.NAME)
    assert (out / "recipe.toml").read_text() == recipe.text
    (call,) = json.loads((out / "environment.json").read_text())
    assert (call["seed"], call["processes"], call["torch"]) == (recipe.seed, 1, torch.__version__)
    assert call["device"].startswith("cpu")
    rows = [line.split(",") for line in (out / "split.csv").read_text().splitlines()[1:]]
    sides = {side: {patient for _, patient, _, own in rows if own == side} for side in ("fitted", "held out")}
    assert all(sides.values())
    assert not sides["fitted"] & sides["held out"]
    log = read_log(out)
    assert [row["epoch"] for row in log] == [1, 2]
    assert {"loss", "held_loss", "kappa", "seconds"} <= log[0].keys()
    for name in ("curves", "confusion", "roc", "calibration"):
        assert (out / f"{name}.png").read_bytes().startswith(PNG)
    assert list(out.glob("events.out.tfevents.*"))
    assert not list(out.glob("*.part"))


def test_tensorboard_shows_what_the_log_says(eyes: Path, file: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    words = ["run", str(file), "--data", str(eyes), "--out", str(out)]
    assert main([*words, "--stop-after", "0s"]) == 0
    assert main([*words, "--resume"]) == 0
    board = EventAccumulator(str(out))
    board.Reload()
    for name in ("loss", "held_loss"):
        shown = {event.step: event.value for event in board.Scalars(name)}
        assert shown == pytest.approx({row["epoch"]: row[name] for row in read_log(out)})
    calls = json.loads((out / "environment.json").read_text())
    assert [call["began_after_epoch"] for call in calls] == [0, 1]


@pytest.mark.parametrize("weights", ["", 'weights = "none.safetensors"'])
def test_no_start_weights_are_no_silent_random_start(
    eyes: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: str
) -> None:
    file.write_text(file.read_text().replace('weights = "random"', weights))
    assert main(["run", str(file), "--data", str(eyes), "--out", str(tmp_path / "run")]) == 2
    assert "--weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_start_weights_lie_beside_the_data(eyes: Path, file: Path, tmp_path: Path) -> None:
    words = ["run", str(file), "--data", str(eyes), "--stop-after", "0s", "--out"]
    assert main([*words, str(tmp_path / "first")]) == 0
    (tmp_path / "weights").mkdir()
    (tmp_path / "first" / checkpoint.NAME).rename(tmp_path / "weights" / "start.safetensors")
    (tmp_path / "one.jpg").write_bytes((eyes / "0.jpg").read_bytes())
    (tmp_path / "labels.csv").write_text("path,source,patient,grade,split\none.jpg,idrid,another,0,valid\n")
    file.write_text(file.read_text().replace('"random"', '"start.safetensors"'))
    assert main(["run", str(file), "--data", str(eyes), str(tmp_path), "--out", str(tmp_path / "second")]) == 0
    assert checkpoint.load_average(tmp_path / "second" / checkpoint.NAME)[2].weights == "start.safetensors"


def test_a_fold_that_is_none_is_said(
    eyes: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(file), "--data", str(eyes), "--out", str(tmp_path / "run"), "--fold", "3"]) == 2
    assert "folds 0 to 2" in capsys.readouterr().err


# A script that puts a run into the background starts it with SIGINT ignored (POSIX shell, 2.11).
IN_BACKGROUND = ("env", "--ignore-signal=INT")


@pytest.mark.parametrize(("sign", "how"), [(signal.SIGINT, ()), (signal.SIGINT, IN_BACKGROUND), (signal.SIGTERM, ())])
def test_who_stops_a_run_learns_how_it_goes_on(
    eyes: Path, file: Path, tmp_path: Path, sign: signal.Signals, how: tuple[str, ...]
) -> None:
    file.write_text(file.read_text().replace("epochs = 2", "epochs = 900"))
    out = tmp_path / "run"
    words = command("-m", "training", "run", file, "--data", eyes, "--out", out)
    with started([*how, *words]) as process:
        while not (out / checkpoint.NAME).exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(sign)
        error = process.communicate(timeout=100)[1]
    assert process.returncode == 130
    again = f"python -m training run {file} --data {eyes} --out {out} --resume"
    assert error.strip().endswith(f"Stopped; finished epochs are kept. Go on with: {again}")
    assert "Traceback" not in error
    assert not list(out.glob("*.part"))
    assert checkpoint.load_average(out / checkpoint.NAME)[2].epochs >= 1


@pytest.mark.timeout(600)
def test_two_processes_fit_what_one_fits(eyes: Path, file: Path, tmp_path: Path) -> None:
    for one, other in SHARED_ALIKE.items():
        assert one in file.read_text()
        file.write_text(file.read_text().replace(one, other))
    torchrun = command("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "training")
    words = ["run", str(file), "--data", str(eyes), "--out"]
    for more in (["--stop-after", "0s"], ["--resume"]):
        done = subprocess.run(
            [*torchrun, *words, str(tmp_path / "two"), *more],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=290,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # One process tells.
        assert done.stdout.count("photographs of 64 pixels to fit on") == 1
    assert main([*words, str(tmp_path / "one")]) == 0
    one, two = (load_file(tmp_path / name / checkpoint.NAME) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert abs(float(one["target.network.head.bias"]) - 1) > 1e-3  # it begins at 1
    for key, value in one.items():
        assert torch.allclose(value.float(), two[key].float(), atol=1e-5), key
    assert [row["epoch"] for row in read_log(tmp_path / "two")] == [1, 2]
    assert len(list((tmp_path / "two").glob("*.safetensors"))) == 1
    assert [call["processes"] for call in json.loads((tmp_path / "two" / "environment.json").read_text())] == [2, 2]


def test_a_batch_that_processes_cannot_share_is_refused(
    eyes: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(file.read_text().replace("batch = 4", "batch = 4\naccumulate = 3"))
    assert main(["run", str(file), "--data", str(eyes), "--out", str(tmp_path / "run")]) == 2
    assert "shared evenly" in capsys.readouterr().err
