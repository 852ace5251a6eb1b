import io
from dataclasses import replace
from pathlib import Path

import dicom_objects as objects
import numpy as np
import pytest
import simplejpeg
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from casebook.words import Gradability, Laterality, Reason
from inference import phantom, phantom_dicom
from inference.examination import Examination, Made, Stage
from inference.examine import Examiner


def saved(picture: np.ndarray, path: Path) -> Path:
    path.write_bytes(simplejpeg.encode_jpeg(picture, quality=95, colorsubsampling="444"))
    return path


def wrapped(*pictures: np.ndarray) -> bytes:
    jpegs = [simplejpeg.encode_jpeg(picture, quality=95) for picture in pictures]
    dataset = phantom_dicom.ophthalmic_photograph(
        jpegs[0],
        laterality=Laterality.RIGHT,
        study_uid=phantom_dicom.synthetic_uid("study"),
        series_uid=phantom_dicom.synthetic_uid("series"),
        sop_uid=phantom_dicom.synthetic_uid("photograph"),
    )
    dataset.NumberOfFrames = len(jpegs)
    dataset.PixelData = encapsulate(jpegs)
    dataset["PixelData"].is_undefined_length = True
    return objects.written(dataset)


def test_more_lesions_get_a_worse_grade(examiner: Examiner, tmp_path: Path) -> None:
    grades = []
    for lesions in (phantom.HEALTHY, phantom.FEW, phantom.MANY):
        examination = examiner.examine(saved(phantom.draw(4, lesions=lesions), tmp_path / "eye.jpg"), None)
        assert examination.gradability is Gradability.GRADABLE
        assert examination.worst is not None
        grades.append(examination.worst.score)
    assert grades == sorted(grades)
    assert grades[2] > grades[0] + 1


def test_doubt_about_referable_disease_is_an_answer(examiner: Examiner, tmp_path: Path) -> None:
    path = saved(phantom.draw(4, lesions=phantom.FEW), tmp_path / "eye.jpg")
    certain = examiner.examine(path, None)
    card = examiner.choice.card.model_copy(update={"doubt_below": 1.0})
    doubting = Examiner(examiner.bundle, replace(examiner.choice, card=card)).examine(path, None)
    assert (certain.gradability, certain.reason) == (Gradability.GRADABLE, None)
    assert (doubting.gradability, doubting.reason) == (Gradability.GRADABLE, Reason.UNSURE)
    assert [frame.reason for frame in doubting.frames] == [Reason.UNSURE]
    assert doubting.frames[0].grade == certain.frames[0].grade


def test_a_graded_frame_leaves_every_picture(examiner: Examiner, tmp_path: Path) -> None:
    path = saved(phantom.draw(4, lesions=phantom.MANY, size=2000), tmp_path / "eye.jpg")
    examination = examiner.examine(path, tmp_path)
    (answer,) = examination.frames
    assert (answer.width, answer.height) == (2000, 2000)
    assert (answer.preview_width, answer.preview_height) == (1600, 1600)
    for made in (Made.PREVIEW, Made.OVERLAY, Made.FULL):
        size = simplejpeg.decode_jpeg_header(made.path(tmp_path, 1).read_bytes())[:2]
        assert size == ((2000, 2000) if made is Made.FULL else (1600, 1600))
    with Image.open(Made.LAYER.path(tmp_path, 1)) as layer:
        assert layer.size == (1600, 1600)
    activation = np.load(Made.ACTIVATION.path(tmp_path, 1), allow_pickle=False)
    assert np.clip(activation.mean(), 0, 4) == pytest.approx(answer.score, abs=1e-3)
    assert answer.circle is not None
    assert answer.circle.x == pytest.approx(999.5, abs=3)
    assert answer.circle.radius == pytest.approx(phantom.RETINA * 2000, rel=0.01)


def test_the_circle_is_given_in_full_size_pixels_whatever_was_decoded(examiner: Examiner, tmp_path: Path) -> None:
    picture = np.asarray(Image.fromarray(phantom.draw(4, lesions=phantom.FEW, size=850)).resize((3400, 3400)))
    large = examiner.examine(saved(picture, tmp_path / "large.jpg"), None)
    small = examiner.examine(saved(np.asarray(Image.fromarray(picture).reduce(4)), tmp_path / "small.jpg"), None)
    assert large.worst is not None
    assert small.worst is not None
    assert large.worst.circle is not None
    assert small.worst.circle is not None
    assert large.worst.circle.radius == pytest.approx(4 * small.worst.circle.radius, rel=0.005)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (phantom.darkened, Reason.TOO_DARK),
        (lambda picture: np.repeat(picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2), Reason.MONOCHROME),
        (lambda picture: np.random.default_rng(1).integers(0, 255, picture.shape, np.uint8), Reason.NOT_FUNDUS),
    ],
    ids=["dark", "grey", "noise"],
)  # fmt: skip
def test_what_cannot_be_graded_gets_a_reason_and_pictures_but_no_grade(
    examiner: Examiner, spoil: object, reason: Reason, tmp_path: Path
) -> None:
    picture = spoil(phantom.draw(4, lesions=phantom.MANY))  # type: ignore[operator]
    examination = examiner.examine(saved(picture, tmp_path / "eye.jpg"), tmp_path)
    assert (examination.gradability, examination.reason) == (Gradability.UNGRADABLE, reason)
    assert examination.worst is None
    assert Made.PREVIEW.path(tmp_path, 1).exists()
    assert Made.FULL.path(tmp_path, 1).exists()
    assert not Made.OVERLAY.path(tmp_path, 1).exists()


