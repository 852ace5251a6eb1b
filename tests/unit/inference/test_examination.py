from typing import Any

import pytest
from pydantic import ValidationError

from casebook.words import Gradability, Reason
from inference.examination import Examination, FrameAnswer, Made, of_frames


def frame(
    number: int, grade: int | None = None, reason: Reason | None = None, score: float | None = None
) -> FrameAnswer:
    graded = grade is not None
    poor = reason not in {None, Reason.UNSURE}
    gradability = Gradability.UNGRADABLE if not graded else Gradability.LIMITED if poor else Gradability.GRADABLE
    return FrameAnswer(
        frame=number,
        gradability=gradability,
        certainty=0.9,
        reason=reason,
        score=(score if score is not None else float(grade or 0)) if graded else None,
        grade=grade,
        confidence=0.8 if graded else None,
        width=10,
        height=10,
        preview_width=10,
        preview_height=10,
    )


def test_the_worst_frame_counts() -> None:
    examination = of_frames((frame(1, 1), frame(2, 3, score=2.6), frame(3, 3, score=3.1), frame(4, 0)), "openvino")
    assert examination.gradability is Gradability.GRADABLE
    assert examination.worst is not None
    assert examination.worst.frame == 3


def test_a_frame_that_could_not_be_graded_asks_for_a_person() -> None:
    examination = of_frames((frame(1, 0), frame(2, None, Reason.BLURRED)), "openvino")
    assert (examination.gradability, examination.reason) == (Gradability.LIMITED, Reason.BLURRED)
    assert examination.worst is not None
    assert examination.worst.grade == 0


def test_doubt_about_the_worst_frame_is_doubt_about_the_photograph() -> None:
    sure, unsure = frame(1, 0), frame(2, 1, Reason.UNSURE)
    examination = of_frames((sure, unsure), "openvino")
    assert (examination.gradability, examination.reason) == (Gradability.GRADABLE, Reason.UNSURE)
    assert of_frames((frame(1, 4), unsure), "openvino").reason is None
    poor = of_frames((sure, unsure, frame(3, None, Reason.BLURRED)), "openvino")
    assert (poor.gradability, poor.reason) == (Gradability.LIMITED, Reason.BLURRED)


def test_without_a_graded_frame_there_is_no_grade() -> None:
    examination = of_frames((frame(1, None, Reason.TOO_DARK), frame(2, None, Reason.BLURRED)), "openvino")
    assert (examination.gradability, examination.reason) == (Gradability.UNGRADABLE, Reason.TOO_DARK)
    assert examination.worst is None


def test_it_travels_as_json_and_comes_back_the_same() -> None:
    examination = of_frames((frame(1, 2), frame(2, None, Reason.BLURRED)), "openvino")
    assert Examination.model_validate_json(examination.model_dump_json()) == examination


def test_only_graded_frames_have_a_heat_map() -> None:
    assert Made.OVERLAY in frame(1, 0).made()
    assert frame(1, None, Reason.BLURRED).made() == (Made.FULL, Made.PREVIEW)


GOOD = of_frames((frame(1, 2),), "openvino").model_dump(mode="json")


@pytest.mark.parametrize(
    "change",
    [
        {"gradability": "pending"},
        {"gradability": "fine"},
        {"gradability": "ungradable", "reason": "blurred", "frames": []},
        {"gradability": "unreadable", "reason": "damaged"},
        {"gradability": "limited"},
        {"gradability": "limited", "reason": "unsure"},
        {"reason": "blurred"},
        {"frames": []},
        {"frames": [GOOD["frames"][0] | {"frame": 2}]},
        {"frames": [GOOD["frames"][0] | {"grade": 5}]},
        {"frames": [GOOD["frames"][0] | {"grade": None}]},
        {"frames": [GOOD["frames"][0] | {"score": float("nan")}]},
        {"frames": [GOOD["frames"][0] | {"confidence": 1.5}]},
        {"frames": [GOOD["frames"][0] | {"gradability": "ungradable"}]},
        {"frames": [GOOD["frames"][0] | {"gradability": "unreadable"}]},
        {"frames": [GOOD["frames"][0] | {"width": 0}]},
        {"frames": [GOOD["frames"][0] | {"path": "/etc/passwd"}]},
        {"runner": "x" * 1000},
        {"more": 1},
    ],
    ids=str,
)
def test_security_S7_an_answer_that_contradicts_itself_is_not_believed(change: dict[str, Any]) -> None:
    assert Examination.model_validate(GOOD)
    with pytest.raises(ValidationError):
        Examination.model_validate(GOOD | change)
