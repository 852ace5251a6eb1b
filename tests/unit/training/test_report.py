"""The page holds everything in itself, and what it says of cameras, forms and doubt is what was measured."""

import csv
import json
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
import stand_in_bundle
from lone_page import assert_stands_alone

from casebook.errors import BadInput
from casebook.words import RESEARCH_USE, Gradability
from inference import grading, phantom
from training.__main__ import main
from training.measure import findings, forms
from training.measure.answers import Answer, answered, examiner_of, outcomes_of
from training.measure.bootstrap import Outcomes, aucs, draws
from training.measure.doubt import thresholds, trade_off
from training.measure.evaluate import evaluate, of_split, table
from training.measure.frame_shape import box, fills_the_frame, guessed
from training.measure.report import report
from training.photographs import layouts
from training.photographs.sources import Photograph, read_labels


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in_bundle.make(tmp_path_factory.mktemp("bundles") / "plain")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a data folder of landscape photographs, two of them in hospital size too, one of nothing at all."""
    folder = tmp_path_factory.mktemp("clinic")
    kinds = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.MANY, phantom.PROLIFERATIVE)
    rows, large = [], []
    for number in range(14):
        grade = number // 2 % 5
        picture = phantom.draw(number, lesions=kinds[grade], size=640)
        wide = cv2.copyMakeBorder(picture, 0, 0, 120, 120, cv2.BORDER_CONSTANT)
        if number == 13:
            wide = np.zeros_like(wide)
        small = cv2.resize(wide, (440, 320), interpolation=cv2.INTER_AREA)
        (folder / f"{number}.jpg").write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(small), 92, "RGB"))
        rows.append([f"{number}.jpg", "idrid", f"p{number // 2}", grade, "valid"])
        if number < 2:
            (folder / "highres").mkdir(exist_ok=True)
            (folder / "highres" / f"idrid_{number}.jpg").write_bytes(simplejpeg.encode_jpeg(wide, 92, "RGB"))
            large.append([f"highres/idrid_{number}.jpg", "idrid", f"p{number // 2}", grade, "valid"])
    for file, lines in ((folder / "labels.csv", rows), (folder / "highres" / "labels.csv", large)):
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["path", "source", "patient", "grade", "split"], *lines])
    return folder


@pytest.fixture(scope="module")
def answers(bundle: Path, clinic: Path) -> list[Answer]:
    return answered(examiner_of(bundle, threads=1), read_labels(clinic))


@pytest.fixture(scope="module")
def made(bundle: Path, clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    report(
        bundle, read_labels(clinic), out, split="valid", data=[clinic], created=date(2026, 3, 12), with_photographs=True
    )
    return out


def test_the_page_stands_alone_and_names_what_it_is(made: Path) -> None:
    text = (made / "evaluation.html").read_text(encoding="utf-8")
    page = assert_stands_alone(text)
    found = json.loads((made / "evaluation.json").read_text())
    assert len(page.all("img")) == len(found["disagreements"]) > 0
    assert RESEARCH_USE in text
    assert found["sha256"] in text
    assert "2026-03-12" in text
    assert "Where network and graders differ most" in text


def test_a_page_without_photographs_shows_none(
    bundle: Path, clinic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(bundle), "--data", str(clinic), "--out", str(tmp_path), "--without-photographs", "--json"]
    assert main(asked) == 0
    text = (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    assert assert_stands_alone(text).all("img") == []
    assert "data:image" not in text
    assert json.loads(capsys.readouterr().out)["sources"]["all"]["photographs"] == 14


def test_the_report_and_the_card_say_the_same(made: Path, bundle: Path, clinic: Path) -> None:
    short = evaluate(bundle, read_labels(clinic), threads=1)
    full = json.loads((made / "evaluation.json").read_text())
    assert {key: full[key] for key in short} == short
    assert short["sources"]["all"]["ungradable"]["value"] == pytest.approx(1 / 14, abs=1e-4)
    assert sum(map(sum, full["details"]["all"]["confusion"])) == 13
    assert len(json.dumps(short)) < 12_000
    assert "recall" in table(short)


def test_every_photograph_has_its_line(made: Path, answers: list[Answer]) -> None:
    with (made / "answers.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == [str(answer.photograph.path) for answer in answers]
    assert (rows[13]["grade"], rows[13]["gradability"]) == ("", "ungradable")
    assert rows[0]["grade"] == str(answers[0].grade)


def test_a_split_without_photographs_is_said(clinic: Path) -> None:
    with pytest.raises(BadInput, match="No photograph belongs to the split train"):
        of_split(read_labels(clinic), "train")


def test_forms_of_one_photograph_are_paired_and_graded_alike(bundle: Path, clinic: Path, answers: list[Answer]) -> None:
    examiner = examiner_of(bundle, threads=1)
    hospital = forms.hospital_pairs(examiner, answers, [clinic])
    assert [(pair.plain.photograph.path.name, pair.other.photograph.path.name) for pair in hospital] == [
        ("0.jpg", "idrid_0.jpg"),
        ("1.jpg", "idrid_1.jpg"),
    ]
    squeezed = forms.squeezed_pairs(examiner, answers)
    assert len(squeezed) == 14
    told = forms.alike(squeezed)
    assert (told["photographs"], told["graded"], told["gate_differs"]) == (14, 13, 0)


@pytest.mark.photographs
def test_every_original_in_hospital_size_finds_its_small_form(photographs: Path) -> None:
    valid = [photograph for photograph in layouts.read(photographs) if photograph.split == "valid"]
    small = {photograph.path.stem: Answer(photograph, Gradability.PENDING) for photograph in valid}
    pairs = forms._originals(photographs, small)
    assert len(pairs) == 18
    assert all(original.path.parent.name == "highres" for original, _ in pairs)


def test_differences_between_forms_are_counted() -> None:
    def answered_with(score: float | None) -> Answer:
        photograph = Photograph(Path("x.jpg"), "idrid", "p", "", 0, "valid")
        if score is None:
            return Answer(photograph, Gradability.UNGRADABLE)
        return Answer(photograph, Gradability.GRADABLE, None, round(score), score, 0.9, 0.1)

    pairs = [
        forms.Pair(answered_with(a), answered_with(b)) for a, b in ((1.0, 1.2), (1.0, 3.0), (2.0, None), (0.0, 0.0))
    ]
    assert forms.alike(pairs) == {
        "photographs": 4,
        "gate_differs": 1,
        "graded": 3,
        "grades_differ": 1,
        "by_two_or_more": 1,
        "mean": pytest.approx(2.2 / 3, abs=1e-4),
        "largest": 2.0,
        "shift": pytest.approx(2.2 / 3, abs=1e-4),
    }
    assert forms.alike([])["mean"] is None


def test_a_planted_shortcut_is_found_and_shuffled_labels_have_none() -> None:
    random = np.random.default_rng(6)
    referable = random.random(400) < 0.4
    patients = np.array([f"p{number // 2}" for number in range(400)])
    numbers = random.normal(size=(400, 5))
    numbers[:, 3] += 2 * referable  # the sick come from the camera with the wide discs
    weights = np.ones((1, 400))
    assert aucs(referable, guessed(numbers, referable, patients), weights)[0] > 0.85
    shuffled = random.permutation(referable)
    assert 0.4 < aucs(shuffled, guessed(numbers, shuffled, patients), weights)[0] < 0.6


def test_the_box_is_that_of_the_retina(clinic: Path) -> None:
    ratio, left, top, width, height = box(clinic / "0.jpg")
    assert ratio == pytest.approx(440 / 320)
    side = 2 * phantom.RETINA
    assert height == pytest.approx(side, abs=0.02)
    assert width == pytest.approx(side * 320 / 440, abs=0.02)
    assert left == pytest.approx((1 - width) / 2, abs=0.02)
    assert top == pytest.approx((1 - height) / 2, abs=0.02)
    assert box(clinic / "13.jpg") == (440 / 320, 0.0, 0.0, 1.0, 1.0)
    assert fills_the_frame(np.array([[1, 0, 0, 0.99, 0.98], [1, 0.1, 0, 0.8, 0.99]])).tolist() == [True, False]


def test_doubt_sends_the_unsure_and_counts_what_is_left() -> None:
    truth, shown = np.array([0, 2, 2, 4, 1]), np.array([0, 1, 2, 4, 2])
    chance = np.array([0.05, 0.45, 0.9, 0.99, 0.6])
    graded = np.ones(5, bool)
    found = Outcomes(np.array(list("abcde")), truth, graded, shown, shown * 1.0, chance, chance)
    never, some = trade_off(found, [0.0, 0.7], draws(found.patients, rounds=10))
    assert never["sent"]["value"] == 0
    assert never["grade_errors"]["value"] == pytest.approx(2 / 5)
    assert never["missed_referable"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert some["sent"]["value"] == pytest.approx(2 / 5)  # 0.55 and 0.6 sure
    assert some["grade_errors"]["value"] == 0
    assert some["missed_referable"]["value"] == 0


def test_the_curve_sends_whom_the_service_sends(bundle: Path) -> None:
    card = examiner_of(bundle, threads=1).choice.card.model_copy(update={"doubt_below": 0.8})
    scores = np.linspace(0, 4, 200)
    chance = np.array([grading.at_least(2, score, card.calibration) for score in scores])
    zeros, ones = np.zeros(200, int), np.ones(200, bool)
    found = Outcomes(np.arange(200).astype(str), zeros, ones, zeros, scores, chance, chance)
    sent = trade_off(found, [card.doubt_below], draws(found.patients, rounds=1))[0]["sent"]["value"]
    asked = np.mean([grading.answer(score, card).doubtful for score in scores])
    assert 0 < sent < 1
    assert sent == pytest.approx(asked, abs=1e-4)


def test_sending_more_leaves_no_more_errors(answers: list[Answer]) -> None:
    found = outcomes_of(answers)
    points = trade_off(found, thresholds(found), draws(found.patients, rounds=5))
    for name in ("grade_errors", "missed_referable"):
        left = [point[name]["value"] for point in points]
        assert left == sorted(left, reverse=True)
    sent = [point["sent"]["value"] for point in points]
    assert sent == sorted(sent)
    assert sent[0] == 0


def test_the_worst_disagreement_comes_first(answers: list[Answer]) -> None:
    worst = findings.disagreements(answers, 3)
    gaps = [abs((answer.score or 0) - answer.photograph.grade) for answer in worst]
    assert gaps == sorted(gaps, reverse=True)
    assert all(answer.grade != answer.photograph.grade for answer in worst)


def test_the_roc_goes_from_corner_to_corner_and_encloses_the_auc(answers: list[Answer]) -> None:
    found = outcomes_of(answers)
    corners = np.array(findings.of_source(answers)["roc"])
    assert corners[[0, -1]].tolist() == [[0, 0], [1, 1]]
    area = float(np.trapezoid(corners[:, 1], corners[:, 0]))
    graded = np.ones((1, len(found))) * found.graded
    assert area == pytest.approx(aucs(found.referable, found.scores, graded)[0], abs=1e-3)


def test_grades_are_those_of_the_card(bundle: Path, answers: list[Answer]) -> None:
    card = examiner_of(bundle, threads=1).choice.card
    for answer in answers:
        assert answer.score is None or answer.grade == grading.grade_of(answer.score, card)
