"""The quick average of 2 by 2 pixels: exact to rounding, and odd sides lose nothing."""

import numpy as np
import pytest

from inference.halving import halved
from inference.preprocess import Preprocessing, cut, normalise
from inference.retina import Circle


@pytest.mark.parametrize("size", [(8, 12), (7, 12), (8, 11), (7, 11)])
def test_pixels_are_the_means_of_four(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    height, width = size
    padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.float64)
    blocks = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved(picture) - blocks).max() <= 0.5


def test_performance_P16_a_large_reduction_averages_areas_and_keeps_the_place() -> None:
    # A ramp stays a ramp: every pixel of the cut has the brightness of the place it covers.
    side, size = 2001, 200
    ramp = np.tile(np.linspace(0, 250, side), (side, 1))
    picture = np.repeat(np.round(ramp)[..., None], 3, axis=2).astype(np.uint8)
    circle = Circle(990.3, 1003.8, 900.0)
    crop = cut(picture, circle, size, 1.0)
    columns = circle.x + (np.arange(size) - (size - 1) / 2) * 2 * circle.radius / size
    expected = columns * 250 / (side - 1)
    assert np.abs(crop[5:-5, 5:-5, 0] - expected[None, 5:-5]).max() < 1.5


def test_normalised_values_are_those_of_the_formula_to_the_last_bit() -> None:
    crop = np.arange(256 * 3, dtype=np.int64).reshape(16, 16, 3).astype(np.uint8)
    preprocessing = Preprocessing(16, mean=(123.675, 116.28, 103.53), scale=(58.395, 57.12, 57.375))
    mean, scale = np.asarray(preprocessing.mean, np.float32), np.asarray(preprocessing.scale, np.float32)
    expected = ((crop.astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None]
    tensor = normalise(crop, preprocessing)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, expected)
