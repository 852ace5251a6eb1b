"""Every form of labelled photographs is recognised by what lies in the folder, and several at once by none."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ImplicitVRLittleEndian

from casebook.errors import BadInput
from casebook.words import Laterality
from inference import phantom
from inference.phantom_dicom import ophthalmic_photograph, synthetic_uid
from training.photographs.dataset import Crops
from training.photographs.layouts import read
from training.photographs.objects import header_of
from training.photographs.photograph import Photograph
from training.photographs.sources import read_labels
from training.photographs.tables import columns_of, lines_of
from training.recipe import Recipe

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Give what writes a folder: pictures by name (their content does not matter here) and tables by text."""

    def write(*pictures: str, **tables: str) -> Path:
        folder = tmp_path / "data"
        for picture in pictures:
            (folder / picture).parent.mkdir(parents=True, exist_ok=True)
            (folder / picture).write_bytes(b"a picture")
        for name, text in tables.items():
            (folder / f"{name}.csv").write_text(text)
        return folder

    return write


def object_at(
    path: Path,
    *,
    patient: str,
    laterality: Laterality | None = None,
    implicit: bool = False,
    picture: bytes | None = None,
) -> str:
    """Write a DICOM object and return its SOP Instance UID."""
    uid = synthetic_uid(path.name)
    photograph = ophthalmic_photograph(
        np.zeros((8, 8, 3), np.uint8) if picture is None else picture,
        laterality=laterality,
        study_uid=synthetic_uid("study", patient or path.name),
        series_uid=synthetic_uid("series"),
        sop_uid=uid,
        patient_id=patient,
    )
    if implicit:
        photograph.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    photograph.save_as(path, enforce_file_format=True)
    return uid


def test_aptos(make: Make) -> None:
    folder = make(
        "train_images/0a.png",
        "train_images/0b.jpg",
        train="id_code,diagnosis\n0b,4\n0a,0\n",
        sample_submission="id_code,diagnosis\n0c,0\n",
        test="id_code\n0c\n",
    )
    assert read(folder) == [
        Photograph(folder / "train_images/0b.jpg", "data", "", "", 4, ""),
        Photograph(folder / "train_images/0a.png", "data", "", "", 0, ""),
    ]


def test_aptos_by_any_other_name_of_its_table(make: Make) -> None:
    folder = make("train_images/0a.png", mine="id_code,diagnosis\n0a,3\n")
    assert [photograph.grade for photograph in read(folder)] == [3]


@pytest.mark.parametrize("inside", ["", "train/"])
def test_eyepacs(make: Make, inside: str) -> None:
    folder = make(f"{inside}10_left.jpeg", f"{inside}10_right.jpeg", trainLabels="image,level\n10_left,0\n10_right,2\n")
    assert read(folder) == [
        Photograph(folder / f"{inside}10_left.jpeg", "data", "data-10", "L", 0, ""),
        Photograph(folder / f"{inside}10_right.jpeg", "data", "data-10", "R", 2, ""),
    ]


def test_a_folder_per_grade(make: Make) -> None:
    folder = make("0/b.jpg", "0/a.PNG", "3/a.jpeg", "3/._a.jpeg", "3/Thumbs.db", "notes/about.txt")
    (folder / "2").mkdir()
    assert read(folder) == [
        Photograph(folder / "0/a.PNG", "data", "", "", 0, ""),
        Photograph(folder / "0/b.jpg", "data", "", "", 0, ""),
        Photograph(folder / "3/a.jpeg", "data", "", "", 3, ""),
    ]


@pytest.mark.parametrize("implicit", [False, True])
def test_dicom_objects_by_their_uid(tmp_path: Path, implicit: bool) -> None:
    first = object_at(tmp_path / "a/b/IM1", patient="P1", laterality=Laterality.LEFT, implicit=implicit)
    second = object_at(tmp_path / "c/IM2.dcm", patient="P2", implicit=implicit)
    object_at(tmp_path / "c/IM3", patient="P3")  # has no line
    (tmp_path / "grades.csv").write_text(f"sop_instance_uid,grade\n{second},4\n{first},1\n")
    source = tmp_path.name
    assert read(tmp_path) == [
        Photograph(tmp_path / "c/IM2.dcm", source, f"{source}-P2", "", 4, ""),
        Photograph(tmp_path / "a/b/IM1", source, f"{source}-P1", "L", 1, ""),
    ]


