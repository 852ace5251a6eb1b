"""A recipe is read strictly, and labels too: what is wrong is said in one sentence."""

from pathlib import Path

import pytest

from casebook.errors import BadInput, Misconfigured
from training.recipe import Recipe, load_recipe, parse_recipe
from training.sources import read_labels

HEAD = "path,source,patient,grade,split\n"


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


@pytest.mark.parametrize(
    "text", ["path,source\na,b\n", HEAD + "a,b,c,5,train\n", HEAD + "a,b,c,x,train\n", HEAD + "a,b,c,1,test\n"]
)
def test_wrong_labels_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(BadInput, match="labels"):
        read_labels(tmp_path)


def test_missing_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="labels"):
        read_labels(tmp_path)
