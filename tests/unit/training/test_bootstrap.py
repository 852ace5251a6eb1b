"""Every measure under weights is the measure of the photographs so often drawn, and intervals are drawn by patient."""

import numpy as np
import pytest
from drawn_outcomes import outcomes
from hypothesis import given
from hypothesis import strategies as st

from training.measure.bootstrap import MEASURES, Outcomes, at_an_end, draws, interval, measured, measures
from training.measure.scores import auc, quadratic_kappa


def naive(found: Outcomes, drawn: np.ndarray) -> dict[str, float]:
    """Compute the measures of one sample photograph by photograph."""
    kept = [place for place in drawn if found.graded[place]]
    truth, shown, scores = found.truth[kept], found.shown[kept], found.scores[kept]

    def share(hits: np.ndarray, among: np.ndarray) -> float:
        return float(hits[among].mean()) if among.any() else float("nan")

    return {
        "quadratic_kappa": quadratic_kappa(truth, shown),
        "accuracy": float((truth == shown).mean()),
        "referable_auc": auc(truth >= 2, scores),
        "sensitivity": share(shown >= 2, truth >= 2),
        "specificity": share(shown < 2, truth < 2),
        **{f"recall_{grade}": share(shown == grade, truth == grade) for grade in range(5)},
        "ungradable": 1 - len(kept) / len(drawn),
    }


@given(st.integers(0, 10_000))
def test_each_draw_measures_what_its_photographs_do(seed: int) -> None:
    found = outcomes(40, seed)
    weights = draws(found.patients, rounds=2, seed=seed)
    values = measures(found, weights)
    for number, row in enumerate(weights):
        drawn = np.repeat(np.arange(len(found)), row.astype(int))
        for name, value in naive(found, drawn).items():
            assert values[name][number] == pytest.approx(value, nan_ok=True), name


def test_a_draw_takes_whole_patients_and_is_seeded() -> None:
    found = outcomes(60, in_one_patient=3)
    weights = draws(found.patients, rounds=50, seed=4)
    assert (weights[0] == 1).all()
    assert (weights.reshape(51, 20, 3) == weights.reshape(51, 20, 3)[:, :, :1]).all()
    assert (weights.sum(axis=1) == 60).all()
    assert np.array_equal(weights, draws(found.patients, rounds=50, seed=4))
    assert not np.array_equal(weights, draws(found.patients, rounds=50, seed=5))


def test_intervals_hold_the_value_and_widen_where_patients_are_few() -> None:
    alone = measured(outcomes(400, in_one_patient=1), rounds=400)
    pooled = measured(outcomes(400, in_one_patient=40), rounds=400)
    assert set(alone) == set(MEASURES)
    for found in (*alone.values(), *pooled.values()):
        assert found["low"] <= found["value"] <= found["high"]
    assert alone["quadratic_kappa"]["value"] == pooled["quadratic_kappa"]["value"]
    assert alone["quadratic_kappa"]["low"] != pooled["quadratic_kappa"]["low"]


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        right = random.random(120) < 0.7
        drawn = draws(np.arange(120).astype(str), rounds=300, seed=int(random.integers(1 << 30)))
        found = interval(drawn @ right / 120)
        held += found["low"] <= 0.7 <= found["high"]
    assert 178 <= held <= 199


def test_calibration_error_is_nought_for_honest_chances_and_the_gap_for_boasts() -> None:
    random = np.random.default_rng(2)
    count = 20_000
    truth = random.integers(0, 2, count)
    said = random.random(count)
    shown = np.where(random.random(count) < said, truth, 1 - truth)
    honest = Outcomes(np.arange(count).astype(str), truth, np.ones(count, bool), shown, shown * 1.0, said, said * 0)
    boasting = Outcomes(honest.patients, truth, honest.graded, shown, honest.scores, said * 0 + 1, honest.chance)
    ones = np.ones((1, count))
    assert measures(honest, ones)["calibration_error"][0] < 0.02
    assert measures(boasting, ones)["calibration_error"][0] == pytest.approx(0.5, abs=0.02)
    assert measures(honest, ones)["referable_calibration_error"][0] == 0


def test_one_photograph_is_no_certainty() -> None:
    assert at_an_end({"value": 1.0, "low": 1.0, "high": 1.0}, 1) == {"value": 1.0, "low": 0.025, "high": 1.0}
    none_of_hundred = at_an_end({"value": 0.0, "low": 0.0, "high": 0.0}, 100)
    assert none_of_hundred["high"] == pytest.approx(0.0362, abs=1e-4)
    inside = {"value": 0.5, "low": 0.4, "high": 0.6}
    assert at_an_end(inside, 9) == inside


def test_what_is_undefined_is_none_and_not_a_number() -> None:
    zeros = np.zeros(6)
    found = measured(
        Outcomes(np.array(list("abcdef")), zeros.astype(int), zeros == 0, zeros.astype(int), zeros, zeros, zeros),
        rounds=20,
    )
    assert found["referable_auc"] == {"value": None, "low": None, "high": None}
    assert found["sensitivity"]["value"] is None
    assert found["specificity"]["value"] == 1


def test_where_nothing_was_graded_only_that_is_known() -> None:
    nothing = outcomes(12, refused=1.1)
    found = measured(nothing, rounds=20)
    assert found["ungradable"]["value"] == 1
    assert found["quadratic_kappa"]["value"] is None
    assert found["calibration_error"]["value"] is None
