"""What a picture of the held-out part shows of a patient comes from other patients."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from training.measure import pictures
from training.measure.crossfit import cross_fitted

RANDOM = np.random.default_rng(4)
GRADES = RANDOM.permutation(np.repeat(np.arange(5), 40))
SCORES = GRADES + RANDOM.normal(0, 0.1, len(GRADES))
PATIENTS = [str(number // 2) for number in range(len(GRADES))]


def test_cuts_and_odds_find_the_grades_of_good_scores() -> None:
    shown, chance = cross_fitted(SCORES, GRADES, PATIENTS)
    assert np.array_equal(shown, GRADES)
    assert chance[GRADES >= 2].min() > 0.5 > chance[GRADES < 2].max()


def test_a_patients_own_grades_have_no_say_in_what_is_shown_of_them() -> None:
    shown, chance = cross_fitted(SCORES, GRADES, PATIENTS)
    mine = np.array([patient == "7" for patient in PATIENTS])
    others_said = cross_fitted(SCORES, np.where(mine, 4 - GRADES, GRADES), PATIENTS)
    assert np.array_equal(others_said[0][mine], shown[mine])
    assert np.array_equal(others_said[1][mine], chance[mine])
    assert not np.array_equal(others_said[1], chance)


def test_one_patient_alone_is_judged_too() -> None:
    shown, chance = cross_fitted(SCORES[:10], GRADES[:10], ["one"] * 10)
    assert len(shown) == len(chance) == 10
    assert np.isfinite(chance).all()


@pytest.mark.parametrize("grades", [GRADES, np.zeros(200, dtype=int)], ids=["all grades", "one grade"])
def test_pictures_are_drawn_even_where_a_measure_is_undefined(tmp_path: Path, grades: np.ndarray) -> None:
    chance = np.linspace(0, 1, len(grades))
    pictures.confusion(tmp_path / "confusion.png", grades, grades, "Grades")
    pictures.roc(tmp_path / "roc.png", grades >= 2, SCORES, "Referable")
    pictures.calibration(tmp_path / "calibration.png", grades >= 2, chance, "Referable")
    pictures.curves(tmp_path / "curves.png", [{"epoch": 1, "loss": 0.4}, {"epoch": 2, "loss": 0.3, "kappa": 0.5}])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"confusion.png", "roc.png", "calibration.png", "curves.png"}
    for name in names:
        picture = cv2.imread(str(tmp_path / name))
        assert picture.shape[0] > 400
        assert len(np.unique(picture)) > 20
