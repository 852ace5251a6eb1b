"""OHIF's published handler for Structured Reports opens every variant of our report and shows each answer in words.

The handler runs under Node with the libraries it imports; the viewer around it is stubbed (``tests/node``), so nothing
here says how a browser draws it. Signed reports and a reader's groups are not written yet, so not shown here either.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graded_case import Shot, Study, add_revision, healthy, write_case
from highdicom.sr import (
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from report_variants import VARIANTS, L, R, Written

from casebook.archive import Archive
from casebook.database import Database
from casebook.uids import derived_uid
from casebook.words import GRADED, GRADES, Gradability
from reporting import codes, layout, source, structured_report
from reporting.source import Examination, FrameAnswer, Predecessor, Source

pytestmark = pytest.mark.peer("node")

NOW = datetime(2026, 3, 12, 8, 2, tzinfo=UTC)
TWO_EYES = VARIANTS["two graded eyes"]
ONE_UNGRADABLE = VARIANTS["one ungradable eye"]
NOT_GRADABLE = "Not gradable, no grade given: "
MOST_LINES = 5  # what its text box shows of one region

Seen = dict[str, Any]


class Writer:
    """Writes studies side by side into one folder, each with its own UIDs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'casebook.sqlite3'}")
        self.database.create_schema()
        self.archive = Archive(folder / "archive", reserve_mb=0)
        self.archive.prepare("an-installation", is_new=True)
        self.studies: list[Path] = []

    def write(self, name: str, shots: list[Shot]) -> Written:
        study = Study(name)
        with self.database.transaction() as t:
            examination = source.load(t, write_case(t, self.archive, shots, NOW, study), NOW)
        return self._written(name, examination, study, shots)

    def write_revisions(self, name: str, first: list[Shot], late: list[Shot]) -> None:
        """Write a study whose series of reports holds two revisions."""
        study = Study(name)
        with self.database.transaction() as t:
            revision = write_case(t, self.archive, first, NOW, study)
            before = source.load(t, revision, NOW)
            after = source.load(t, add_revision(t, self.archive, revision.case, late, NOW, study), NOW)
        place = layout.places(before)[-1]
        predecessor = Predecessor(1, place.sop_class_uid, place.sop_instance_uid, place.series_instance_uid)
        written = self._written(name, replace(after, predecessor=predecessor), study, [*first, *late])
        earlier = Written(self.folder / "earlier", self.archive, before, study, first)
        earlier.report.rename(written.report.with_name("sr-earlier.dcm"))

    def _written(self, name: str, examination: Examination, study: Study, shots: list[Shot]) -> Written:
        self.studies.append(self.folder / name)
        return Written(self.folder / name, self.archive, examination, study, shots)


