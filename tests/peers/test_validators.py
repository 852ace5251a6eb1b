"""Every variant of our results satisfies every validator: no error, and no warning but those allowed by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dicom_validators import Verdict, dcentvfy, dciodvfy, dsrdump, pixelmed
from graded_case import Shot, Study, add_revision, camera_object, file_bytes, healthy, ungradable, write_case

from casebook.archive import Archive
from casebook.database import Database
from casebook.words import Gradability, Laterality, Product, Reason
from reporting import layout, products, source
from reporting.source import Examination, Predecessor

R, L = Laterality.RIGHT, Laterality.LEFT
VARIANTS: dict[str, list[Shot]] = {
    "two graded eyes": [Shot(R, 3, score=3.12), Shot(L, 0, score=0.0)],
    "one ungradable eye": [Shot(R, 4), ungradable(L)],
    "one eye": [Shot(R, 2)],
    "unknown side": [Shot(None, 2)],
    "limited quality": [Shot(R, 1, Gradability.LIMITED, Reason.TOO_DARK), healthy(L)],
    "two frames": [Shot(R, 2, frames=2, grades=(0, 2)), healthy(L)],
    "circle larger than the frame": [Shot(R, 2, circle=(31.5, 23.5, 400.0), overlay_scale=2), healthy(L)],
    "nothing could be opened": [
        Shot(R, None, Gradability.UNREADABLE, Reason.DAMAGED),
        ungradable(L, Reason.NOT_FUNDUS),
        ungradable(L, Reason.TRUNCATED),
        ungradable(R, Reason.MONOCHROME),
    ],
}
Program = Callable[[str], str]


class Written:
    """The objects of one variant on disk: the camera's and ours."""

    def __init__(
        self, folder: Path, archive: Archive, examination: Examination, study: Study, shots: list[Shot]
    ) -> None:
        folder.mkdir()
        self.sources, self.overlays = [], []
        for number, shot in enumerate(shots, start=1):
            self.sources.append(folder / f"camera-{number}.dcm")
            self.sources[-1].write_bytes(file_bytes(camera_object(study, shot, number)))
        for number, place in enumerate(layout.places(examination)):
            file = folder / f"{place.product}-{number}.dcm"
            file.write_bytes(products.build(examination, place, archive.read))
            if place.product is Product.SR:
                self.report = file
            else:
                self.overlays.append(file)

    @property
    def ours(self) -> list[Path]:
        return [*self.overlays, self.report]


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