def test_each_frame_is_answered_for_itself(examiner: Examiner, tmp_path: Path) -> None:
    eye = phantom.draw(4, lesions=phantom.MANY)
    path = tmp_path / "eye.dcm"
    path.write_bytes(wrapped(phantom.draw(4, lesions=phantom.HEALTHY), eye, phantom.darkened(eye)))
    stages: list[Stage] = []
    examination = examiner.examine(path, tmp_path, stage=stages.append)
    assert [answer.graded for answer in examination.frames] == [True, True, False]
    assert examination.worst is not None
    assert examination.worst.frame == 2
    assert (examination.gradability, examination.reason) == (Gradability.LIMITED, Reason.TOO_DARK)
    assert {path.name for path in tmp_path.glob("3-*")} == {"3-full.jpg", "3-preview.jpg"}
    assert stages == [Stage.GRADING, Stage.READING, Stage.GRADING, Stage.READING, Stage.READING]


def test_one_damaged_frame_makes_the_file_unreadable(examiner: Examiner, tmp_path: Path) -> None:
    eye = phantom.draw(4, lesions=phantom.MANY, size=512)
    data = wrapped(eye, eye)
    place = data.rindex(b"\xff\xda") + 2000
    path = tmp_path / "eye.dcm"
    markers = b"\xff\x02" * 30  # which mean nothing inside a scan
    path.write_bytes(data[:place] + markers + data[place + 60 :])
    assert examiner.examine(path, None) == Examination(gradability=Gradability.UNREADABLE, reason=Reason.DAMAGED)


def test_the_same_eye_gets_the_same_grade_in_every_lossless_syntax(examiner: Examiner, tmp_path: Path) -> None:
    eye = phantom.draw(4, lesions=phantom.MANY, size=512)
    scores = set()
    for name in ("explicit", "rle", "jpeg_ls", "jpeg_2000"):
        dataset = objects.photograph(eye)
        if name in objects.NATIVE:
            dataset.file_meta.TransferSyntaxUID = UID(objects.NATIVE[name])
        else:
            dataset.compress(objects.ENCAPSULATED[name], generate_instance_uid=False)
        (tmp_path / "eye.dcm").write_bytes(objects.written(dataset))
        examination = examiner.examine(tmp_path / "eye.dcm", None)
        assert examination.worst is not None
        scores.add(examination.worst.score)
    assert len(scores) == 1


def test_a_retina_too_small_in_the_reduced_picture_is_cut_from_the_whole_one(
    examiner: Examiner, tmp_path: Path
) -> None:
    """Performance P16: never upscale from a reduced decode."""
    canvas = np.zeros((2400, 3300, 3), np.uint8)
    canvas[1000:1500, 1400:1900] = phantom.draw(4, lesions=phantom.MANY, size=500)
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG")
    (tmp_path / "eye.png").write_bytes(buffer.getvalue())
    from inference import reader

    (frame,) = reader.frames(tmp_path / "eye.png")
    assert frame.reduction == 2
    from inference.retina import Circle

    circle = Circle((1649.5 + 0.5) / 2 - 0.5, (1249.5 + 0.5) / 2 - 0.5, 0.47 * 250)
    reduced = examiner._tensor(frame, circle)
    (tmp_path / "alone.png").write_bytes(b"")
    Image.fromarray(canvas[1000:1500, 1400:1900]).save(tmp_path / "alone.png")
    (alone,) = reader.frames(tmp_path / "alone.png")
    exact = examiner._tensor(alone, Circle(249.5, 249.5, 235.0))
    assert np.abs(reduced - exact).max() < 0.02


def test_memory_that_is_not_to_be_had_is_a_limit(
    examiner: Examiner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(_path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr("inference.reader.frames", greedy)
    assert examiner.examine(tmp_path, None) == Examination(gradability=Gradability.UNREADABLE, reason=Reason.LIMITS)
