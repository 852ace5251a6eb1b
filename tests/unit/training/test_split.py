"""No patient on both sides, and nothing of the split valid on either."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.sources import Photograph
from training.split import deal

PHOTOGRAPHS = st.lists(
    st.builds(
        Photograph,
        path=st.uuids().map(lambda name: Path(str(name))),
        source=st.sampled_from(["aptos2019", "idrid"]),
        patient=st.integers(0, 40).map(lambda number: f"p{number}"),
        laterality=st.just(""),
        grade=st.integers(0, 4),
        split=st.sampled_from(["train", "valid"]),
    ),
    max_size=120,
)


@given(PHOTOGRAPHS, st.integers(2, 6), st.integers(0, 1000))
def test_no_patient_is_on_both_sides_and_valid_is_on_none(photographs: list[Photograph], folds: int, seed: int) -> None:
    fit, calibration = deal(photographs, folds=folds, fold=1, seed=seed)
    assert not {one.patient for one in fit} & {one.patient for one in calibration}
    assert Counter(fit + calibration) == Counter(one for one in photographs if one.split == "train")
    assert deal(photographs, folds=folds, fold=1, seed=seed) == (fit, calibration)


@given(PHOTOGRAPHS, st.integers(2, 6), st.integers(0, 1000))
def test_every_patient_is_held_out_in_one_fold(photographs: list[Photograph], folds: int, seed: int) -> None:
    held = [one for fold in range(folds) for one in deal(photographs, folds=folds, fold=fold, seed=seed)[1]]
    assert Counter(held) == Counter(one for one in photographs if one.split == "train")


def healthy(count: int, source: str = "idrid") -> list[Photograph]:
    return [
        Photograph(Path(f"{source}{number}"), source, f"{source}{number}", "", number % 5, "train")
        for number in range(count)
    ]


def test_every_stratum_gives_its_share() -> None:
    photographs = healthy(100) + healthy(100, "aptos2019")
    for fold in range(5):
        held = Counter((one.source, one.grade) for one in deal(photographs, folds=5, fold=fold, seed=1)[1])
        assert set(held.values()) == {4}
        assert len(held) == 10


def test_another_seed_deals_otherwise() -> None:
    photographs = healthy(100)
    assert deal(photographs, folds=5, fold=0, seed=1) != deal(photographs, folds=5, fold=0, seed=2)
