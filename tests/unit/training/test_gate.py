"""The gate is fitted on ``train``, measured on ``valid``, written readable, and reads back as what was measured."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from casebook.errors import BadInput
from inference import phantom
from inference.gradability import Check, read_gate
from inference.retina import Circle, Picture, find_circle
from training.__main__ import main
from training.gate import examples as gate_examples
from training.gate import fit as gate
from training.gate import lookalikes
from training.gate.damage import KINDS
from training.gate.examples import (
    GIVEN,
    HALF,
    RETINA,
    SQUEEZED,
    Example,
    Sizes,
    forms,
    numbers_of,
    original_of,
    random_for,
)
from training.gate.report import Judged, limit_for, severities

FEW = Sizes(
    retinas=10,
    in_forms=2,
    damaged=15,
    crops=2,
    crops_of_red=2,
    drawn=4,
    phantoms=1,
    forms_measured=2,
    spoilt_measured=1,
)


@pytest.fixture(scope="module")
def data(eyes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data folder with look-alikes."""
    folder = tmp_path_factory.mktemp("gate") / "data"
    shutil.copytree(eyes, folder)
    (folder / "negatives").mkdir()
    for number in range(6):
        cloud = lookalikes.pattern([np.linspace(0.1, 0.9, 15).reshape(5, 3)], random_for("cloud", number))
        picture = cv2.resize(lookalikes.round_field(cloud), (160, 160))
        file = folder / "negatives" / f"round_{number}.jpg"
        file.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=90, colorspace="RGB"))
    return folder


@pytest.fixture(scope="module")
def measured(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a gate fitted by the command, and the folder of its report."""
    folder = tmp_path_factory.mktemp("fitted")
    out, report = folder / "gate.json", folder / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_examples, "Sizes", lambda: FEW)
        assert main(["gate", "--data", str(data), "--out", str(out), "--report", str(report)]) == 0
    return out, report


def test_the_command_writes_a_gate_that_judges(measured: tuple[Path, Path]) -> None:
    fitted = read_gate(json.loads(measured[0].read_text(encoding="utf-8")))
    assert list(fitted.limits) == list(Check)
    assert all(limits.limited < limits.refused for limits in fitted.limits.values())
    eye = phantom.draw(77, lesions=phantom.FEW, size=160)
    circle = find_circle(eye)
    assert circle is not None
    dark = KINDS["darkness"].damage(eye, circle, 0.1, random_for("dark"))
    weights = [fitted.weights(numbers_of(picture, circle) or {})[Check.LIGHT] for picture in (eye, dark)]
    assert weights[0] < 0.5 < 1 <= weights[1]


def test_the_report_counts_what_was_not_fitted_on(measured: tuple[Path, Path], data: Path) -> None:
    found = json.loads((measured[1] / "gate.json").read_text(encoding="utf-8"))
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        valid = [row for row in csv.DictReader(file) if row["split"] == "valid"]
    assert sum(row["pictures"] for row in found["retinas"].values()) == len(valid)
    assert set(found["damaged"]) == set(KINDS)
    assert found["look-alikes left out"]["other round field"]["originals"] == 6
    assert all(row["pairs"] for row in found["forms"].values())


def test_a_folder_without_labels_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        gate.fit_gate(tmp_path, tmp_path / "out.json", None, FEW)


@pytest.fixture(scope="module")
def eye() -> Picture:
    return phantom.draw(3, lesions=phantom.FEW, size=300)


@pytest.mark.parametrize("name", list(KINDS))
def test_a_worse_severity_changes_a_photograph_more(eye: Picture, name: str) -> None:
    kind = KINDS[name]
    circle = Circle(149.5, 149.5, phantom.RETINA * 300)
    assert [kind.is_bad(severity) for severity in kind.severities] == sorted(map(kind.is_bad, kind.severities))
    assert kind.is_bad(kind.bad)
    mildest, worst = (kind.damage(eye, circle, kind.severities[end], random_for(name)) for end in (0, -1))
    if mildest.shape != worst.shape:  # the frame ends earlier
        assert worst.size < mildest.size < eye.size
        return
    changed = [float(np.abs(one.astype(float) - eye).mean()) for one in (mildest, worst)]
    assert 0 < changed[0] < changed[1]


@pytest.mark.parametrize("name", list(KINDS))
def test_damage_is_the_same_in_every_size(name: str) -> None:
    kind, seed = KINDS[name], "sizes"
    small, large = (phantom.draw(5, lesions=phantom.HEALTHY, size=size) for size in (256, 512))
    spoilt = [
        kind.damage(picture, Circle(side / 2 - 0.5, side / 2 - 0.5, phantom.RETINA * side), kind.bad, random_for(seed))
        for picture, side in ((small, 256), (large, 512))
    ]
    shrunk = cv2.resize(spoilt[1], spoilt[0].shape[1::-1], interpolation=cv2.INTER_AREA)
    means = [cv2.resize(one, (8, 8), interpolation=cv2.INTER_AREA).astype(float) for one in (spoilt[0], shrunk)]
    assert float(np.abs(means[0] - means[1]).mean()) < 6


def test_drawn_lookalikes_are_the_same_for_the_same_chance() -> None:
    for draw in (lookalikes.anterior_eye, lookalikes.oct_screen):
        first, again, other = (draw(random_for("drawn", number)) for number in (1, 1, 2))
        assert first.shape == (lookalikes.SIDE, lookalikes.SIDE, 3)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_forms_are_other_sizes_and_the_square(eye: Picture) -> None:
    wide = np.ascontiguousarray(eye[20:260])
    assert {form: picture.shape[:2] for form, picture in forms(wide).items()} == {
        HALF: (120, 150),
        "small": (179, 224),
        SQUEEZED: (224, 224),
    }
    assert set(forms(eye[:224, :224])) == {HALF}


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("endoscopy_round_cju0qkwl35piu0_3.jpg", "cju0qkwl35piu0"),
        ("oct_screen_DME-30521-1.jpg", "DME-30521"),
        ("round_red_coffee.jpg", "coffee"),
        ("sk_coffee.jpg", "coffee"),
    ],
)
def test_pictures_of_one_original_are_kept_together(name: str, original: str) -> None:
    assert original_of(name) == original


def judged(weight: float, source: str = "idrid", kind: str = RETINA, severity: float = 0.0) -> Judged:
    return Judged(Example({}, "1", source, kind, severity, GIVEN), weight, None)


def test_two_percent_are_counted_with_every_source_alike() -> None:
    many = [judged(number / 1000, "aptos2019") for number in range(1000)]
    few = [judged(number / 10, "idrid") for number in range(10)]
    limit = limit_for([*many, *few], share=0.05)
    refused = [row for row in [*many, *few] if row.weight >= limit]
    assert sum(row.example.source == "aptos2019" for row in refused) / 1000 <= 0.1
    assert sum(1 / 2000 if row.example.source == "aptos2019" else 1 / 20 for row in refused) <= 0.05


def test_a_severity_counts_as_reached_only_if_every_worse_one_is_refused_too() -> None:
    rows = [judged(weight, kind="defocus", severity=at) for at, weight in ((0.01, 1.2), (0.02, 0.4), (0.03, 1.1))]
    assert severities(rows)["defocus"]["half refused from"] == 0.03
