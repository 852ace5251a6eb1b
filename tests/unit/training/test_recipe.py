"""A recipe is read strictly: what is wrong is said in one sentence."""

from pathlib import Path

import pytest

from casebook.errors import Misconfigured
from training.recipe import Recipe, load_recipe, parse_recipe


def test_the_shipped_recipe_is_whole() -> None:
    recipe = load_recipe("compact")
    assert recipe.preprocessing.size % 32 == 0
    assert set(recipe.sources) == {"aptos2019", "idrid", "eyepacs"}


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
        ("size = 64", ""),
        ("[fit]", "[[fit"),
    ],
)
def test_a_wrong_recipe_is_refused(recipe: Recipe, right: str, wrong: str) -> None:
    assert right in recipe.text
    with pytest.raises(Misconfigured):
        parse_recipe(recipe.text.replace(right, wrong))


@pytest.mark.parametrize("name", ["nothing", "nowhere/nothing.toml"])
def test_a_missing_recipe_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="recipe"):
        load_recipe(name)
