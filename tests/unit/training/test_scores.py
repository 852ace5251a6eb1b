"""Agreement and discrimination are computed as their definitions say, and cuts between grades are found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.measure.scores import auc, fit_thresholds, grades_of, quadratic_kappa

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
