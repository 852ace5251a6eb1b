"""Agreement and discrimination are computed as their definitions say, and cuts between grades are found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.scores import auc, fit_thresholds, grades_of, measured, quadratic_kappa, sensitivity, specificity

GRADES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60)


@given(GRADES)
def test_kappa_is_what_its_definition_says(pairs: list[tuple[int, int]]) -> None:
    truth, shown = np.array(pairs).T
    observed = np.mean((truth - shown) ** 2)
    chance = np.mean((truth[:, None] - shown[None, :]) ** 2)
    kappa = quadratic_kappa(truth, shown)
    if chance == 0:
        assert np.isnan(kappa)
    else:
        assert kappa == pytest.approx(1 - observed / chance)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_auc_is_the_chance_to_order_a_pair_rightly(pairs: list[tuple[bool, int]]) -> None:
    positive = np.array([pair[0] for pair in pairs])
    scores = np.array([float(pair[1]) for pair in pairs])
    ill, well = scores[positive], scores[~positive]
    if not len(ill) or not len(well):
        assert np.isnan(auc(positive, scores))
        return
    ordered = (ill[:, None] > well[None, :]).mean() + 0.5 * (ill[:, None] == well[None, :]).mean()
    assert auc(positive, scores) == pytest.approx(ordered)


def test_referable_begins_at_grade_two() -> None:
    truth, shown = np.array([0, 1, 2, 3, 4]), np.array([2, 1, 1, 2, 4])
    assert sensitivity(truth, shown) == pytest.approx(2 / 3)
    assert specificity(truth, shown) == pytest.approx(1 / 2)


@given(st.lists(st.floats(-1, 5), min_size=2, max_size=30))
def test_grades_rise_with_the_score(scores: list[float]) -> None:
    grades = grades_of(np.array(sorted(scores)), (0.5, 1.2, 2.5, 3.5))
    assert (np.diff(grades) >= 0).all()


def test_a_score_on_the_threshold_has_reached_it() -> None:
    assert grades_of(np.array([0.49, 0.5]), (0.5, 1.5, 2.5, 3.5)).tolist() == [0, 1]


def test_thresholds_are_found_again_and_stay_in_order() -> None:
    random = np.random.default_rng(3)
    scores = random.uniform(-0.3, 4.2, 3000)
    truth = grades_of(scores + random.normal(0, 0.05, 3000), (0.8, 1.3, 2.6, 3.2))
    thresholds = fit_thresholds(scores, truth)
    assert thresholds == pytest.approx((0.8, 1.3, 2.6, 3.2), abs=0.08)
    few = fit_thresholds(scores[:12], np.zeros(12, dtype=int))
    assert list(few) == sorted(few)


def test_intervals_hold_the_value_and_are_drawn_by_patient() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 5, 200)
    scores = truth + random.normal(0, 0.8, 200)
    shown = grades_of(scores, (0.5, 1.5, 2.5, 3.5))
    alone = measured(truth, scores, shown, [str(number) for number in range(200)], rounds=200)
    pooled = measured(truth, scores, shown, [str(number // 20) for number in range(200)], rounds=200)
    for found in (*alone.values(), *pooled.values()):
        assert found["low"] <= found["value"] <= found["high"]
    assert alone["quadratic_kappa"]["value"] == pooled["quadratic_kappa"]["value"]
    assert alone["quadratic_kappa"]["low"] != pooled["quadratic_kappa"]["low"]


def test_what_is_undefined_is_none_and_not_a_number() -> None:
    truth = np.zeros(6, dtype=int)
    found = measured(truth, np.zeros(6), truth, list("abcdef"), rounds=20)
    assert found["referable_auc"] == {"value": None, "low": None, "high": None}
    assert found["specificity"]["value"] == 1
