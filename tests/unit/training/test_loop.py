"""A fit leaves a folder that tells everything about it, and says in one sentence why it cannot go on."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from casebook.errors import BadInput, Misconfigured  # noqa: E402
from inference.network.catalogue import build  # noqa: E402
from training.__main__ import main  # noqa: E402
from training.fit import checkpoint  # noqa: E402
from training.fit.checkpoint import start_from  # noqa: E402
from training.fit.loop import Run, fit  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.recipe import Recipe, parse_recipe  # noqa: E402


@pytest.fixture(scope="module")
def unbroken(eyes: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(recipe, Run(read_labels(eyes), tmp_path_factory.mktemp("run") / "unbroken"))


def test_the_fit_learns_and_keeps_a_log(recipe: Recipe, unbroken: Path) -> None:
    lines = [json.loads(line) for line in (unbroken.parent / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    weights, found, progress = checkpoint.load_average(unbroken)
    assert found == recipe
    assert (progress.epochs, progress.steps) == (2, 4)
    torch.manual_seed(recipe.seed)
    assert not torch.equal(weights["head.weight"], build(recipe.architecture).state_dict()["head.weight"])


def test_a_run_is_not_overwritten_and_not_mixed(eyes: Path, recipe: Recipe, unbroken: Path) -> None:
    with pytest.raises(Misconfigured, match="holds a run"):
        fit(recipe, Run(read_labels(eyes), unbroken.parent))
    other = parse_recipe(recipe.text.replace("seed = 5", "seed = 6"))
    with pytest.raises(Misconfigured, match="changed"):
        fit(other, Run(read_labels(eyes), unbroken.parent, resume=True))


def test_a_comment_in_the_recipe_changes_nothing(eyes: Path, recipe: Recipe, unbroken: Path) -> None:
    before = unbroken.read_bytes()
    other = parse_recipe(recipe.text.replace('weights = "random"', "# another start is no other run"))
    fit(other, Run(read_labels(eyes), unbroken.parent, resume=True))
    assert unbroken.read_bytes() == before


def test_a_second_fit_may_start_from_the_first_ones_average(recipe: Recipe, unbroken: Path) -> None:
    network = build(recipe.architecture)
    start_from(network, unbroken)
    weights = checkpoint.load_average(unbroken)[0]
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


def test_rubbish_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"rubbish")
    with pytest.raises(BadInput, match="checkpoint"):
        checkpoint.load_average(path)


def test_resuming_where_nothing_is_tells_so(eyes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "compact", "--data", str(eyes), "--out", str(tmp_path / "none"), "--resume"])
    assert code == 2
    assert "checkpoint" in capsys.readouterr().err
