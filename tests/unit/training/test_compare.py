"""Of two bundles the better one is named only where the same patients say so, and a bundle ties with itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import stand_in_bundle
from drawn_outcomes import outcomes, scored
from lone_page import assert_stands_alone

from training.__main__ import main
from training.measure.bootstrap import MEASURES
from training.measure.compare import better, paired, sentence


def test_a_grader_ties_with_itself() -> None:
    found = outcomes(120)
    for name, row in paired(found, found).items():
        assert row["difference"] == {"value": 0, "low": 0, "high": 0}, name
        assert better(row["difference"], name) is None


def test_the_better_one_is_named_and_chance_is_not() -> None:
    random = np.random.default_rng(8)
    plain = outcomes(300, in_one_patient=2)
    worse = scored(plain, plain.truth + random.normal(0, 1.6, 300))
    good = scored(plain, plain.truth + random.normal(0, 0.5, 300))
    alike = scored(plain, plain.truth + random.normal(0, 0.5, 300))
    rows = paired(worse, good)
    assert better(rows["quadratic_kappa"]["difference"], "quadratic_kappa") == 1
    assert better(paired(good, worse)["quadratic_kappa"]["difference"], "quadratic_kappa") == 0
    assert better(paired(good, alike)["quadratic_kappa"]["difference"], "quadratic_kappa") is None
    assert rows["quadratic_kappa"]["second"]["value"] > rows["quadratic_kappa"]["first"]["value"]


def test_pairing_takes_away_what_is_hard_for_both() -> None:
    """Two graders that share their mistakes differ less by luck than each alone is uncertain."""
    random = np.random.default_rng(9)
    plain = outcomes(300)
    shared = plain.truth + random.normal(0, 1, 300)
    row = paired(scored(plain, shared), scored(plain, shared + random.normal(0, 0.1, 300)))["quadratic_kappa"]

    def width(found: dict[str, float]) -> float:
        return found["high"] - found["low"]

    assert width(row["difference"]) < 0.6 * width(row["first"])


def test_less_is_better_where_it_counts_errors() -> None:
    lower = {"value": -0.02, "low": -0.04, "high": -0.01}
    assert better(lower, "calibration_error") == 1
    assert better(lower, "quadratic_kappa") == 0
    assert better({"value": 0.1, "low": None, "high": None}, "quadratic_kappa") is None


def test_sentences_say_how_much_or_that_it_cannot_be_told() -> None:
    names = ("old 1", "new 2")
    gain = {"value": 0.021, "low": 0.004, "high": 0.038}
    said = sentence("Quadratic weighted kappa", "IDRiD", gain, names, "quadratic_kappa")
    assert said == "new 2 is better by 0.021 (0.004 to 0.038) in quadratic weighted kappa on IDRiD."
    loss = {"value": -0.021, "low": -0.038, "high": -0.004}
    assert sentence("Same grade", "IDRiD", loss, names, "accuracy").startswith(
        "old 1 is better by 0.021 (0.004 to 0.038)"
    )
    luck = {"value": 0.01, "low": -0.02, "high": 0.04}
    said = sentence("Same grade", "IDRiD", luck, names, "accuracy")
    assert said == "They cannot be told apart in same grade on IDRiD: new 2 differs by +0.010 (-0.020 to 0.040)."


def test_two_bundles_are_compared_on_one_page(eyes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = stand_in_bundle.make(tmp_path / "plain")
    same = [str(plain), str(plain), "--data", str(eyes), "--out", str(tmp_path / "same"), "--without-photographs"]
    assert main(["compare", *same]) == 0
    assert all(line.startswith("They cannot be told apart") for line in capsys.readouterr().out.splitlines())
    blunt = stand_in_bundle.make(tmp_path / "blunt", gain=300.0, name="blunt")
    out = tmp_path / "out"
    assert main(["compare", str(plain), str(blunt), "--data", str(eyes), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    found = json.loads((out / "comparison.json").read_text())
    assert printed == found["sentences"]
    assert set(found["sources"]) == {"aptos2019", "idrid", "all"}
    whole = found["sources"]["all"]
    assert set(whole["measures"]) == set(MEASURES)
    assert sum(map(sum, whole["table"])) == whole["graded_by_both"] == 10
    for grade in whole["by_grade"]:
        assert grade["photographs"] == grade["both"] + grade["first"] + grade["second"] + grade["none"]
    text = (out / "comparison.html").read_text(encoding="utf-8")
    assert len(assert_stands_alone(text).all("img")) == 3 * len(found["farthest"]) > 0
    gaps = [abs(row["scores"][0] - row["scores"][1]) for row in found["farthest"]]
    assert gaps == sorted(gaps, reverse=True)
