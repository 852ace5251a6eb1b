"""What looks the same stays together, copies are told from second photographs, and other eyes are left alone."""

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from casebook.words import Laterality
from inference import phantom
from training.photographs.duplicates import apart, likeness, structure
from training.photographs.photograph import Photograph

Write = Callable[..., Photograph]
SIDE = 224


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give what writes a picture and returns its photograph, whose patient nobody knows."""

    def put(
        name: str, picture: phantom.Picture, *, grade: int = 0, source: str = "clinic", quality: int = 90
    ) -> Photograph:
        path = tmp_path / name
        path.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality=quality, colorspace="RGB"))
        return Photograph(path, source, "", "", grade, "")

    return put


def eye(seed: int, laterality: Laterality = Laterality.RIGHT) -> phantom.Picture:
    return phantom.draw(seed, lesions=phantom.MANY, laterality=laterality, size=SIDE)


def photographed_again(picture: phantom.Picture, across: int, down: int, gain: float) -> phantom.Picture:
    """Move the eye behind the disc of the camera, and light it otherwise."""
    moved = np.roll(picture, (down, across), (0, 1))
    steps = np.arange(SIDE) - (SIDE - 1) / 2
    disc = np.hypot(steps[:, None], steps[None]) < (phantom.RETINA - 0.02) * SIDE
    moved = np.where(moved.max(axis=2, keepdims=True) < 12, picture.max(axis=(0, 1)) // 3, moved)
    return np.clip(moved * disc[..., None] * gain, 0, 255).astype(np.uint8)


def test_other_eyes_are_nobody_s_copies(write: Write) -> None:
    photographs = [write(f"{seed}.jpg", eye(seed)) for seed in range(12)]
    kept, left_out = apart(photographs)
    assert left_out == []
    assert [photograph.patient for photograph in kept] == [f"clinic-{seed}.jpg" for seed in range(12)]


@pytest.mark.parametrize(("across", "down", "gain"), [(10, 0, 0.8), (-8, 12, 1.1), (0, -14, 0.6)])
def test_an_eye_photographed_twice_is_one_patient(write: Write, across: int, down: int, gain: float) -> None:
    photographs = [write(f"{seed}.jpg", eye(seed)) for seed in range(4)]
    photographs.append(write("2 again.jpg", photographed_again(eye(2), across, down, gain), grade=3))
    kept, left_out = apart(photographs)
    assert left_out == []
    patients = [photograph.patient for photograph in kept]
    assert patients[4] == patients[2]
    assert len(set(patients)) == 4


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_picture_stored_twice_with_one_grade_is_kept_once(write: Write, quality: int) -> None:
    photographs = [write("a.jpg", eye(1)), write("b.jpg", eye(2)), write("c.jpg", eye(1), quality=quality)]
    kept, left_out = apart(photographs)
    assert [photograph.path.name for photograph in kept] == ["a.jpg", "b.jpg"]
    assert [(out.photograph.path.name, out.reason) for out in left_out] == [("c.jpg", "It is a copy of a.jpg.")]


def test_a_picture_stored_smaller_is_a_copy(write: Write) -> None:
    small = np.asarray(cv2.resize(eye(1), (150, 150), interpolation=cv2.INTER_AREA), np.uint8)
    kept, left_out = apart([write("a.jpg", eye(1)), write("b.jpg", small)])
    assert (len(kept), len(left_out)) == (1, 1)


def test_a_picture_stored_twice_with_two_grades_is_not_kept(write: Write) -> None:
    photographs = [write("a.jpg", eye(1), grade=1), write("b.jpg", eye(2)), write("c.jpg", eye(1), grade=2)]
    kept, left_out = apart(photographs)
    assert [photograph.path.name for photograph in kept] == ["b.jpg"]
    assert {out.reason for out in left_out} == {"Copies have several grades: a.jpg grade 1, c.jpg grade 2."}


def test_only_what_has_no_patient_is_looked_at_and_each_source_for_itself(write: Write) -> None:
    known = Photograph(write("known.jpg", eye(1)).path, "clinic", "p1", "", 0, "")
    photographs = [known, write("a.jpg", eye(1)), write("b.jpg", eye(1), source="other")]
    kept, left_out = apart(photographs)
    assert left_out == []
    assert [photograph.patient for photograph in kept] == ["p1", "clinic-a.jpg", "other-b.jpg"]


def test_what_cannot_be_read_or_shows_nothing_is_like_nothing(write: Write, tmp_path: Path) -> None:
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    photographs = [write("a.jpg", black), write("b.jpg", black), write("c.jpg", eye(1))]
    photographs[2].path.write_bytes(b"no picture")
    kept, left_out = apart(photographs)
    assert left_out == []
    assert len({photograph.patient for photograph in kept}) == 3
    assert likeness(structure(black), structure(black)) == 0


def test_names_tell_files_of_one_name_in_two_folders_apart(write: Write, tmp_path: Path) -> None:
    for grade in ("0", "1"):
        (tmp_path / grade).mkdir()
    kept, _ = apart([write("0/a.jpg", eye(1)), write("1/a.jpg", eye(2))])
    assert [photograph.patient for photograph in kept] == ["clinic-0/a.jpg", "clinic-1/a.jpg"]


def test_names_stay_when_the_folder_moves(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    first, second = write("here/a.jpg", eye(1)), write("here/b.jpg", eye(2))
    moved = [replace(one, path=one.path.rename(tmp_path / "there" / one.path.name)) for one in (first, second)]
    assert [photograph.patient for photograph in apart(moved)[0]] == ["clinic-a.jpg", "clinic-b.jpg"]
    monkeypatch.chdir(tmp_path)
    mixed = [replace(moved[0], path=Path("there/a.jpg")), moved[1]]
    assert [photograph.patient for photograph in apart(mixed)[0]] == ["clinic-a.jpg", "clinic-b.jpg"]


def test_spectra_propose_what_looking_at_every_pair_would_find(write: Write) -> None:
    photographs = [write(f"{seed}.jpg", eye(seed)) for seed in range(70)]
    photographs.append(write("again.jpg", photographed_again(eye(33), -8, 12, 0.9)))
    photographs.append(write("copy.jpg", eye(50), quality=80))
    kept, left_out = apart(photographs)
    assert [out.photograph.path.name for out in left_out] == ["copy.jpg"]
    shared = [photograph.path.name for photograph in kept if photograph.patient == kept[33].patient]
    assert shared == ["33.jpg", "again.jpg"]


@pytest.mark.photographs
def test_near_duplicates_of_aptos_are_found(photographs: Path, tmp_path: Path) -> None:
    with (photographs / "labels.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["source"] == "aptos2019"]
    groups = defaultdict(list)
    for line in lines:
        groups[line["patient"]].append(line)
    # Eyes photographed twice, as looked at; some other groups of the labels hold look-alikes of several eyes.
    twice = ["22325552a4e3", "2fdfb80ea53c", "47d1603a555b", "4f0866b90c27", "51269b77d312", "5bda2ed09e62",
             "a5a2a7003d60", "b0d6417bad3e", "b98f77098b9d"]  # fmt: skip
    chosen = [line for name in twice for line in groups[f"aptos-{name}"]]
    single = [theirs[0] for theirs in groups.values() if len(theirs) == 1][:140:2]
    some = [
        Photograph(photographs / line["path"], "aptos2019", "", "", int(line["grade"]), "") for line in chosen + single
    ]
    for photograph in some[20:24]:
        picture = simplejpeg.decode_jpeg(photograph.path.read_bytes(), colorspace="RGB")
        path = tmp_path / photograph.path.name
        path.write_bytes(simplejpeg.encode_jpeg(picture, quality=75, colorspace="RGB"))
        some.append(Photograph(path, "aptos2019", "", "", photograph.grade, ""))
    kept, left_out = apart(some)
    assert [out.photograph.path for out in left_out] == [photograph.path for photograph in some[-4:]]
    found = defaultdict(set)
    for photograph in kept:
        found[photograph.patient].add(photograph.path.stem)
    expected = [{Path(line["path"]).stem for line in groups[f"aptos-{name}"]} for name in twice]
    expected.append({"06b71823f9cd", "0981195eb9fb"})  # one eye, though the labels do not know it
    assert sorted(map(sorted, (names for names in found.values() if len(names) > 1))) == sorted(map(sorted, expected))
