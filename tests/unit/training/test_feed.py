"""However many threads and processes make the batches, they are the same batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from casebook.errors import Misconfigured  # noqa: E402
from training.fit.feed import batches, workers  # noqa: E402
from training.fit.memory import enough_for  # noqa: E402
from training.fit.ranks import Ranks  # noqa: E402
from training.photographs.dataset import Crops  # noqa: E402
from training.photographs.sources import read_labels  # noqa: E402
from training.recipe import Fit, Recipe  # noqa: E402

CPU = torch.device("cpu")
ALONE = Ranks(0, 1, CPU)
ORDER = np.array([3, 1, 0, 2, 2, 3, 1, 0, 0, 1, 2, 3])


@pytest.fixture(scope="module")
def crops(eyes: Path, recipe: Recipe) -> Crops:
    return Crops(read_labels(eyes)[:4], recipe.preprocessing, fitting=True)


def made(crops: Crops, recipe: Recipe, ranks: Ranks = ALONE, ahead: int = 1, **how: int) -> list:
    fit = replace(recipe.fit, **how)
    return list(batches(crops, ORDER, fit, recipe.augment, (1, 2), ranks, ahead))


@pytest.mark.parametrize("ahead", [2, 5])
def test_more_threads_make_the_same_batches(crops: Crops, recipe: Recipe, ahead: int) -> None:
    one, many = made(crops, recipe), made(crops, recipe, ahead=ahead)
    assert len(one) == len(many) == 3
    for (few,), (lot,) in zip(one, many, strict=True):
        assert np.array_equal(few.positions, lot.positions)
        assert torch.equal(few.pictures, lot.pictures)


def test_parts_and_processes_share_a_batch_without_rest(crops: Crops, recipe: Recipe) -> None:
    whole = made(crops, recipe)
    halves = [made(crops, recipe, Ranks(rank, 2, CPU), accumulate=2) for rank in range(2)]
    for number, (batch,) in enumerate(whole):
        for rank in range(2):
            assert [len(part.positions) for part in halves[rank][number]] == [1, 1]
            pictures = torch.cat([part.pictures for part in halves[rank][number]])
            assert torch.equal(pictures, batch.pictures[rank::2])


def test_a_network_on_the_cpu_keeps_the_cores_for_itself() -> None:
    assert workers(CPU) == 1
    assert workers(torch.device("cuda")) >= 1


def test_who_stops_asking_is_not_held_up(crops: Crops, recipe: Recipe) -> None:
    coming = batches(crops, ORDER, Fit(batch=4), recipe.augment, (1, 2), ALONE, 2)
    next(coming)
    coming.close()
    assert list(coming) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_every_form_of_out_of_memory_is_one_sentence(error: Exception) -> None:
    with (
        pytest.raises(Misconfigured, match=r"^Memory ran out with 16 photographs of 512 pixels"),
        enough_for("16 photographs of 512 pixels at once", "Raise accumulate."),
    ):
        raise error


def test_a_real_allocation_that_cannot_be_is_understood() -> None:
    with pytest.raises(Misconfigured, match="Memory ran out"), enough_for("an exabyte", "Take less."):
        torch.empty(2**60, dtype=torch.uint8)


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), enough_for("anything", "Nothing."):
        raise RuntimeError("shapes do not match")
