"""Every variant of our results satisfies every validator: no error, and no warning but those allowed by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dicom_validators import Verdict, dcentvfy, dciodvfy, dsrdump, pixelmed
from graded_case import Shot, Study, add_revision, healthy, write_case
from report_variants import VARIANTS, L, R, Written

from casebook.archive import Archive
from casebook.database import Database
from reporting import layout, source
from reporting.source import Predecessor

Program = Callable[[str], str]


@pytest.fixture
def write(database: Database, archive: Archive, clock: Any, tmp_path: Path) -> Callable[..., Written]:
    """Write a variant's objects to disk."""

    def make(*shots: Shot, charset: str | list[str] = "ISO_IR 192", name: str = "Müller^Jürgen") -> Written:
        study = Study("variant", charset=charset, header={"PatientName": name})
        with database.transaction() as t:
            examination = source.load(t, write_case(t, archive, list(shots), clock.now(), study), clock.now())
        return Written(tmp_path / "objects", archive, examination, study, list(shots))

    return make


def flawless(verdict: Verdict) -> bool:
    assert verdict.errors == (), verdict.output
    assert verdict.warnings == (), verdict.output
    return True


@pytest.mark.peer("pixelmed")
@pytest.mark.peer("dicom3tools")
@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_satisfies_every_validator(variant: str, write: Callable[..., Written], program: Program) -> None:
    written = write(*VARIANTS[variant])
    for file in written.ours:
        assert flawless(dciodvfy(program, file))
    assert flawless(dcentvfy(program, [*written.sources, *written.ours]))
    assert flawless(dsrdump(program, written.report))
    assert flawless(pixelmed(program, written.report))


@pytest.mark.peer("pixelmed")
@pytest.mark.peer("dicom3tools")
def test_a_later_revision_with_an_order_satisfies_them_too(
    database: Database, archive: Archive, clock: Any, tmp_path: Path, program: Program
) -> None:
    study = Study("variant", charset="ISO_IR 192")
    with database.transaction() as t:
        first = write_case(t, archive, [Shot(R, 3)], clock.now(), study)
        before = layout.places(source.load(t, first, clock.now()))[-1]
        second = add_revision(t, archive, first.case, [healthy(L)], clock.now(), study)
        examination = source.load(t, second, clock.now())
    request = {
        "StudyInstanceUID": study.uid, "ReferencedStudySequence": [], "AccessionNumber": "A0815",
        "PlacerOrderNumberImagingServiceRequest": "P1", "FillerOrderNumberImagingServiceRequest": "F1",
        "RequestedProcedureID": "RP1", "RequestedProcedureDescription": "Fundus", "RequestedProcedureCodeSequence": [],
    }  # fmt: skip
    examination.attributes.ReferencedRequestSequence = [_dataset(request)]
    predecessor = Predecessor(1, before.sop_class_uid, before.sop_instance_uid, before.series_instance_uid)
    later = replace(examination, predecessor=predecessor)
    written = Written(tmp_path / "objects", archive, later, study, [Shot(R, 3), healthy(L)])
    assert flawless(dciodvfy(program, written.report))
    assert flawless(pixelmed(program, written.report))


@pytest.mark.peer("dicom3tools")
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_T24_any_character_set_that_comes_in_goes_out_valid(
    charset: str | list[str], name: str, write: Callable[..., Written], program: Program
) -> None:
    written = write(Shot(R, 3), healthy(L), charset=charset, name=name)
    for file in written.ours:
        assert flawless(dciodvfy(program, file))
    assert flawless(dcentvfy(program, written.ours))


@pytest.mark.peer("dicom3tools")
def test_a_validator_that_sees_a_fault_says_so(write: Callable[..., Written], program: Program) -> None:
    from pydicom import dcmread

    written = write(Shot(R, 3))
    broken = dcmread(written.report)
    del broken.CompletionFlag
    broken.save_as(written.report)
    assert any("CompletionFlag" in error for error in dciodvfy(program, written.report).errors)


@pytest.mark.peer("pixelmed")
def test_T4_a_validator_that_did_not_run_is_not_taken_for_a_clean_one(
    write: Callable[..., Written], program: Program
) -> None:
    written = write(Shot(R, 3))
    with pytest.raises(AssertionError, match="did not run to its end"):
        pixelmed(program, written.overlays[0])


def _dataset(values: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
