"""No patient on both sides, and nothing of the split valid on either."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from training.sources import Photograph
from training.split import hold_out

PHOTOGRAPHS = st.lists(
    st.builds(
        Photograph,
        path=st.uuids().map(str),
        source=st.sampled_from(["aptos2019", "idrid"]),
        patient=st.integers(0, 40).map(lambda number: f"p{number}"),
        grade=st.integers(0, 4),
        split=st.sampled_from(["train", "valid"]),
    ),
    max_size=120,
)


@given(PHOTOGRAPHS, st.floats(0, 0.6), st.integers(0, 1000))
def test_no_patient_is_on_both_sides_and_valid_is_on_none(
    photographs: list[Photograph], share: float, seed: int
) -> None:
    fit, calibration = hold_out(photographs, share, seed)
    assert not {one.patient for one in fit} & {one.patient for one in calibration}
    assert Counter(fit + calibration) == Counter(one for one in photographs if one.split == "train")
    assert hold_out(photographs, share, seed) == (fit, calibration)


def test_every_stratum_gives_its_share() -> None:
    photographs = [
        Photograph(f"{source}{number}", source, f"{source}{number}", number % 5, "train")
        for source in ("aptos2019", "idrid")
        for number in range(100)
    ]
    _, calibration = hold_out(photographs, 0.2, 1)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for photograph in calibration:
        counts[photograph.source, photograph.grade] += 1
    assert set(counts.values()) == {4}
    assert len(counts) == 10


def test_another_seed_draws_other_patients() -> None:
    photographs = [Photograph(str(number), "idrid", str(number), 0, "train") for number in range(100)]
    assert hold_out(photographs, 0.2, 1) != hold_out(photographs, 0.2, 2)
