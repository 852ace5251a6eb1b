import itertools

import numpy as np

from casebook.words import Gradability, Laterality
from inference import phantom
from inference.bundle import SHIPPED, load_bundle
from inference.gradability import judge
from inference.phantom_vessels import OPTIC_DISC
from inference.preprocess import normalise, prepare
from inference.retina import find_circle
from inference.runners.choice import choose


def test_the_same_arguments_draw_the_same_eye_and_another_seed_another_one() -> None:
    first = phantom.draw(7, lesions=phantom.FEW, size=256)
    assert np.array_equal(first, phantom.draw(7, lesions=phantom.FEW, size=256))
    assert not np.array_equal(first, phantom.draw(8, lesions=phantom.FEW, size=256))


def test_the_optic_disc_lies_on_the_viewers_right_in_a_right_eye() -> None:
    right = phantom.draw(3, lesions=phantom.HEALTHY, size=256)
    left = phantom.draw(3, lesions=phantom.HEALTHY, laterality=Laterality.LEFT, size=256)
    assert np.array_equal(left, right[:, ::-1])
    column, row = (int(128 + part * phantom.RETINA * 256) for part in OPTIC_DISC)
    disc = right[row - 10 : row + 10, column - 10 : column + 10]
    opposite = right[row - 10 : row + 10, 246 - column : 266 - column]
    assert disc.mean() > opposite.mean() + 25


def test_outside_the_retina_is_black_and_inside_is_not() -> None:
    picture = phantom.draw(1, lesions=phantom.HEALTHY, size=256)
    y, x = np.mgrid[:256, :256]
    distance = np.hypot(x - 127.5, y - 127.5) / (phantom.RETINA * 256)
    lower_half = y > 128  # the notch is above
    assert picture[(distance > 1.03) & lower_half].max() == 0
    assert picture[distance < 0.95, 0].min() > 30


def test_more_lesions_change_more_of_the_same_eye() -> None:
    healthy, few, many = (
        phantom.draw(5, lesions=lesions, size=512).astype(int)
        for lesions in (phantom.HEALTHY, phantom.FEW, phantom.MANY)
    )
    assert 0 < np.mean(np.abs(few - healthy) > 20) < 0.3 * np.mean(np.abs(many - healthy) > 20)


def test_a_ladder_of_lesions_is_graded_as_one_and_passes_the_gate() -> None:
    bundle = load_bundle(SHIPPED)
    runner = choose(bundle, device="cpu", threads=1).runner
    for seed in (3, 11):
        scores = []
        for lesions in (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.PROLIFERATIVE):
            picture = phantom.draw(seed, lesions=lesions)
            circle = find_circle(picture)
            assert circle is not None
            assert judge(picture, circle).gradability is Gradability.GRADABLE
            tensor = normalise(prepare(picture, circle, bundle.preprocessing), bundle.preprocessing)
            scores.append(runner.run(tensor).score)
        assert scores[0] < 0.4
        assert all(second > first + 0.6 for first, second in itertools.pairwise(scores))
        assert scores[3] > 3.2


def test_spoiled_variants_are_blurred_and_dark() -> None:
    picture = phantom.draw(5, lesions=phantom.FEW, size=256)
    assert phantom.darkened(picture).max() < 25
    steepness = [np.abs(np.diff(p[64:192, 64:192, 1].astype(int))).mean() for p in (picture, phantom.blurred(picture))]
    assert steepness[1] < 0.5 * steepness[0]