@pytest.fixture(scope="module")
def seen(
    program: Callable[[str], str], node_modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Seen]]:
    """Open all studies of this module in one run of Node, and give what was seen by the study's name."""
    writer = Writer(tmp_path_factory.mktemp("ohif"))
    for variant, shots in VARIANTS.items():
        writer.write(variant, shots)
        _as_dicom_json(writer.write(f"{variant}, DICOM JSON", shots))
    writer.write_revisions("two revisions", [Shot(R, 3), healthy(L)], [Shot(L, 4)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structured_report, "group", _whole_image_group)
        writer.write("the other template", TWO_EYES)
    for name, damage in BROKEN.items():
        _damaged(writer.write(name, ONE_UNGRADABLE).report, damage)
    script = node_modules.parent / "ohif_sr.mjs"
    ran = subprocess.run([program("node"), str(script), *map(str, writer.studies)], capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")[-4000:]
    yield {Path(folder).name: study for folder, study in json.loads(ran.stdout).items()}
    writer.database.close()


@pytest.mark.parametrize("form", ["", ", DICOM JSON"])
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_loads_with_one_read_only_region_for_each_answer(
    variant: str, form: str, seen: dict[str, Seen]
) -> None:
    study = seen[variant + form]
    assert study["threw"] is None
    assert study["isRehydratable"] is False
    expected = {
        (_photograph(variant + form, number), frame): _region(shot)
        for number, shot in enumerate(VARIANTS[variant], start=1)
        for frame in range(1, shot.frames + 1)
    }
    assert len(study["annotations"]) == len(expected)
    for one in study["annotations"]:
        graphic, points = expected[(one["sop_instance_uid"], one["frame"])]
        assert (one["graphic"], [tuple(point) for point in one["points"]]) == (graphic, points)


@pytest.mark.parametrize("form", ["", ", DICOM JSON"])
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_answer_is_shown_in_words_and_no_line_is_cut_off(variant: str, form: str, seen: dict[str, Seen]) -> None:
    shown = _by_photograph(seen[variant + form])
    for number, shot in enumerate(VARIANTS[variant], start=1):
        for frame in range(1, shot.frames + 1):
            one = shown[_photograph(variant + form, number), frame]
            lines = one["lines"]
            assert one["labels"] == len(lines) <= MOST_LINES
            assert lines[-1] == "363698007: Retina"
            if shot.gradability in GRADED:
                grade = shot.grades[frame - 1] if shot.grades else shot.grade
                assert grade is not None
                assert lines[0].startswith(_in_words(grade))
                assert not any("gradable" in line for line in lines)
            else:
                assert lines[0].startswith(NOT_GRADABLE)
                assert not any("DR grade" in line or "score" in line for line in lines)
            limited = shot.gradability is Gradability.LIMITED
            assert any(line.startswith("Limited image quality: ") for line in lines) is limited


def test_a_zero_is_shown_blank_so_the_words_alone_say_healthy(seen: dict[str, Seen]) -> None:
    shown = _by_photograph(seen["two graded eyes"])
    assert shown[_photograph("two graded eyes", 1), 1]["lines"] == [
        "DR grade 3 of 4, severe non-proliferative: 3.00 {grade}",
        "Certainty of Finding: 81.00 %",
        "Diabetic retinopathy severity score, 0 to 4: 3.12 {score}",
        "363698007: Retina",
    ]
    assert (
        shown[_photograph("two graded eyes", 2), 1]["lines"][0] == "DR grade 0 of 4, no apparent retinopathy:  {grade}"
    )


def test_the_worse_eye_is_shown_first(seen: dict[str, Seen]) -> None:
    revisions = seen["two revisions"]["annotations"]
    assert [one["lines"][0].split(",")[0] for one in revisions] == [
        "DR grade 4 of 4", "DR grade 3 of 4", "DR grade 0 of 4",
    ]  # fmt: skip
    assert "DR grade 4" in seen["one ungradable eye"]["annotations"][0]["lines"][0]


def test_of_two_revisions_in_the_series_the_later_one_is_shown(seen: dict[str, Seen]) -> None:
    study = seen["two revisions"]
    assert study["threw"] is None
    assert set(_by_photograph(study)) == {(_photograph("two revisions", number), 1) for number in (1, 2, 3)}


def test_T12_a_group_of_the_other_template_makes_it_throw(seen: dict[str, Seen]) -> None:
    assert "ReferencedSOPSequence" in seen["the other template"]["threw"]


def test_a_report_with_a_fault_is_noticed(seen: dict[str, Seen]) -> None:
    assert "UID" in seen["no tracking UID"]["threw"]
    assert "'CodeValue'" in seen["a number without a value"]["threw"]
    assert set(_by_photograph(seen["pointing elsewhere"])) == {(_photograph("pointing elsewhere", 1), 1)}
    assert seen["an outline of five points"]["isRehydratable"] is True
    assert seen["an outline of five points"]["threw"] is None


def _photograph(study: str, number: int) -> str:
    return derived_uid("test photograph", study, number)


def _by_photograph(study: Seen) -> dict[tuple[str, int], Seen]:
    return {(one["sop_instance_uid"], one["frame"]): one for one in study["annotations"]}


def _in_words(grade: int) -> str:
    words = GRADES[grade].removesuffix(" retinopathy") if grade else GRADES[0]
    number = f"{grade:.2f}" if grade else ""  # the viewer shows no 0
    return f"DR grade {grade} of 4, {words}: {number} "


def _region(shot: Shot) -> tuple[str, list[tuple[float, float]]]:
    """Return the region as drawn, in pixels from the centre of the first one: the retina's circle, or the frame."""
    if shot.circle is not None and shot.gradability in GRADED:
        x, y, radius = shot.circle
        return "CIRCLE", [(x, y + radius), (x, y - radius), (x + radius, y), (x - radius, y)]
    left, middle, right, top, centre, bottom = -0.5, 31.5, 63.5, -0.5, 23.5, 47.5
    corners = [(left, top), (middle, top), (right, top), (right, centre), (right, bottom), (middle, bottom)]
    return "POLYLINE", [*corners, (left, bottom), (left, centre), (left, top)]


def _as_dicom_json(written: Written) -> None:
    """Write a study's objects as a web server gives their metadata (PS3.18 F)."""
    for file in [*written.sources, *written.ours]:
        dataset = dcmread(file, stop_before_pixels=True)
        file.with_suffix(".json").write_text(dataset.to_json())
        file.unlink()


def _whole_image_group(photograph: Source, answer: FrameAnswer, _: object) -> MeasurementsAndQualitativeEvaluations:
    """Return the same answer as TID 1501, whose subject is the whole picture."""
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=layout.tracking_uid(photograph, answer.frame), identifier="1501"),
        measurements=[Measurement(codes.GRADE[answer.grade or 0], answer.grade or 0, codes.GRADE_UNIT)],
        source_images=[SourceImageForMeasurementGroup(photograph.sop_class_uid, photograph.sop_instance_uid)],
    )


def _damaged(report: Path, damage: Callable[[Dataset], None]) -> None:
    """Damage the second group of a report, that of the ungradable eye."""
    document = dcmread(report)
    found = next(item for item in document.ContentSequence if _code(item) == "126010")
    damage(found.ContentSequence[1])
    document.save_as(report)


def _code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def _child(group: Dataset, code: str) -> Dataset:
    return next(item for item in group.ContentSequence if _code(item) == code)


def _without_tracking(group: Dataset) -> None:
    group.ContentSequence.remove(_child(group, "112040"))


def _without_value(group: Dataset) -> None:
    _child(group, "RG-NG").MeasuredValueSequence = [Dataset()]


def _pointing_elsewhere(group: Dataset) -> None:
    _child(group, "111030").ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def _five_points(group: Dataset) -> None:
    _child(group, "111030").GraphicData = [0, 0, 64, 0, 64, 48, 0, 48, 0, 0]


BROKEN = {
    "no tracking UID": _without_tracking,
    "a number without a value": _without_value,
    "pointing elsewhere": _pointing_elsewhere,
    "an outline of five points": _five_points,
}
