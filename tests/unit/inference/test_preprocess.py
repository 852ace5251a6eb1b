"""The network sees the same retina whatever the camera's size and shape; there is one way from photograph to input."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from inference import phantom
from inference.preprocess import BenGraham, Preprocessing, cut, masked, normalise, prepare
from inference.retina import Circle, Picture, find_circle

SIDE = 640
CARD = {
    "size": 128,
    "margin": 1.0,
    "mask": 0.98,
    "ben_graham": None,
    "mean": [127, 127, 127],
    "scale": [128, 128, 128],
}


@pytest.fixture(scope="module")
def eye() -> Picture:
    return phantom.draw(5, lesions=phantom.MANY, size=SIDE)


def ready(picture: Picture, preprocessing: Preprocessing) -> Picture:
    circle = find_circle(picture)
    assert circle is not None
    return prepare(picture, circle, preprocessing)


def difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_the_retina_fills_the_input_and_the_rest_is_black(eye: Picture) -> None:
    crop = ready(eye, Preprocessing(128))
    steps = np.arange(128) - 63.5
    distance = np.hypot(steps[:, None], steps[None, :]) / 64
    assert crop.shape == (128, 128, 3)
    assert crop.dtype == np.uint8
    assert not crop[distance > 1.0].any()
    assert (crop[distance < 0.95].max(axis=1) > 60).mean() > 0.97


@pytest.mark.parametrize("factor", [0.75, 0.5, 0.3])
def test_performance_P16_small_and_large_forms_give_one_input(eye: Picture, factor: float) -> None:
    small = cv2.resize(eye, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert difference(ready(eye, Preprocessing(128)), ready(np.asarray(small, np.uint8), Preprocessing(128))) < 1.5


def test_performance_P16_fine_patterns_do_not_alias() -> None:
    """Stripes of one pixel become grey; a plain bilinear warp at 1:5 makes coarse stripes of them."""
    stripes = np.zeros((640, 640, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    crop = cut(stripes, Circle(319.5, 319.5, 300), 120, 1.0)
    assert crop[20:100, 20:100].std() < 6


def test_performance_P15_the_cut_moves_by_fractions_of_a_pixel() -> None:
    ramp = np.repeat(np.tile(np.arange(200, dtype=np.uint8), (200, 1))[..., None], 3, axis=2)
    one, other = (cut(ramp, Circle(100 + shift, 100, 40), 80, 1.0).astype(float) for shift in (0.0, 0.5))
    assert float((other - one)[10:-10, 10:-10].mean()) == pytest.approx(0.5, abs=0.1)


def test_a_squeezed_photograph_is_made_round_again(eye: Picture) -> None:
    wide = np.zeros((SIDE, SIDE * 4 // 3, 3), dtype=np.uint8)
    wide[:, SIDE // 6 : SIDE // 6 + SIDE] = eye
    squeezed = np.asarray(cv2.resize(wide, (400, 400), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    assert difference(ready(eye, Preprocessing(128)), ready(squeezed, Preprocessing(128))) < 3


def test_what_lies_beyond_the_frame_is_black(eye: Picture) -> None:
    crop = cut(eye, Circle(0, 320, 300), 100, 1.0)
    assert not crop[:, :49].any()
    assert crop[:, 52:].any()


def test_a_wider_margin_shows_more_than_the_retina(eye: Picture) -> None:
    circle = Circle(319.5, 319.5, phantom.RETINA * SIDE)
    crop = prepare(eye, circle, Preprocessing(132, margin=1.1, mask=None))
    assert not crop[:4].any()
    assert crop[66, 9].any()


def test_performance_P17_the_filter_turns_flat_into_grey_and_scales_with_the_input(eye: Picture) -> None:
    flat = np.full((200, 200, 3), 90, dtype=np.uint8)
    filtered = prepare(flat, Circle(99.5, 99.5, 60), Preprocessing(96, mask=None, ben_graham=BenGraham()))
    assert np.abs(filtered.astype(int) - 128).max() <= 1
    small, large = (ready(eye, Preprocessing(size, ben_graham=BenGraham())) for size in (128, 256))
    shrunk = np.asarray(cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    assert difference(small, shrunk) < 6


def test_the_mask_is_a_disc_with_a_soft_rim() -> None:
    crop = masked(np.full((100, 100, 3), 200, dtype=np.uint8), 0.8)
    row = crop[50, :, 0].astype(int)
    assert row[50] == 200
    assert row[5] == 0
    assert sum(0 < value < 200 for value in row) in {0, 1, 2}


def test_normalising_orders_planes_first_and_centres_values() -> None:
    crop = np.zeros((4, 4, 3), dtype=np.uint8)
    crop[..., 0], crop[..., 2] = 127, 255
    tensor = normalise(crop, Preprocessing(4))
    assert tensor.shape == (1, 3, 4, 4)
    assert tensor.dtype == np.float32
    assert np.allclose(tensor[0, :, 0, 0], [0, -127 / 128, 1])


def test_a_card_is_read_strictly() -> None:
    assert Preprocessing.from_card(CARD) == Preprocessing(128)
    with_filter = Preprocessing.from_card(CARD | {"ben_graham": {"sigma": 0.05, "gain": 4.0}})
    assert with_filter.ben_graham == BenGraham(0.05, 4.0)
    with pytest.raises(TypeError):
        Preprocessing.from_card(CARD | {"contrast": 2})
    with pytest.raises(KeyError):
        Preprocessing.from_card({key: value for key, value in CARD.items() if key != "mean"})


@pytest.mark.photographs
def test_performance_P16_hospital_size_and_small_form_of_a_real_photograph_agree(photographs: Path) -> None:
    for large in sorted((photographs / "highres").glob("idrid_*.jpg"))[:4]:
        pictures = [
            np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB"), dtype=np.uint8)
            for path in (large, photographs / "idrid" / large.name.removeprefix("idrid_"))
        ]
        assert difference(*(ready(picture, Preprocessing(256)) for picture in pictures)) < 1.5