def test_dicom_objects_by_their_path(tmp_path: Path) -> None:
    object_at(tmp_path / "a/IM1", patient="P1", laterality=Laterality.RIGHT)
    (tmp_path / "b.jpg").write_bytes(b"a picture")
    (tmp_path / "grades.csv").write_text("path,grade,source\na/IM1,2,clinic\nb.jpg,0,clinic\n")
    assert read(tmp_path) == [
        Photograph(tmp_path / "a/IM1", "clinic", "clinic-P1", "R", 2, ""),
        Photograph(tmp_path / "b.jpg", "clinic", "", "", 0, ""),
    ]


def test_without_a_patient_the_study_is_one_person_s(tmp_path: Path) -> None:
    object_at(tmp_path / "IM1", patient="")
    header = header_of(tmp_path / "IM1")
    assert header is not None
    assert header.patient == synthetic_uid("study", "IM1")


def test_an_eye_that_contradicts_itself_is_not_known(tmp_path: Path) -> None:
    object_at(tmp_path / "IM1", patient="P1", laterality=Laterality.RIGHT)
    photograph = pydicom.dcmread(tmp_path / "IM1")
    photograph.Laterality = "L"
    photograph.save_as(tmp_path / "IM1")
    header = header_of(tmp_path / "IM1")
    assert header is not None
    assert header.laterality == ""


def test_what_is_no_object_has_no_header(tmp_path: Path) -> None:
    object_at(tmp_path / "whole", patient="P1")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:400])
    (tmp_path / "empty").write_bytes(b"")
    assert [header_of(tmp_path / name) for name in ("cut", "empty")] == [None, None]


def test_two_objects_of_one_uid_are_refused(tmp_path: Path) -> None:
    uid = object_at(tmp_path / "IM1", patient="P1")
    (tmp_path / "IM2").write_bytes((tmp_path / "IM1").read_bytes())
    (tmp_path / "grades.csv").write_text(f"sop_instance_uid,grade\n{uid},0\n")
    with pytest.raises(BadInput, match="same SOP Instance UID"):
        read(tmp_path)


def test_a_missing_object_is_named(tmp_path: Path) -> None:
    object_at(tmp_path / "IM1", patient="P1")
    (tmp_path / "grades.csv").write_text("sop_instance_uid,grade\n1.2.3,0\n")
    with pytest.raises(BadInput, match=r"1 of 1 photographs .* missing, 1\.2\.3 for one"):
        read(tmp_path)


def drawn(folder: Path, form: str) -> None:
    """Lay ten synthetic eyes into a folder in one of the forms."""
    names = []
    for number in range(10):
        picture = phantom.draw(number, lesions=phantom.MANY, size=160)
        jpeg = simplejpeg.encode_jpeg(picture, quality=90, colorspace="RGB", colorsubsampling="420")
        name = {
            "ours": f"pictures/{number}.jpg",
            "aptos": f"train_images/{number}.png",
            "eyepacs": f"train/{number // 2}_{('left', 'right')[number % 2]}.jpeg",
            "grades": f"{number % 5}/{number}.jpg",
            "objects": f"study{number // 2}/IM{number}",
        }[form]
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if form == "aptos":
            cv2.imwrite(str(path), picture[..., ::-1])
        elif form == "objects":
            names.append(object_at(path, patient=f"P{number // 2}", picture=jpeg))
            continue
        else:
            path.write_bytes(jpeg)
        names.append(path.stem if form in {"aptos", "eyepacs"} else name)
    grades = "".join(f"{name},{number % 5}\n" for number, name in enumerate(names))
    table = {
        "ours": ("labels.csv", "path,grade"),
        "aptos": ("train.csv", "id_code,diagnosis"),
        "eyepacs": ("trainLabels.csv", "image,level"),
        "objects": ("grades.csv", "sop_instance_uid,grade"),
    }
    if form in table:
        name, heading = table[form]
        (folder / name).write_text(f"{heading}\n{grades}")


