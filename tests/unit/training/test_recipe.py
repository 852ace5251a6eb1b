"""A recipe is read strictly: what is wrong is said in one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from casebook.errors import Misconfigured
from inference.bundle import CARD, SHIPPED
from training.recipe import Recipe, load_recipe, parse_recipe

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"


def test_the_shipped_recipe_is_whole() -> None:
    recipe = load_recipe("compact")
    assert recipe.preprocessing.size % 32 == 0
    assert set(recipe.sources) == {"aptos2019", "idrid", "eyepacs"}


def test_the_shipped_bundle_was_made_by_the_shipped_recipe() -> None:
    card = json.loads((SHIPPED / CARD).read_text(encoding="utf-8"))
    assert card["training"]["recipe"] == load_recipe("compact").text


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.toml"))])
def test_every_recipe_of_the_package_is_read_and_names_its_start_weights(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.weights not in {"", "random"}
    assert all(recipe.steps_of(stage, 3000) for stage in recipe.stages)


def test_the_talks_recipe_is_the_talks() -> None:
    recipe = load_recipe("seed")
    assert recipe.architecture == "resnext101_32x4d"
    told = [(stage.epochs, stage.learning_rate, stage.schedule, stage.warm_up, stage.frozen) for stage in recipe.stages]
    assert told == [(30, 1e-3, "constant", 0, True), (30, 1e-4, "constant", 0, False)]
    fit = recipe.fit
    assert (fit.optimizer, fit.momentum, fit.weight_decay, fit.clip, fit.loss) == ("sgd", 0, 0, 0, "mse")
    assert (fit.dropout, fit.average, fit.balance, fit.fellow, recipe.augment) == (0, 0, 0, 0, None)
    assert {stage.draws for stage in recipe.stages} == {0}


def test_an_epoch_has_every_photograph_and_whole_batches(recipe: Recipe) -> None:
    once, drawn = replace(recipe.stages[0], draws=0), replace(recipe.stages[0], draws=11)
    assert [recipe.steps_of(once, photographs) for photographs in (1, 4, 5, 12)] == [1, 1, 2, 3]
    assert recipe.steps_of(drawn, 100) == 2
    assert recipe.pixels_from(0, 12) == 2 * recipe.pixels_from(1, 12) == 2 * 8 * 64**2
    assert recipe.pixels_from(2, 12) == 0


def test_a_recipe_can_be_any_file(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(recipe.text)
    assert load_recipe(str(path)) == recipe


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("batch = 4", ""),
        ("batch = 4", "batch = 4\nhaste = 3"),
        ("batch = 4", 'batch = 4\nprecision = "float8"'),
        ("batch = 4", 'batch = 4\nloss = "hinge"'),
        ("[[stages]]", "[[stages]]\nschedule = 'never'"),
        ("folds = 3", "folds = 1"),
        ("folds = 3", "folds = true"),
        ("batch = 4", "batch = 0"),
        ("batch = 4", "batch = 4.0"),
        ("batch = 4", "batch = 12"),
        ("dropout = 0.2", "dropout = 1.2"),
        ("size = 64", "size = 65"),
        ("size = 64", "size = '64'"),
        ("epochs = 2", "epochs = 2\nsize = 100"),
        ("epochs = 2", "epochs = '2'"),
        ("learning_rate = 1e-3", "learning_rate = 0.0"),
        ("[augment]", "[augment]\nblur = [0.5]"),
        ("[augment]", "[augment]\njpeg = [0.5, 0.5]"),
        ("[augment]", "[teacher]\nshare = 0.5"),
        ("idrid = 2.0", "idrid = -2.0"),
        ("seed = 5", "seed = 'five'"),
        ("size = 64", ""),
        ("[fit]", "[[fit"),
    ],
)
def test_a_wrong_recipe_is_refused(recipe: Recipe, right: str, wrong: str) -> None:
    assert right in recipe.text
    with pytest.raises(Misconfigured, match=r"^The recipe is wrong: [^\n]+\. Compare"):
        parse_recipe(recipe.text.replace(right, wrong))


@pytest.mark.parametrize("name", ["nothing", "nowhere/nothing.toml"])
def test_a_missing_recipe_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="recipe"):
        load_recipe(name)
