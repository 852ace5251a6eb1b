"""What a network is fitted to, how far it is from it, and how fast it moves there."""

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.fit.losses import loss_of  # noqa: E402
from training.fit.optimizers import learning_rate, optimizer_of  # noqa: E402
from training.fit.targets import key_of, targets_of, taught  # noqa: E402
from training.photographs.photograph import Photograph  # noqa: E402
from training.recipe import Fit, Stage  # noqa: E402


def eye(grade: int, laterality: str, patient: str = "p", source: str = "eyepacs", name: str = "") -> Photograph:
    return Photograph(Path(f"/data/{name or patient + laterality}.jpg"), source, patient, laterality, grade, "train")


def test_both_eyes_temper_each_other_where_both_are_known() -> None:
    pair = [eye(4, "L"), eye(0, "R")]
    assert targets_of(pair, 0.25).tolist() == [3.0, 1.0]
    assert targets_of(pair, 0.0).tolist() == [4.0, 0.0]


def test_several_photographs_of_the_fellow_eye_count_by_their_mean() -> None:
    photographs = [eye(4, "L"), eye(0, "R", name="a"), eye(2, "R", name="b")]
    assert targets_of(photographs, 0.5).tolist() == [2.5, 2.0, 3.0]


@pytest.mark.parametrize(
    "other",
    [eye(0, "L", name="again"), eye(0, "R", patient="q"), eye(0, "R", source="idrid"), eye(0, ""), eye(0, "B")],
    ids=["the same eye", "another patient", "another source", "not known", "both at once"],
)
def test_nothing_else_is_a_fellow_eye(other: Photograph) -> None:
    assert targets_of([eye(4, "L"), other], 0.5).tolist() == [4.0, 0.0]


def test_eyes_of_nobody_in_particular_are_not_mixed() -> None:
    assert targets_of([eye(4, ""), eye(0, "")], 0.5).tolist() == [4.0, 0.0]


def test_a_teacher_has_its_share() -> None:
    photographs = [eye(4, "L"), eye(0, "R")]
    scores = {key_of(photographs[0]): 3.0, key_of(photographs[1]): 0.5}
    targets = taught(targets_of(photographs, 0.0), photographs, scores, 0.8)
    assert targets == pytest.approx([3.2, 0.4])
    assert targets.dtype == np.float32


def test_a_photograph_without_a_teachers_score_keeps_its_grade() -> None:
    targets = taught(np.array([4, 1], np.float32), [eye(4, "L"), eye(1, "R")], {"eyepacs/pL.jpg": 3.0}, 0.8)
    assert targets == pytest.approx([3.2, 1.0])


def test_the_ordinal_loss_likes_a_score_between_the_right_cuts() -> None:
    loss = loss_of("ordinal")
    assert {name for name, _ in loss.named_parameters()} == {"cuts", "slope"}
    loss.requires_grad_(False)
    for grade in range(5):
        target = torch.tensor([float(grade)])
        by_score = {score: float(loss(torch.tensor([float(score)]), target)) for score in range(5)}
        assert min(by_score, key=by_score.__getitem__) == grade


def test_the_ordinal_loss_of_a_target_between_grades_lies_between_theirs() -> None:
    loss, score = loss_of("ordinal").requires_grad_(False), torch.tensor([1.2])
    low, middle, high = (float(loss(score, torch.tensor([target]))) for target in (1.0, 1.5, 2.0))
    assert middle == pytest.approx((low + high) / 2)


def test_plain_losses_are_what_they_are_called() -> None:
    score, target = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.5])
    assert float(loss_of("mse")(score, target)) == pytest.approx((4 + 0.25) / 2)
    assert float(loss_of("smooth_l1")(score, target)) == pytest.approx((1.5 + 0.125) / 2)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    stage = Stage(epochs=1, learning_rate=0.1, warm_up=0.2)
    rates = [learning_rate(stage, step, 50) for step in range(50)]
    assert rates[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[30] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.05 * (1 + math.cos(math.pi * 39 / 40)))


def test_a_constant_rate_stays() -> None:
    stage = Stage(epochs=1, learning_rate=0.1, warm_up=0.1, schedule="constant")
    assert {learning_rate(stage, step, 50) for step in range(5, 50)} == {0.1}


def test_norms_and_biases_are_not_decayed_and_frozen_weights_are_not_moved() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 1, 1))
    module[2].requires_grad_(False)
    stage = Stage(epochs=1, learning_rate=0.1)
    decayed, spared = optimizer_of(module, Fit(batch=4, weight_decay=0.03), stage).param_groups
    assert (decayed["weight_decay"], [weight.ndim for weight in decayed["params"]]) == (0.03, [4])
    assert (spared["weight_decay"], [weight.ndim for weight in spared["params"]]) == (0.0, [1, 1, 1])


def test_sgd_is_plain_unless_momentum_is_asked_for() -> None:
    module, stage = torch.nn.Linear(2, 1), Stage(epochs=1, learning_rate=0.5)
    optimizer = optimizer_of(module, Fit(batch=4, optimizer="sgd"), stage)
    before = module.weight.detach().clone()
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.allclose(module.weight, before - 0.5)
    assert optimizer_of(module, Fit(batch=4, optimizer="sgd", momentum=0.9), stage).defaults["momentum"] == 0.9
