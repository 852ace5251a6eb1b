"""A handful of synthetic eyes with labels, and a recipe that fits them in seconds."""

import csv
from pathlib import Path

import pytest
import simplejpeg

from inference import phantom
from training.recipe import Recipe, parse_recipe

RECIPE = """
name = "tiny"
version = "0.0.1"
architecture = "efficientnet_lite0"
seed = 5
weights = "random"
[preprocessing]
size = 64
margin = 1.0
mask = 0.98
[fit]
batch = 4
weight_decay = 0.01
dropout = 0.2
average = 0.9
threads = 1
folds = 3
balance = 0.5
[[stages]]
epochs = 2
draws = 8
learning_rate = 1e-3
warm_up = 0.25
[augment]
[sources]
aptos2019 = 1.0
idrid = 2.0
"""
_LESIONS = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.MANY, phantom.PROLIFERATIVE)


@pytest.fixture(scope="session")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data folder: 30 phantoms of two sources, two photographs a patient; a third is the split valid."""
    folder = tmp_path_factory.mktemp("eyes")
    rows = []
    for number in range(30):
        grade = number // 2 % 5
        picture = phantom.draw(number, lesions=_LESIONS[grade], size=160)
        path = f"{number}.jpg"
        (folder / path).write_bytes(simplejpeg.encode_jpeg(picture, quality=90, colorspace="RGB"))
        patient = number // 2
        rows.append(
            {
                "path": path,
                "source": "idrid" if patient % 2 else "aptos2019",
                "patient": f"p{patient}",
                "grade": grade,
                "split": "valid" if patient % 3 == 2 else "train",
            }
        )
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return parse_recipe(RECIPE)
