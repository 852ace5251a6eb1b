"""The retina is found to a fraction of a pixel, in every form in which cameras show it, and nowhere else."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import phantom
from inference.retina import Circle, Picture, find_circle

SIDE = 640
RADIUS = phantom.RETINA * SIDE
MIDDLE = SIDE / 2 - 0.5


@pytest.fixture(scope="module")
def eye() -> Picture:
    return phantom.draw(3, lesions=phantom.FEW, size=SIDE)


def reduced(picture: Picture, factor: float) -> Picture:
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def found(picture: Picture) -> Circle:
    circle = find_circle(picture)
    assert circle is not None
    return circle


def decoded(path: Path) -> Picture:
    return np.asarray(simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB"), dtype=np.uint8)


def test_performance_P15_centre_and_radius_are_right_to_a_fraction_of_a_pixel(eye: Picture) -> None:
    circle = found(eye)
    assert abs(circle.x - MIDDLE) < 0.5
    assert abs(circle.y - MIDDLE) < 0.5
    assert abs(circle.radius - RADIUS) < 0.006 * RADIUS
    assert circle.aspect == 1


@pytest.mark.parametrize("factor", [0.75, 0.5, 0.25])
def test_performance_P15_a_reduced_copy_gives_the_same_circle_in_full_size_coordinates(
    eye: Picture, factor: float
) -> None:
    full, small = found(eye), found(reduced(eye, factor)).scaled(1 / factor)
    assert np.allclose((full.x, full.y), (small.x, small.y), atol=0.8)
    assert full.radius == pytest.approx(small.radius, rel=0.01)


@pytest.mark.parametrize(("top", "bottom"), [(0.12, 0.12), (0.0, 0.2), (0.15, 0.0)])
def test_a_disc_cut_above_or_below_keeps_its_circle(eye: Picture, top: float, bottom: float) -> None:
    cut = np.ascontiguousarray(eye[round(top * SIDE) : SIDE - round(bottom * SIDE)])
    circle = found(cut)
    assert abs(circle.y - (MIDDLE - round(top * SIDE))) < 2
    assert circle.radius == pytest.approx(RADIUS, rel=0.012)


def test_a_disc_cut_by_black_bars_keeps_its_circle(eye: Picture) -> None:
    barred = eye.copy()
    barred[: SIDE // 6] = 0
    barred[-SIDE // 6 :] = 0
    assert found(barred).radius == pytest.approx(RADIUS, rel=0.012)


def test_a_disc_that_overfills_the_frame_is_found_by_its_corners(eye: Picture) -> None:
    edge = round(0.11 * SIDE)
    circle = found(np.ascontiguousarray(eye[edge:-edge, edge:-edge]))
    assert circle.radius == pytest.approx(RADIUS, rel=0.04)
    assert abs(circle.x - (MIDDLE - edge)) < 0.03 * RADIUS


@pytest.mark.parametrize("light", [0.5, 0.2, 0.1])
def test_a_dark_photograph_keeps_its_circle(eye: Picture, light: float) -> None:
    assert found(phantom.darkened(eye, light=light)).radius == pytest.approx(RADIUS, rel=0.02)


def test_a_grey_photograph_keeps_its_circle(eye: Picture) -> None:
    grey = np.repeat(cv2.cvtColor(eye, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    assert found(np.asarray(grey, dtype=np.uint8)).radius == pytest.approx(RADIUS, rel=0.012)


def test_a_photograph_squeezed_to_a_square_tells_by_how_much(eye: Picture) -> None:
    wide = np.zeros((SIDE, SIDE * 4 // 3, 3), dtype=np.uint8)
    wide[:, SIDE // 6 : SIDE // 6 + SIDE] = eye
    squeezed = np.asarray(cv2.resize(wide, (300, 300), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    circle = found(squeezed)
    assert circle.aspect == pytest.approx(4 / 3, rel=0.01)
    assert circle.half_height == pytest.approx(RADIUS * 300 / SIDE, rel=0.012)


@pytest.mark.parametrize("filling", [0, 128])
def test_half_a_photograph_still_shows_where_the_whole_disc_would_be(eye: Picture, filling: int) -> None:
    half = eye.copy()
    half[SIDE // 2 :] = filling
    circle = found(half)
    assert circle.radius == pytest.approx(RADIUS, rel=0.02)


def nothing() -> Iterator[Picture]:
    yield np.zeros((200, 300, 3), dtype=np.uint8)
    yield np.full((200, 300, 3), 255, dtype=np.uint8)
    yield np.full((200, 300, 3), (160, 60, 20), dtype=np.uint8)
    yield np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    page = np.full((300, 200, 3), 250, dtype=np.uint8)
    page[40:260:20, 30:170] = 20
    yield page
    square = np.zeros((300, 300, 3), dtype=np.uint8)
    square[60:240, 60:240] = 200
    yield square
    yield np.full((8, 8, 3), 90, dtype=np.uint8)


@pytest.mark.parametrize("picture", list(nothing()), ids=["black", "white", "red", "noise", "page", "square", "speck"])
def test_what_is_no_disc_gives_no_circle(picture: Picture) -> None:
    assert find_circle(picture) is None


@settings(max_examples=60)
@given(st.floats(-50, 4000), st.floats(-50, 4000), st.floats(1, 3000), st.floats(0.05, 20), st.floats(0.05, 20))
def test_scaling_there_and_back_is_nothing(x: float, y: float, radius: float, across: float, down: float) -> None:
    circle = Circle(x, y, radius, 1.2)
    back = circle.scaled(across, down).scaled(1 / across, 1 / down)
    assert (back.x, back.y, back.radius, back.aspect) == pytest.approx((x, y, radius, 1.2), rel=1e-6, abs=1e-6)


@pytest.mark.photographs
def test_every_tenth_real_photograph_has_a_circle_and_natural_ones_are_round(photographs: Path) -> None:
    with (photographs / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::10]
    missing, squeezed = [], []
    for row in rows:
        circle = find_circle(decoded(photographs / row["path"]))
        if circle is None:
            missing.append(row["path"])
        elif circle.aspect != 1 and row["source"] != "aptos2019":
            squeezed.append(row["path"])
    assert len(missing) <= 1, missing
    assert not squeezed


@pytest.mark.photographs
def test_small_and_hospital_size_of_one_photograph_have_one_circle(photographs: Path) -> None:
    for large in sorted((photographs / "highres").glob("idrid_*.jpg")):
        small = decoded(photographs / "idrid" / large.name.removeprefix("idrid_"))
        picture = decoded(large)
        there = found(picture).scaled(small.shape[1] / picture.shape[1])
        here = found(small)
        assert np.allclose((there.x, there.y, there.radius), (here.x, here.y, here.radius), atol=0.6)
