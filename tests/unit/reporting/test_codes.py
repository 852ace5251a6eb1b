"""Codes: each once, each short enough for its representation."""

from pydicom.sr.coding import Code

from casebook.words import GRADES, Gradability, Reason
from reporting import codes


def _all() -> list[Code]:
    found: list[Code] = []
    for value in vars(codes).values():
        if isinstance(value, Code):
            found.append(value)
        elif isinstance(value, tuple):
            found += [code for code in value if isinstance(code, Code)]
        elif isinstance(value, dict):
            found += [code for code in value.values() if isinstance(code, Code) and code != codes.NO_IMAGE]
    return found


def test_T15_values_and_meanings_fit_their_representation() -> None:
    for code in _all():
        assert len(code.value) <= 16, code
        assert len(code.meaning) <= 64, code


def test_each_concept_stands_once() -> None:
    identities = [(code.scheme_designator, code.value) for code in _all()]
    assert len(identities) == len(set(identities))


def test_every_grade_has_its_words_in_the_name_a_viewer_shows() -> None:
    assert [code.value for code in codes.GRADE] == [f"RG-GRADE{grade}" for grade in range(5)]
    assert codes.GRADE[0].meaning == "DR grade 0 of 4, no apparent retinopathy"
    assert codes.GRADE[3].meaning == "DR grade 3 of 4, severe non-proliferative"
    assert len(codes.SEVERITY) == len(codes.GRADE) == len(GRADES)


def test_the_loinc_answers_are_those_of_the_published_list() -> None:
    assert [code.value for code in codes.SEVERITY] == [
        "LA18643-9", "LA18644-7", "LA18645-4", "LA18646-2", "LA18648-8"
    ]  # fmt: skip


def test_a_healthy_eye_has_no_disorder() -> None:
    assert sorted(codes.DISORDER) == [1, 2, 3, 4]


def test_every_reason_has_a_quality_finding_and_every_quality_a_code() -> None:
    for reason in Reason:
        assert codes.quality_finding(reason).meaning
    assert codes.quality_finding(Reason.GRADING_FAILED) == codes.OTHER_FAILURE
    assert codes.quality_finding(Reason.DAMAGED) == codes.NO_IMAGE
    assert set(codes.QUALITY) == {Gradability.GRADABLE, Gradability.LIMITED, Gradability.UNGRADABLE}
