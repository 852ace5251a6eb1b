"""The same key draws the same photographs and the same pixels; what is evaluated is what the service sees."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from casebook.errors import BadInput
from casebook.words import Laterality
from inference import phantom
from inference.phantom_dicom import ophthalmic_photograph, synthetic_uid
from inference.preprocess import cut, normalise, prepare
from inference.reader import frames
from inference.retina import find_circle
from training.photographs.augment import CACHE_MARGIN, augmented
from training.photographs.dataset import Crops, decode, draw
from training.photographs.left_out import LeftOut, tell
from training.photographs.sources import Photograph, read_labels
from training.recipe import Augment, Recipe

STILL = Augment(
    scale=0, shift=0, aspect=0, cut=(0, 0), brightness=0, tint=0, gamma=0, saturation=0, blur=(0, 1), jpeg=(0, 50)
)


def many(count: int) -> list[Photograph]:
    grades = [0] * (count * 8 // 10) + [2] * (count // 10) + [4] * (count // 10)
    return [
        Photograph(Path(f"{source}{number}"), source, f"{source}{number}", "", grade, "train")
        for source in ("aptos2019", "idrid")
        for number, grade in enumerate(grades)
    ]


def test_performance_P18_plain_crops_are_what_the_service_sees(eyes: Path, recipe: Recipe) -> None:
    photographs = read_labels(eyes)[:3]
    crops = Crops(photographs, recipe.preprocessing, fitting=False)
    for number, photograph in enumerate(photographs):
        picture = decode(photograph.path)
        circle = find_circle(picture)
        assert circle is not None
        seen = normalise(prepare(picture, circle, recipe.preprocessing), recipe.preprocessing)
        assert np.array_equal(crops.plain(np.array([number])), seen)


def test_the_same_key_gives_the_same_pixels_and_another_gives_others(eyes: Path, recipe: Recipe) -> None:
    crops = Crops(read_labels(eyes)[:4], recipe.preprocessing, fitting=True)
    positions = np.array([0, 1, 2, 3])
    once = crops.varied(positions, positions, recipe.augment, (1, 2))
    assert np.array_equal(once, crops.varied(positions, positions, recipe.augment, (1, 2)))
    assert not np.array_equal(once, crops.varied(positions, positions, recipe.augment, (1, 3)))
    # The key names the draw, so that the size of a batch changes nothing.
    assert np.array_equal(once[2:], crops.varied(positions[2:], positions[2:], recipe.augment, (1, 2)))


def test_augmentation_without_changes_only_turns_and_mirrors(eyes: Path, recipe: Recipe) -> None:
    picture = decode(eyes / "0.jpg")
    circle = find_circle(picture)
    assert circle is not None
    preprocessing = replace(recipe.preprocessing, size=96)
    cached = cut(picture, circle, round(96 * CACHE_MARGIN), CACHE_MARGIN)
    plain = prepare(picture, circle, preprocessing)
    for seed in range(6):
        crop = augmented(cached, preprocessing, STILL, np.random.default_rng(seed))
        assert crop.shape == plain.shape
        assert np.abs(crop.mean(axis=(0, 1)) - plain.mean(axis=(0, 1))).max() < 1.5


@pytest.mark.parametrize("seed", range(8))
def test_every_variation_wears_the_same_mask(eyes: Path, recipe: Recipe, seed: int) -> None:
    crops = Crops(read_labels(eyes)[:1], recipe.preprocessing, fitting=True)
    varied = crops.varied(np.array([0]), np.array([0]), recipe.augment, (seed, 0))[0]
    steps = np.arange(64) - 31.5
    beyond = np.hypot(steps[:, None], steps[None, :]) > 32
    assert np.allclose(varied[:, beyond], -127 / 128)


def test_rare_grades_and_heavy_sources_are_drawn_more_often_but_none_ever_and_ever() -> None:
    photographs = many(100)
    drawn = draw(photographs, {"aptos2019": 1.0, "idrid": 3.0}, 0.5, 400, (1, 0))
    counts = Counter(drawn.tolist())
    by_source = Counter(photographs[position].source for position in drawn)
    assert by_source["idrid"] == pytest.approx(300, abs=8)
    grades = Counter(photographs[position].grade for position in drawn)
    assert 0.3 < grades[4] / grades[0] < 0.4  # the root of 10 : 80
    assert max(counts.values()) <= 9
    plain = Counter(draw(photographs, {}, 0.0, 200, (1, 0)).tolist())
    assert set(plain.values()) == {1}


def test_an_epoch_has_an_order_of_its_own() -> None:
    photographs = many(50)
    assert np.array_equal(draw(photographs, {}, 0.5, 60, (1, 4)), draw(photographs, {}, 0.5, 60, (1, 4)))
    assert not np.array_equal(draw(photographs, {}, 0.5, 60, (1, 4)), draw(photographs, {}, 0.5, 60, (1, 5)))


def test_a_photograph_without_a_retina_is_left_out(eyes: Path, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes((eyes / "0.jpg").read_bytes())
    (tmp_path / "black.jpg").write_bytes(simplejpeg.encode_jpeg(np.zeros((80, 80, 3), np.uint8), colorspace="RGB"))
    photographs = [Photograph(tmp_path / name, "idrid", name, "", 0, "train") for name in ("black.jpg", "0.jpg")]
    crops = Crops(photographs, recipe.preprocessing, fitting=False)
    assert [photograph.path.name for photograph in crops.photographs] == ["0.jpg"]
    assert crops.left_out == [LeftOut(photographs[0], "It shows no retina.")]


def test_performance_P18_every_kind_of_file_is_decoded_as_the_service_does(tmp_path: Path) -> None:
    picture = phantom.draw(7, lesions=phantom.MANY, size=160)
    jpeg = simplejpeg.encode_jpeg(picture, quality=90, colorspace="RGB", colorsubsampling="420")
    (tmp_path / "eye.jpg").write_bytes(jpeg)
    cv2.imwrite(str(tmp_path / "eye.png"), picture[..., ::-1])
    for name, content in (("native", picture), ("jpeg", jpeg)):
        ophthalmic_photograph(
            content,
            laterality=Laterality.RIGHT,
            study_uid=synthetic_uid("study"),
            series_uid=synthetic_uid("series"),
            sop_uid=synthetic_uid(name),
        ).save_as(tmp_path / name, enforce_file_format=True)
    lossy = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    for name, expected in (("eye.jpg", lossy), ("jpeg", lossy), ("eye.png", picture), ("native", picture)):
        assert np.array_equal(decode(tmp_path / name), expected), name


def test_performance_P18_a_picture_of_hospital_size_comes_reduced_as_in_the_service(tmp_path: Path) -> None:
    picture = cv2.resize(phantom.draw(7, lesions=phantom.FEW, size=400), (3300, 3300))
    (tmp_path / "large.jpg").write_bytes(simplejpeg.encode_jpeg(picture, quality=90, colorspace="RGB"))
    decoded = decode(tmp_path / "large.jpg")
    assert decoded.shape == (1650, 1650, 3)
    assert np.array_equal(decoded, next(frames(tmp_path / "large.jpg")).picture)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "bad.jpg cannot be used: The file is empty."),
        (b"no picture", "bad.jpg cannot be used: The file is neither DICOM nor JPEG nor PNG."),
        (None, "bad.jpg cannot be used: It cannot be opened."),
    ],
)
def test_what_cannot_be_decoded_is_named_in_one_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(BadInput) as bad:
        decode(tmp_path / "bad.jpg")
    assert str(bad.value) == sentence


def some(eyes: Path, folder: Path, good: int, cut: int) -> list[Photograph]:
    """Return good photographs, and others whose file ends in the middle."""
    photographs = [Photograph(eyes / "0.jpg", "idrid", f"g{number}", "", 0, "train") for number in range(good)]
    for number in range(cut):
        path = folder / f"cut{number}.jpg"
        path.write_bytes((eyes / "0.jpg").read_bytes()[:2000])
        photographs.insert(0, Photograph(path, "idrid", path.name, "", 0, "train"))
    return photographs


def test_one_corrupt_picture_of_many_is_named_and_left_out(
    eyes: Path, recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photographs = some(eyes, tmp_path, good=8, cut=1)
    crops = Crops(photographs, recipe.preprocessing, fitting=True)
    assert crops.photographs == photographs[1:]
    reason = "The JPEG ends before its end marker."
    assert crops.left_out == [LeftOut(photographs[0], reason)]
    assert caplog.messages == [f"cut0.jpg is left out. {reason}"]


def test_many_corrupt_pictures_stop_the_run(eyes: Path, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"2 of 10 photographs cannot be read, cut1.jpg for one"):
        Crops(some(eyes, tmp_path, good=8, cut=2), recipe.preprocessing, fitting=False)
    assert len(Crops(some(eyes, tmp_path, good=98, cut=2), recipe.preprocessing, fitting=False)) == 98
    with pytest.raises(BadInput, match="No photograph can be used"):
        Crops(some(eyes, tmp_path, good=0, cut=1), recipe.preprocessing, fitting=False)
    assert len(Crops([], recipe.preprocessing, fitting=False)) == 0


def test_of_many_left_out_only_the_first_are_named(caplog: pytest.LogCaptureFixture) -> None:
    left_out = [LeftOut(photograph, "It shows no retina.") for photograph in many(50)]
    tell(left_out)
    assert caplog.messages[0] == "aptos20190 is left out. It shows no retina."
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == f"{len(left_out) - 10} more are left out."
