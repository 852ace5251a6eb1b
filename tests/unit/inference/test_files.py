import os
from collections.abc import Iterator
from pathlib import Path

import dicom_objects as objects
import numpy as np
import pydicom.data
import pytest
import simplejpeg
from PIL import Image

from casebook.words import GRADED, Gradability, Reason
from inference import phantom
from inference.child import Child
from inference.files import grade_files, walk


@pytest.fixture(scope="module")
def hostile(stand_in: Path) -> Iterator[Child]:
    child = Child(stand_in, threads=1, module="hostile_child")
    yield child
    child.stop()


def eye(path: Path, lesions: phantom.Lesions = phantom.MANY) -> Path:
    path.write_bytes(simplejpeg.encode_jpeg(phantom.draw(4, lesions=lesions), quality=92))
    return path


def test_folders_are_walked_in_order_and_paths_stay_as_given(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/10.jpg", "a/x/1.jpg", "c.jpg"):
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    given = [f"{tmp_path}/all", f"{tmp_path}/all/../all/c.jpg", "nowhere.jpg"]
    assert list(walk(given)) == [
        f"{tmp_path}/all/c.jpg",
        f"{tmp_path}/all/a/x/1.jpg",
        f"{tmp_path}/all/b/10.jpg",
        f"{tmp_path}/all/b/2.jpg",
        f"{tmp_path}/all/../all/c.jpg",
        "nowhere.jpg",
    ]


def test_every_file_gets_exactly_one_answer_whatever_it_is(child: Child, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    eye(folder / "01 eye.jpg")
    Image.fromarray(phantom.draw(5, lesions=phantom.HEALTHY)).save(folder / "02 eye.png")
    (folder / "03 eye.dcm").write_bytes(objects.written(objects.photograph((folder / "01 eye.jpg").read_bytes())))
    data = (folder / "01 eye.jpg").read_bytes()
    (folder / "04 half.jpg").write_bytes(data[: len(data) // 2])
    (folder / "05 half.dcm").write_bytes((folder / "03 eye.dcm").read_bytes()[: len(data) // 2])
    (folder / "06 nothing").touch()
    (folder / "07 text.jpg").write_text("hello")
    (folder / "08 grey.png").write_bytes(b"")
    Image.new("L", (300, 300), 90).save(folder / "08 grey.png")
    Image.fromarray(phantom.darkened(phantom.draw(4, lesions=phantom.FEW))).save(folder / "09 dark.png")
    os.mkfifo(folder / "10 pipe")
    (folder / "11 link").symlink_to(folder / "gone")
    answers = list(grade_files([folder, "not there"], child))
    assert [Path(answer.path).name for answer in answers] == [
        *sorted(path.name for path in folder.iterdir()),
        "not there",
    ]
    assert [(str(answer.gradability), str(answer.reason or "")) for answer in answers] == [
        ("gradable", ""),
        ("gradable", ""),
        ("gradable", ""),
        ("unreadable", "damaged"),
        ("unreadable", "damaged"),
        ("unreadable", "damaged"),
        ("unreadable", "syntax"),
        ("not_applicable", "one_channel"),
        ("ungradable", "too_dark"),
        ("unreadable", "syntax"),
        ("unreadable", "damaged"),
        ("unreadable", "damaged"),
    ]
    for answer in answers:
        assert (answer.grade is not None) == (answer.gradability in GRADED)
        assert list(answer.as_json()) == ["path", "gradability", "reason", "grade", "score", "confidence"]
    assert answers[0].grade == answers[2].grade


def test_dicom_of_other_kinds_is_answered_and_not_graded(child: Child) -> None:
    """pydicom's own test files: CT, MR, US, RT, waveforms, broken ones, and none of an eye."""
    folder = Path(pydicom.data.__file__).parent / "test_files"
    answers = list(grade_files([folder], child))
    assert len(answers) == sum(path.is_file() for path in folder.rglob("*")) > 30
    assert {answer.gradability for answer in answers} <= {
        Gradability.UNREADABLE, Gradability.NOT_APPLICABLE, Gradability.UNGRADABLE,
    }  # fmt: skip
    assert all(answer.grade is None for answer in answers)
    assert sum(answer.reason is Reason.KIND for answer in answers) > 10


def test_a_file_that_kills_the_child_is_answered_too(hostile: Child, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"abort")
    (tmp_path / "2.jpg").write_bytes(b"grading abort")
    eye(tmp_path / "3.jpg")
    answers = list(grade_files([tmp_path], hostile))
    assert [answer.reason for answer in answers[:2]] == [Reason.GRADING_FAILED, Reason.GRADING_FAILED]
    assert answers[2].gradability is Gradability.GRADABLE


def test_overlays_are_left_in_the_folder_asked_for(child: Child, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        eye(tmp_path / folder / "eye.jpg")
    (tmp_path / "b" / "text.jpg").write_text("hello")
    made = tmp_path / "heat" / "maps"
    answers = list(grade_files([tmp_path / "a", tmp_path / "b"], child, made))
    assert len(answers) == 3
    assert sorted(path.name for path in made.iterdir()) == ["0001-eye.jpg", "0002-eye.jpg"]
    assert simplejpeg.decode_jpeg((made / "0001-eye.jpg").read_bytes()).shape == (1024, 1024, 3)


@pytest.mark.photographs
def test_issue_8_only_photographs_of_a_retina_are_graded(child: Child, photographs: Path) -> None:
    answers = list(grade_files([photographs / "negatives"], child))
    assert len(answers) == 102
    graded = [answer.path for answer in answers if answer.gradability in GRADED]
    assert graded == []


@pytest.mark.photographs
def test_issue_8_real_photographs_of_hospital_size_are_graded(child: Child, photographs: Path) -> None:
    answers = list(grade_files(sorted((photographs / "highres").glob("*.jpg")), child))
    assert len(answers) == 18
    assert sum(answer.gradability in GRADED for answer in answers) >= 17
    assert np.isfinite([answer.score for answer in answers if answer.score is not None]).all()
