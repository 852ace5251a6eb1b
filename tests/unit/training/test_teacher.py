"""A teacher says of a photograph only what networks say that have not seen it."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

torch = pytest.importorskip("torch")

from casebook.errors import BadInput, Misconfigured  # noqa: E402
from inference.network.catalogue import build  # noqa: E402
from training.fit import checkpoint  # noqa: E402
from training.fit.checkpoint import Progress  # noqa: E402
from training.fit.loop import Run, fit  # noqa: E402
from training.fit.predict import scores_of  # noqa: E402
from training.fit.provenance import digest, split_of  # noqa: E402
from training.fit.targets import key_of  # noqa: E402
from training.fit.teacher import read_scores, teach, write_scores  # noqa: E402
from training.photographs.dataset import Crops  # noqa: E402
from training.photographs.photograph import Photograph  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.photographs.split import deal  # noqa: E402
from training.recipe import Recipe, load_recipe, parse_recipe  # noqa: E402


@pytest.fixture(scope="module")
def short(recipe: Recipe) -> Recipe:
    return parse_recipe(recipe.text.replace("epochs = 2", "epochs = 1"))


@pytest.fixture(scope="module")
def runs(eyes: Path, short: Recipe, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give a finished run of each fold, of networks that nothing was fitted to."""
    folder, photographs = tmp_path_factory.mktemp("folds"), read_labels(eyes)
    for fold in range(3):
        split = deal(photographs, folds=3, fold=fold, seed=short.seed)
        torch.manual_seed(fold)
        network = build(short.architecture)
        torch.nn.init.normal_(network.head.weight)
        progress = Progress(1, 2, short.text, "", fold, data=digest(split_of(*split)))
        (folder / str(fold)).mkdir()
        path = folder / str(fold) / checkpoint.NAME
        checkpoint.save(path, network, checkpoint.average_of(network), None, progress)
    return [folder / str(fold) for fold in range(3)]


@pytest.fixture(scope="module")
def scores(eyes: Path, runs: list[Path]) -> dict[str, float]:
    return teach(runs, read_labels(eyes), say=False)


def test_each_photograph_is_scored_by_the_run_that_held_it_out(
    eyes: Path, short: Recipe, runs: list[Path], scores: dict[str, float]
) -> None:
    photographs = read_labels(eyes)
    assert scores.keys() == {key_of(one) for one in photographs if one.split == "train"}
    for fold, run in enumerate(runs):
        network = build(short.architecture)
        network.load_state_dict(checkpoint.load_average(run / checkpoint.NAME)[0])
        held = Crops(deal(photographs, folds=3, fold=fold, seed=short.seed)[1], short.preprocessing, fitting=False)
        theirs = (scores_of(network, held) + scores_of(network, held, mirrored=True)) / 2
        assert [scores[key_of(one)] for one in held.photographs] == pytest.approx(theirs.tolist())


def test_several_runs_of_a_fold_count_alike(eyes: Path, runs: list[Path], scores: dict[str, float]) -> None:
    again = teach([*runs, runs[0]], read_labels(eyes), say=False)
    assert again == pytest.approx(scores)


def test_a_mirrored_score_is_that_of_the_mirror_image(eyes: Path, short: Recipe) -> None:
    crops = Crops(read_labels(eyes)[:2], short.preprocessing, fitting=False)
    network = build(short.architecture).eval()
    pictures = torch.from_numpy(crops.plain(np.arange(2))[:, :, :, ::-1].copy())
    with torch.inference_mode():
        assert scores_of(network, crops, mirrored=True) == pytest.approx(network(pictures)[0].numpy(), abs=1e-5)


def test_a_missing_fold_an_unfinished_run_and_other_photographs_are_refused(
    eyes: Path, runs: list[Path], tmp_path: Path
) -> None:
    photographs = read_labels(eyes)
    with pytest.raises(Misconfigured, match="held out by none"):
        teach(runs[:2], photographs, say=False)
    weights, recipe, progress = checkpoint.load_average(runs[0] / checkpoint.NAME)
    network = build(recipe.architecture)
    checkpoint.save(tmp_path / checkpoint.NAME, network, weights, None, replace(progress, epochs=0))
    with pytest.raises(Misconfigured, match="not come to its end"):
        teach([tmp_path], photographs, say=False)
    with pytest.raises(BadInput, match="other photographs"):
        teach(runs, photographs[4:], say=False)
    with pytest.raises(BadInput, match=r"called aptos2019/0\.jpg"):
        teach(runs, [*photographs, photographs[0]], say=False)


def test_a_photograph_without_a_retina_needs_no_score(eyes: Path, short: Recipe, tmp_path: Path) -> None:
    black = tmp_path / "black.jpg"
    black.write_bytes(simplejpeg.encode_jpeg(np.zeros((80, 80, 3), np.uint8), colorspace="RGB"))
    photographs = [*read_labels(eyes), Photograph(black, "idrid", "nobody", "", 0, "train")]
    network = build(short.architecture)
    for fold in range(3):
        (tmp_path / str(fold)).mkdir()
        progress = Progress(1, 2, short.text, "", fold)
        path = tmp_path / str(fold) / checkpoint.NAME
        checkpoint.save(path, network, checkpoint.average_of(network), None, progress)
    scores = teach([tmp_path / str(fold) for fold in range(3)], photographs, say=False)
    assert scores.keys() == {key_of(one) for one in read_labels(eyes) if one.split == "train"}


def test_scores_are_written_with_paths_that_mean_the_same_elsewhere(
    eyes: Path, scores: dict[str, float], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "teacher.csv"
    write_scores(scores, read_labels(eyes), [eyes], out)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["path", "source", "score"]
    assert rows[0]["path"] == f"{eyes.name}/0.jpg"
    assert read_scores(str(out)) == pytest.approx(scores, abs=1e-3)


@pytest.mark.parametrize("text", ["path,score\na,1\n", "path,source,score\na.jpg,idrid,high\n"])
def test_wrong_scores_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "teacher.csv").write_text(text)
    with pytest.raises(BadInput, match="teacher"):
        read_scores(str(tmp_path / "teacher.csv"))
    with pytest.raises(BadInput, match="teacher"):
        read_scores(str(tmp_path / "none.csv"))


def test_a_recipe_finds_its_teacher_beside_it() -> None:
    teacher = load_recipe("compact").teacher
    assert teacher
    scores = read_scores(teacher.scores)
    assert len(scores) > 3500
    assert -1 < min(scores.values()) < 0.5 < 3.5 < max(scores.values()) < 6


def test_a_student_is_fitted_to_its_teacher(
    eyes: Path, short: Recipe, scores: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = read_labels(eyes)
    out = tmp_path / "teacher.csv"
    write_scores(dict.fromkeys(scores, 100.0), photographs, [eyes], out)
    recipe = parse_recipe(short.text + f'[teacher]\nscores = "{out}"\nshare = 0.5\n')
    path = fit(recipe, Run(photographs, tmp_path / "run"))
    assert checkpoint.load_average(path)[2].teacher
    assert '"loss": 4' in (tmp_path / "run" / "log.jsonl").read_text()  # half of 100, less a grade and a half
    assert "The teacher knows 12 of them" in capsys.readouterr().out
    write_scores(scores, photographs, [eyes], out)
    with pytest.raises(Misconfigured, match="teacher"):
        fit(recipe, Run(photographs, tmp_path / "run", resume=True))
