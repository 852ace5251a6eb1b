"""The clinic's grades beside the grader's: what would have been missed is counted, and a wrong file is named."""

import csv
import json
from pathlib import Path

import pytest
from lone_page import assert_stands_alone

from casebook.errors import BadInput
from inference.files import FileAnswer
from training.__main__ import main
from training.measure.clinic import read_cases, read_gradings
from training.measure.shadow import shadow

HEAD = "path,grade,camera,patient"
#     path, clinic's grade, camera, patient, gradability, reason, grader's grade
ROWS = [
    ("a.jpg", 0, "Kowa", "1", "gradable", None, 0),
    ("b.jpg", 2, "Kowa", "1", "gradable", None, 1),  # missed
    ("c.jpg", 3, "Kowa", "2", "gradable", "unsure", 1),  # a person is asked
    ("d.jpg", 2, "Topcon", "3", "gradable", None, 2),
    ("e.jpg", 0, "Topcon", "4", "gradable", None, 2),  # needless
    ("f.jpg", 4, "Topcon", "5", "ungradable", "blurred", None),
    ("g.jpg", 1, "Topcon", "6", "limited", "too_dark", 1),
    ("h.jpg", 4, "", "7", "gradable", None, 4),
]


def answers() -> list[dict[str, object]]:
    return [
        {"path": path, "gradability": gradability, "reason": reason, "grade": grade, "score": grade, "bundle": "rg 1"}
        for path, _, _, _, gradability, reason, grade in ROWS
    ]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    file = tmp_path / "clinic.csv"
    lines = [f"{path},{grade},{camera},{patient}" for path, grade, camera, patient, *_ in ROWS]
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def gradings(tmp_path: Path) -> Path:
    file = tmp_path / "gradings.jsonl"
    file.write_text("".join(json.dumps(answer) + "\n" for answer in answers()), encoding="utf-8")
    return file


