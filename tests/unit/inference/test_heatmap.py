import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from inference import heatmap, preprocess
from inference.preprocess import Preprocessing
from inference.retina import Circle

PREPROCESSING = Preprocessing(size=288)


def peak(heat: np.ndarray) -> tuple[float, float]:
    """Return the centre of gravity (x, y) of what is more than half as strong as the peak."""
    y, x = np.nonzero(heat > heat.max() / 2)
    return float(x.mean()), float(y.mean())


@pytest.mark.parametrize(
    "circle", [Circle(300.0, 250.0, 220.0), Circle(411.3, 290.7, 201.9), Circle(300.0, 250.0, 220.0, aspect=0.8)]
)
@pytest.mark.parametrize("margin", [1.0, 1.1])
@pytest.mark.parametrize("cell", [(4, 4), (2, 5), (6, 3)])
def test_heat_lies_where_the_crop_was_taken(circle: Circle, margin: float, cell: tuple[int, int]) -> None:
    """A mark in the photograph, seen in the crop, must lie under the heat of the crop's place."""
    preprocessing = Preprocessing(size=288, margin=margin, mask=None)
    grid = np.zeros((9, 9), np.float32)
    grid[cell] = 4.0
    heat = heatmap.strength(grid, circle, (520, 760), preprocessing)
    x, y = peak(heat)
    mark = np.zeros((520, 760, 3), np.uint8)
    rows, columns = np.mgrid[:520, :760]
    mark[np.hypot(columns - x, rows - y) < 6] = 255
    crop = preprocess.prepare(mark, circle, preprocessing)
    at_y, at_x = (place.mean() for place in np.nonzero(crop[..., 0] > 127))
    assert at_x == pytest.approx((cell[1] + 0.5) * 32 - 0.5, abs=0.75)
    assert at_y == pytest.approx((cell[0] + 0.5) * 32 - 0.5, abs=0.75)


def test_nothing_outside_the_retina() -> None:
    circle = Circle(300.0, 250.0, 220.0)
    heat = heatmap.strength(np.full((9, 9), 4.0, np.float32), circle, (520, 760), PREPROCESSING)
    rows, columns = np.mgrid[:520, :760]
    distance = np.hypot(columns - 300, rows - 250)
    assert heat[distance > 220.5].max() == 0
    assert heat[distance < 215].min() == pytest.approx(1, abs=1e-4)


def test_a_healthy_eye_stays_clear_and_a_strong_place_is_not_stretched() -> None:
    circle = Circle(300.0, 250.0, 220.0)
    weak = heatmap.strength(np.full((9, 9), 0.2, np.float32), circle, (520, 760), PREPROCESSING)
    assert weak.max() == pytest.approx(0.05, abs=1e-3)
    negative = heatmap.strength(np.full((9, 9), -3.0, np.float32), circle, (520, 760), PREPROCESSING)
    assert negative.max() == 0
    grid = np.zeros((9, 9), np.float32)
    grid[4, 4] = 40.0
    assert 0.9 < heatmap.strength(grid, circle, (520, 760), PREPROCESSING).max() <= 1


def test_ux_U10_the_layer_has_one_hue_and_alpha_is_strength() -> None:
    heat = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    layer = np.asarray(Image.open(io.BytesIO(heatmap.layer(heat))))
    assert layer.shape == (16, 16, 4)
    assert (layer[..., :3] == (0x00, 0xC8, 0xFF)).all()
    assert np.array_equal(layer[..., 3], np.round(heat * 255))


def test_the_overlay_is_a_baseline_jpeg_that_changes_only_what_is_hot() -> None:
    photograph = np.full((64, 96, 3), (180, 90, 40), np.uint8)
    heat = np.zeros((64, 96), np.float32)
    heat[:, 48:] = 1
    data = heatmap.overlay(photograph, heat)
    assert b"\xff\xc0" in data
    assert simplejpeg.decode_jpeg_header(data)[2:] == ("YCbCr", "420")
    drawn = simplejpeg.decode_jpeg(data).astype(int)
    assert np.abs(drawn[:, :40] - photograph[:, :40]).max() <= 4
    expected = (photograph[0, 0] + np.array(heatmap.CYAN)) / 2
    assert np.abs(drawn[:, 56:] - expected).max() <= 4