@pytest.mark.parametrize(
    ("form", "patients"), [("ours", 10), ("aptos", 10), ("eyepacs", 5), ("grades", 10), ("objects", 5)]
)
def test_every_form_is_read_decoded_and_split(tmp_path: Path, recipe: Recipe, form: str, patients: int) -> None:
    drawn(tmp_path, form)
    photographs = read_labels(tmp_path)
    assert sorted(photograph.grade for photograph in photographs) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert {photograph.source for photograph in photographs} == {tmp_path.name}
    side = {photograph.patient: photograph.split for photograph in photographs}
    assert len(side) == patients
    assert set(side.values()) == {"train", "valid"}
    assert all(photograph.split == side[photograph.patient] for photograph in photographs)
    assert len(Crops(photographs, recipe.preprocessing, fitting=True)) == 10


@pytest.mark.parametrize(
    ("pictures", "tables", "sentence"),
    [
        ([], {"train": "id_code,diagnosis\na,0\n"}, "1 of 1 photographs of .*train.csv are missing"),
        (["train_images/a.png"], {"train": "id_code,diagnosis\na,5\n"}, "train.csv is wrong in line 2: the grade is 5"),
        (["a.png"], {"trainLabels": "image,level\na,0\n"}, "trainLabels.csv is wrong in line 2: a names no eye"),
        (
            ["train_images/a.png"],
            {"one": "id_code,diagnosis\na,0\n", "two": "id_code,diagnosis\na,0\n"},
            "several tables of labels: one.csv and two.csv",
        ),
        (
            ["train_images/a.png"],
            {"train": "id_code,diagnosis\na,0\n", "labels": "path,grade\ntrain_images/a.png,0\n"},
            "two forms: labels.csv and train.csv",
        ),
        (["0/a.png"], {"labels": "path,grade\n0/a.png,0\n"}, "two forms: labels.csv and a folder 0"),
        (["0/a.png", "5/b.png"], {}, "holds a folder 5 among its grades"),
        (["a.png"], {}, "no labels in .* that are known here"),
        (["a.png"], {"notes": "what,ever\n1,2\n"}, "no labels in .* that are known here"),
        (["a.png"], {"empty": ""}, "no labels in .* that are known here"),
    ],
)
def test_every_mistake_gets_a_sentence(make: Make, pictures: list[str], tables: dict[str, str], sentence: str) -> None:
    folder = make(*(pictures or ["elsewhere/a.png"]), **tables)
    with pytest.raises(BadInput, match=sentence) as refused:
        read(folder)
    assert refused.value.remedy


def test_an_empty_folder_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is empty, there are no labels"):
        read(tmp_path)
    with pytest.raises(BadInput, match="There is no folder"):
        read(tmp_path / "nowhere")


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(WORDS, min_size=1, max_size=5),
    lines=st.lists(st.lists(WORDS, min_size=5, max_size=5), min_size=1, max_size=6),
)
def test_a_table_is_read_as_it_was_written(tmp_path: Path, columns: list[str], lines: list[list[str]]) -> None:
    columns = list(dict.fromkeys(column.lower().lstrip("\ufeff") or "x" for column in columns))
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *(line[: len(columns)] for line in lines)])
    assert columns_of(path) == columns
    assert [list(line.cells.values()) for line in lines_of(path)] == [line[: len(columns)] for line in lines]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_as_labels_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(BadInput):
        read(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_object_has_a_header_or_none(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "IM1"
    object_at(path, patient="P1")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    header = header_of(path)
    assert header is None or header.laterality in {"", "R", "L"}
