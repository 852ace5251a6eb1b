"""No patient on both sides, and nothing of the split valid on either."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from training.photographs.photograph import Photograph
from training.photographs.split import deal, with_valid

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


UNDECIDED = PHOTOGRAPHS.map(lambda photographs: [replace(one, split="") for one in photographs])


def sides(photographs: list[Photograph]) -> dict[str, set[str]]:
    return {one.patient: {other.split for other in photographs if other.patient == one.patient} for one in photographs}


@given(UNDECIDED, st.integers(0, 1000))
def test_valid_is_drawn_by_patient(photographs: list[Photograph], seed: int) -> None:
    drawn = with_valid(photographs, seed)
    assert [replace(one, split="") for one in drawn] == photographs
    assert all(splits in ({"train"}, {"valid"}) for splits in sides(drawn).values())
    assert with_valid(photographs, seed) == drawn


@given(UNDECIDED, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_photographs_draws_nobody_else(photographs: list[Photograph], seed: int, order: Any) -> None:
    # A patient of one source: whose first photograph is of which source depends on the order.
    photographs = [replace(one, patient=f"{one.source} {one.patient}") for one in photographs]
    shuffled = photographs[:]
    order.shuffle(shuffled)
    assert sides(with_valid(shuffled, seed)) == sides(with_valid(photographs, seed))


@given(PHOTOGRAPHS, st.lists(st.booleans(), min_size=120, max_size=120), st.integers(0, 1000))
def test_a_given_split_is_kept(photographs: list[Photograph], given_: list[bool], seed: int) -> None:
    some = [one if keep else replace(one, split="") for one, keep in zip(photographs, given_, strict=False)]
    drawn = with_valid(some, seed)
    assert all(after.split == before.split for before, after in zip(some, drawn, strict=True) if before.split)
    known = {one.patient: {other.split for other in some if other.patient == one.patient} - {""} for one in some}
    for one in drawn:
        if known[one.patient]:
            assert one.split in known[one.patient]


@given(st.integers(0, 150), st.integers(0, 150), st.integers(0, 1000))
def test_valid_has_its_share_of_every_source_and_grade(first: int, second: int, seed: int) -> None:
    photographs = [replace(one, split="") for one in healthy(first) + healthy(second, "aptos2019")]
    valid = Counter((one.source, one.grade) for one in with_valid(photographs, seed) if one.split == "valid")
    for source, count in (("idrid", first), ("aptos2019", second)):
        assert abs(sum(valid[source, grade] for grade in range(5)) - 0.15 * count) <= 0.5
        for grade in range(5):
            there = len(range(grade, count, 5))
            assert abs(valid[source, grade] - 0.15 * there) < 1


def test_another_source_moves_nobody() -> None:
    idrid = [replace(one, split="") for one in healthy(80)]
    aptos = [replace(one, split="") for one in healthy(90, "aptos2019")]
    assert with_valid(aptos + idrid)[90:] == with_valid(idrid)


def test_another_seed_draws_others() -> None:
    undecided = [replace(one, split="") for one in healthy(80)]
    assert with_valid(undecided, 1) != with_valid(undecided, 2)
