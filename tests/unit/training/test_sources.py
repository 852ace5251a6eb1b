"""All folders together: no photograph twice, no patient on two sides, copies left out and said."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import simplejpeg

from casebook.errors import BadInput
from inference import phantom
from training.photographs.sources import read_labels, read_sources

HEAD = "path,source,patient,grade,split\n"


@pytest.fixture
def eye(tmp_path: Path) -> Callable[..., str]:
    """Give what draws a synthetic eye and returns its name."""

    def draw(name: str, seed: int, quality: int = 90) -> str:
        picture = phantom.draw(seed, lesions=phantom.MANY, size=192)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(simplejpeg.encode_jpeg(picture, quality=quality, colorspace="RGB"))
        return name

    return draw


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,source\na,b\n", "labels.csv lacks the column grade"),
        (HEAD + "a.jpg,b,c,5,train\n", "labels.csv is wrong in line 2: the grade is 5"),
        (HEAD + "a.jpg,b,c,x,train\n", "labels.csv is wrong in line 2: the grade is x"),
        (HEAD + "a.jpg,b,c,,train\n", "labels.csv is wrong in line 2: the grade is empty"),
        (HEAD + "a.jpg,b,c,1,test\n", "labels.csv is wrong in line 2: split is test"),
        (HEAD + "a.jpg,b,,1,train\n", "labels.csv is wrong in line 2: patient is empty"),
        (HEAD + "a.jpg,,c,1,train\n", "labels.csv is wrong in line 2: source is empty"),
        (HEAD + ",b,c,1,train\n", "labels.csv is wrong in line 2: path is empty"),
        (HEAD + "\na.jpg,b,c,1\n", "labels.csv is wrong in line 3: it has 4 cells, the heading 5"),
        (HEAD + "a.jpg,b,c,1,train\nnone.jpg,b,d,1,train\n", "1 of 2 photographs .* are missing, none.jpg for one"),
        (HEAD + "a.jpg,b,c,1,train\na.jpg,b,c,1,train\n", "list .*a.jpg twice"),
        (HEAD + "a.jpg,b,c,1,train\nb.jpg,b,c,1,valid\n", "patient c into both splits"),
        ("path,grade,laterality\na.jpg,1,left\n", "labels.csv is wrong in line 2: laterality is left"),
        (HEAD, "labels.csv has no lines"),
        ('path,grade\n"a.jpg,1\n', "labels.csv is no table"),
    ],
)
def test_wrong_labels_are_refused_in_one_sentence(
    tmp_path: Path, eye: Callable[..., str], text: str, sentence: str
) -> None:
    eye("a.jpg", 1)
    eye("b.jpg", 2)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(BadInput, match=sentence) as refused:
        read_labels(tmp_path)
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


def test_labels_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("path,grade\nBjörk.jpg,1\n".encode("latin-1"))
    with pytest.raises(BadInput, match="UTF-8"):
        read_labels(tmp_path)


def test_a_folder_given_twice_is_refused(eyes: Path) -> None:
    with pytest.raises(BadInput, match="twice"):
        read_labels(eyes, eyes / ".." / eyes.name)


def test_what_labels_say_is_trusted(tmp_path: Path, eye: Callable[..., str]) -> None:
    eye("a.jpg", 1)
    eye("b.jpg", 1)  # the same picture, but the labels know whose it is
    (tmp_path / "labels.csv").write_text(
        "path,source,patient,laterality,grade,split\na.jpg,s,p,R,1,valid\nb.jpg,s,q,,2,train\n"
    )
    first, second = read_labels(tmp_path)
    assert (first.path, first.source, first.patient, first.laterality) == (tmp_path / "a.jpg", "s", "p", "R")
    assert (first.grade, first.split) == (1, "valid")
    assert (second.patient, second.laterality, second.grade, second.split) == ("q", "", 2, "train")


def test_a_table_written_by_a_spreadsheet_is_read(tmp_path: Path, eye: Callable[..., str]) -> None:
    eye("a.jpg", 1)
    (tmp_path / "labels.csv").write_bytes("\ufeffPath, Grade\r\na.jpg , 3\r\n,\r\n".encode())
    (photograph,) = read_labels(tmp_path)
    assert (photograph.source, photograph.grade) == (tmp_path.name, 3)


def test_copies_are_left_out_and_said(
    tmp_path: Path, eye: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    for name, seed in (("1", 1), ("2", 2), ("3", 3), ("4", 4)):
        eye(f"{name}.jpg", seed)
    eye("1 again.jpg", 1, quality=80)
    eye("2 again.jpg", 2, quality=80)
    (tmp_path / "labels.csv").write_text(
        "path,grade\n1.jpg,0\n2.jpg,2\n3.jpg,1\n4.jpg,4\n1 again.jpg,0\n2 again.jpg,3\n"
    )
    with caplog.at_level(logging.WARNING):
        photographs = read_labels(tmp_path)
    assert [photograph.path.name for photograph in photographs] == ["1.jpg", "3.jpg", "4.jpg"]
    assert caplog.messages == [
        "1 again.jpg is left out. It is a copy of 1.jpg.",
        "2.jpg is left out. Copies have several grades: 2.jpg grade 2, 2 again.jpg grade 3.",
        "2 again.jpg is left out. Copies have several grades: 2.jpg grade 2, 2 again.jpg grade 3.",
    ]
    assert {out.photograph.grade for out in read_sources(tmp_path)[1]} == {0, 2, 3}


def test_several_folders_are_read_one_after_the_other(tmp_path: Path, eye: Callable[..., str], eyes: Path) -> None:
    for number in range(8):
        eye(f"clinic/{number}.jpg", number)
    (tmp_path / "clinic" / "labels.csv").write_text(
        "path,patient,grade\n" + "".join(f"{number}.jpg,clinic-{number},{number % 2}\n" for number in range(8))
    )
    alone, both = read_labels(tmp_path / "clinic"), read_labels(eyes, tmp_path / "clinic")
    assert both[:30] == read_labels(eyes)
    assert both[30:] == alone
    assert {photograph.split for photograph in alone} == {"train", "valid"}
