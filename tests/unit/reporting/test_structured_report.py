"""The report: exactly the tree that viewers load and validators accept, and never a healthy word too many."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import highdicom.base
import highdicom.base_content
import highdicom.sr.sop
import pytest
from graded_case import Shot, Study, healthy, ungradable
from highdicom.sr import Comprehensive3DSR
from pydicom.dataset import Dataset

from casebook.words import Gradability, Laterality, Reason
from reporting.source import Examination, Predecessor

R, L = Laterality.RIGHT, Laterality.LEFT
Report = Callable[[Examination], Dataset]


def name_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def value_of(item: Dataset) -> Any:
    match item.ValueType:
        case "CODE":
            return item.ConceptCodeSequence[0].CodeValue
        case "NUM":
            return float(item.MeasuredValueSequence[0].NumericValue)
        case "TEXT":
            return item.TextValue
        case "UIDREF":
            return item.UID
        case _:
            return None


def groups(report: Dataset) -> list[Dataset]:
    measurements = next(item for item in report.ContentSequence if name_of(item) == "126010")
    return list(measurements.ContentSequence)


def names(group: Dataset) -> list[str]:
    return [name_of(item) for item in group.ContentSequence]


def values(group: Dataset) -> dict[str, Any]:
    return {name_of(item): value_of(item) for item in group.ContentSequence}


def child(group: Dataset, name: str) -> Dataset:
    return next(item for item in group.ContentSequence if name_of(item) == name)


def all_codes(item: Dataset) -> set[str]:
    return {element.value for element in item.iterall() if element.keyword == "CodeValue"}


def conclusion(report: Dataset) -> str:
    container = report.ContentSequence[-1]
    assert name_of(container) == "C0034375"
    return str(child(container, "121077").TextValue)


def test_a_graded_eye_has_every_part_of_the_tree_in_its_order(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 3, score=3.123, confidence=0.8144), healthy(L)))
    assert document.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert [name_of(item) for item in document.ContentSequence] == [
        "121049", "121005", "121012", "121013", "121014", "121015", "121016", "121058", "111028", "126010", "C0034375",
    ]  # fmt: skip
    assert value_of(child(document, "121049")) == "en"
    assert value_of(child(document, "121058")) == "363679005"
    right = groups(document)[0]
    assert right.ContentTemplateSequence[0].TemplateIdentifier == "1410"
    assert names(right) == [
        "112039", "112040", "121071", "363698007", "111001", "111003", "122405", "111002", "111002", "RG-GRADE3",
        "111012", "RG-DRSCORE", "111101", "71491-5", "111030", "130401",
    ]  # fmt: skip
    found = values(right)
    assert found["112039"] == "Photograph 1-1 R"
    assert found["121071"] == "312905005"
    assert (found["RG-GRADE3"], found["111012"], found["RG-DRSCORE"]) == (3.0, 81.4, 3.12)
    assert (found["111101"], found["71491-5"]) == ("RID12", "LA18646-2")
    site = child(right, "363698007")
    assert value_of(site.ContentSequence[0]) == "24028007"


def test_the_flags_say_complete_unverified_preliminary(examine: Any, report: Report) -> None:
    document = report(examine(healthy(R)))
    flags = (document.CompletionFlag, document.VerificationFlag, document.PreliminaryFlag)
    assert flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")


def test_T14_a_healthy_eye_has_its_grade_but_no_finding(examine: Any, report: Report) -> None:
    for group in groups(report(examine(healthy(R), healthy(L)))):
        assert "121071" not in names(group)
        assert values(group)["RG-GRADE0"] == 0.0
        assert "LA18643-9" in all_codes(group)


def test_U6_an_ungradable_eye_has_no_word_of_a_grade(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 4), ungradable(L, Reason.TOO_DARK)))
    left = groups(document)[1]
    assert names(left) == [
        "112039", "112040", "363698007", "111001", "111003", "122405", "111002", "111002", "RG-NG", "111101", "111052",
        "111030",
    ]  # fmt: skip
    found = values(left)
    assert (found["RG-NG"], found["111101"], found["111052"]) == (97.3, "RID14", "111211")
    assert not any(code.startswith(("LA", "RG-GRADE")) for code in all_codes(left))
    assert "left eye could not be graded: it is too dark. That does not mean it is normal." in conclusion(document)


def test_an_ungradable_frame_is_outlined_with_nine_points(examine: Any, report: Report) -> None:
    region = child(groups(report(examine(ungradable(R))))[0], "111030")
    assert region.GraphicType == "POLYLINE"
    points = list(region.GraphicData)
    assert len(points) == 18
    assert points[:2] == points[-2:] == [0.0, 0.0]
    assert (max(points[::2]), max(points[1::2])) == (64.0, 48.0)


def test_the_region_of_a_graded_frame_is_the_retina_counted_from_the_pixels_corner(
    examine: Any, report: Report
) -> None:
    region = child(groups(report(examine(healthy(R))))[0], "111030")
    assert region.GraphicType == "CIRCLE"
    assert list(region.GraphicData) == [32.0, 24.0, 52.25, 24.0]  # centre (31.5, 23.5) and radius 20.25 from its centre


def test_a_certainty_that_rounds_to_nothing_is_still_shown(examine: Any, report: Report) -> None:
    document = report(examine(replace(ungradable(R), certainty=0.0)))
    assert values(groups(document)[0])["RG-NG"] == 0.1


def test_a_limited_photograph_keeps_its_grade_and_says_why(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 1, Gradability.LIMITED, Reason.BLURRED), healthy(L)))
    right = groups(document)[0]
    found = values(right)
    assert (found["RG-GRADE1"], found["RG-LIM"], found["111101"], found["111052"]) == (1.0, 97.3, "RID13", "111210")
    assert found["71491-5"] == "LA18644-7"


def test_an_unknown_side_has_no_eye_in_any_code(examine: Any, report: Report) -> None:
    document = report(examine(Shot(None, 2)))
    group = groups(document)[0]
    assert values(group)["112039"] == "Photograph 1-1"
    assert "ContentSequence" not in child(group, "363698007")
    assert not {"71491-5", "71490-7"} & set(names(group))
    assert "No photograph arrived that is known to show the left eye." in conclusion(document)


def test_a_missing_eye_is_a_sentence_and_no_group(examine: Any, report: Report) -> None:
    document = report(examine(healthy(R)))
    assert len(groups(document)) == 1
    assert "No photograph of the left eye arrived. Nothing can be said about it." in conclusion(document)
    assert "Not a negative result." in conclusion(document)
    assert conclusion(document).endswith("Research use, not for diagnosis.")


@pytest.mark.parametrize(("reason", "code"), [(Reason.DAMAGED, "111213"), (Reason.GRADING_FAILED, "111220")])
def test_what_nobody_could_open_is_not_gradable_with_full_certainty(
    reason: Reason, code: str, examine: Any, report: Report
) -> None:
    document = report(examine(Shot(R, None, Gradability.UNREADABLE, reason), healthy(L)))
    group = groups(document)[1]
    assert (values(group)["RG-NG"], values(group)["111052"]) == (100.0, code)


def test_the_worse_eye_comes_first(examine: Any, report: Report) -> None:
    document = report(examine(healthy(R), ungradable(R), Shot(L, 2), Shot(R, 1)))
    tracked = [values(group)["112039"] for group in groups(document)]
    assert tracked == ["Photograph 3-1 L", "Photograph 4-1 R", "Photograph 1-1 R", "Photograph 2-1 R"]


def test_each_frame_of_several_has_its_own_group_and_number(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 2, frames=2, grades=(0, 2)), healthy(L)))
    found = []
    for group in groups(document):
        image = child(group, "111030").ContentSequence[0].ReferencedSOPSequence[0]
        found.append((values(group)["112039"], image.get("ReferencedFrameNumber")))
    assert found == [("Photograph 1-2 R", 2), ("Photograph 1-1 R", 1), ("Photograph 2-1 L", None)]


def test_T12_no_group_of_the_other_template_stands_in_the_document(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 3), ungradable(L), Shot(None, 1)))
    assert {group.ContentTemplateSequence[0].TemplateIdentifier for group in groups(document)} == {"1410"}


def test_everything_pointed_at_is_listed_as_evidence(examine: Any, report: Report) -> None:
    document = report(examine(Shot(R, 3), ungradable(L)))
    listed = {
        item.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    pointed = {
        item.ReferencedSOPInstanceUID
        for element in document.ContentSequence[8:]
        for found in element.iterall()
        if found.keyword == "ReferencedSOPSequence"
        for item in found.value
    }
    assert pointed == listed
    assert len(listed) == 3


def test_an_order_of_the_source_is_repeated_whole_or_not_at_all(examine: Any, report: Report) -> None:
    without = examine(healthy(R))
    assert "ReferencedRequestSequence" not in report(without)
    request = Dataset()
    request.StudyInstanceUID, request.AccessionNumber, request.RequestedProcedureID = "1.2.3", "A1", "RP1"
    header = Dataset()
    header.update(without.attributes)
    header.ReferencedRequestSequence = [request]
    assert report(replace(without, attributes=header)).ReferencedRequestSequence[0].RequestedProcedureID == "RP1"


def test_a_later_revision_names_its_predecessor_and_tracks_the_same_findings(examine: Any, report: Report) -> None:
    first = examine(Shot(R, 3), healthy(L))
    document = report(first)
    before = Predecessor(1, document.SOPClassUID, document.SOPInstanceUID, document.SeriesInstanceUID)
    later = report(replace(first, revision=2, predecessor=before))
    series = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == document.SOPInstanceUID
    assert later.SOPInstanceUID != document.SOPInstanceUID
    assert later.SeriesInstanceUID == document.SeriesInstanceUID
    assert [values(group)["112040"] for group in groups(later)] == [
        values(group)["112040"] for group in groups(document)
    ]


def test_T16_R5_two_builds_at_different_times_give_the_same_bytes(
    examine: Any, built: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    examination = examine(Shot(R, 3), healthy(L))
    before = built(examination)

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Later":
            return cls(2031, 1, 2, 3, 4, 5, tzinfo=tz)

    class Module:
        datetime, date, time, timezone, timedelta = Later, dt.date, dt.time, dt.timezone, dt.timedelta

    for module in (highdicom.base, highdicom.base_content, highdicom.sr.sop):
        monkeypatch.setattr(module, "datetime", Module)
    assert highdicom.base.datetime.datetime.now().year == 2031
    assert built(examination) == before


def test_another_library_reads_the_groups_back(examine: Any, report: Report) -> None:
    document = Comprehensive3DSR.from_dataset(report(examine(Shot(R, 3), healthy(L))))
    assert len(document.content.get_planar_roi_measurement_groups()) == 2


def test_a_study_without_any_attribute_is_reported_all_the_same(examine: Any, report: Report) -> None:
    bare = replace(examine(healthy(R), study=Study()), attributes=Dataset())
    assert report(bare).PatientID == ""