def test_what_would_have_been_missed_and_referred_needlessly_is_counted(
    cases: Path, gradings: Path, tmp_path: Path
) -> None:
    found = shadow(cases, gradings, tmp_path / "out")
    whole = found["cameras"]["all"]["measures"]
    assert whole["missed"]["value"] == pytest.approx(1 / 5)
    assert whole["needless"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert whole["to_a_person"]["value"] == pytest.approx(3 / 8)
    assert whole["ungradable"]["value"] == pytest.approx(1 / 8)
    assert whole["sensitivity"]["value"] == pytest.approx(2 / 4)  # b and c lie below grade 2
    assert whole["specificity"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert whole["agreement"]["value"] == pytest.approx(4 / 7, abs=1e-4)
    assert [row["photograph"] for row in found["missed"]] == ["b.jpg"]
    assert found["ways"][2] == {"grade": 2, "to a person": 0, "referred": 1, "let go": 1}
    assert found["ways"][4] == {"grade": 4, "to a person": 1, "referred": 1, "let go": 0}
    assert found["confusion"][4] == [0, 0, 0, 0, 1, 1]
    assert set(found["cameras"]) == {"all", "Kowa", "Topcon", "camera not named"}
    assert found["cameras"]["Topcon"]["measures"]["missed"]["value"] == 0
    assert found["cameras"]["Topcon"]["measures"]["missed"]["high"] > 0.5  # two referable photographs prove nothing


def test_the_command_writes_a_page_that_stands_alone(
    cases: Path, gradings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["shadow", "--cases", str(cases), "--gradings", str(gradings), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Missed: 1 of 5 referable photographs would have been let go (20.0 %" in printed
    assert "are few" in printed
    text = (out / "shadow.html").read_text(encoding="utf-8")
    assert_stands_alone(text)
    assert "b.jpg" in text
    assert "rg 1" in text
    assert json.loads((out / "shadow.json").read_text())["sentences"] == printed.splitlines()


def test_every_form_of_gradings_says_the_same(cases: Path, gradings: Path, tmp_path: Path) -> None:
    expected = read_gradings(gradings, "path")
    table = tmp_path / "gradings.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(answers()[0]))
        writer.writeheader()
        writer.writerows(answers())
    assert read_gradings(table, "path") == expected
    page = tmp_path / "cases.json"
    page.write_text(
        json.dumps({"items": [{"id": 1, "photographs": answers()[:3]}, {"photographs": answers()[3:]}], "next": None})
    )
    assert read_gradings(page, "path") == expected
    assert len(expected) == len(ROWS)


def test_what_the_command_grade_prints_is_read(tmp_path: Path) -> None:
    from casebook.words import Gradability, Reason

    file = tmp_path / "gradings.jsonl"
    given = FileAnswer("a.jpg", Gradability.GRADABLE, Reason.UNSURE, 2, 1.9, 0.5)
    file.write_text(json.dumps(given.as_json()) + "\n")
    assert read_gradings(file, "path")["a.jpg"].to_a_person


def test_a_byte_order_mark_and_capitals_are_read(tmp_path: Path) -> None:
    file = tmp_path / "clinic.csv"
    file.write_text("SOP_Instance_UID,Grade\r\n1.2.3,4\r\n", encoding="utf-8-sig")
    key, found = read_cases(file)
    assert (key, found[0].key, found[0].grade, found[0].camera) == ("sop_instance_uid", "1.2.3", 4, "")


def test_photographs_without_an_answer_are_said_and_in_no_number(cases: Path, gradings: Path, tmp_path: Path) -> None:
    lines = gradings.read_text().splitlines()
    pending = {"path": "b.jpg", "gradability": "pending", "reason": None, "grade": None}
    gradings.write_text("\n".join([lines[0], json.dumps(pending), *lines[2:7]]) + "\n")
    found = shadow(cases, gradings, tmp_path / "out")
    assert (found["cases"], found["not_graded_yet"], found["cameras"]["all"]["photographs"]) == (8, 2, 6)
    assert any("2 photographs of the clinic have no answer" in line for line in found["sentences"])


def test_intervals_are_by_patient(cases: Path, gradings: Path, tmp_path: Path) -> None:
    alone = shadow(cases, gradings, tmp_path / "out")["cameras"]["all"]["measures"]["to_a_person"]
    text = cases.read_text().splitlines()
    cases.write_text("\n".join([text[0], *(",".join([*line.split(",")[:3], "one"]) for line in text[1:])]) + "\n")
    together = shadow(cases, gradings, tmp_path / "out")["cameras"]["all"]["measures"]["to_a_person"]
    assert alone["low"] < alone["value"] < alone["high"]
    assert together["low"] == together["value"] == together["high"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no lines"),
        ("path,grade\n", "has no lines"),
        ("name,grade\na,1\n", "has not the columns"),
        ("path,stage\na,1\n", "has not the columns"),
        ("path,grade\na,5\n", "in line 2: the grade is 5"),
        ("path,grade\na,1\nb,\n", "in line 3: the grade is empty"),
        ("path,grade\na,1.5\n", "in line 2: the grade is 1.5"),
        ("path,grade\na,1\na,2\n", "in line 3: the photograph was named before"),
        ("path,grade\n,2\n", "in line 2: path is empty"),
        ("path,grade\na,2,Kowa\n", "in line 2: it has 3 cells"),
        ("path,grade\na\n", "in line 2: it has 1 cells"),
    ],
)
def test_a_wrong_clinic_file_is_named_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "clinic.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        read_cases(file)
    assert "clinic.csv" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"path": "a", "gradability": "gradable", "grade": 2}\n{"path": ', "no JSON in line 2"),
        ('{"path": "a", "gradability": "fine", "grade": 2}\n', "no gradability or reason"),
        ('{"path": "a", "gradability": "gradable", "grade": 7}\n', "in line 1: the grade is 7"),
        ('{"path": "a", "gradability": "gradable", "grade": true}\n', "in line 1: the grade is True"),
        ('{"path": "a", "gradability": "gradable", "grade": null}\n', "a grade without a gradable photograph"),
        ('{"path": "a", "gradability": "ungradable", "grade": 0}\n', "a grade without a gradable photograph"),
        ('{"sop_instance_uid": "1.2", "gradability": "gradable", "grade": 1}\n', "in line 1: it has no path"),
        ("[1, 2]\n", "something else than photographs"),
        ("path,gradability,grade\na,gradable,1\na,gradable,1\n", "in line 3: the photograph was named before"),
    ],
)
def test_wrong_gradings_are_named_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "gradings.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=said):
        read_gradings(file, "path")


def test_files_that_do_not_meet_are_said(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({**answers()[0], "path": "/elsewhere/a.jpg"}) + "\n")
    asked = ["shadow", "--cases", str(cases), "--gradings", str(other), "--out", str(tmp_path / "out")]
    assert main(asked) == 2
    assert "No photograph of clinic.csv is in other.jsonl." in capsys.readouterr().err
    assert main([*asked[:2], str(tmp_path / "nowhere.csv"), *asked[3:]]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "latin.csv").write_bytes("path,grade,camera\na,1,Häring\n".encode("latin-1"))
    assert main([*asked[:2], str(tmp_path / "latin.csv"), *asked[3:]]) == 2
    assert "no table in UTF-8" in capsys.readouterr().err
