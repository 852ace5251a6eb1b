"""The overlay: our JPEG as it is, honest about its losses and about whether pixels lie where they did."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from graded_case import Shot, healthy, jpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from casebook.errors import BadInput
from casebook.words import Laterality
from reporting import layout, overlay
from reporting.overlay import Jpeg, read_jpeg
from reporting.source import Examination

R, L = Laterality.RIGHT, Laterality.LEFT
Overlays = Callable[[Examination], list[Dataset]]


def test_the_picture_inside_is_our_jpeg_byte_for_byte(examine: Any, overlays: Overlays, archive: Any) -> None:
    examination = examine(healthy(R), healthy(L))
    for source, result in zip(examination.sources, overlays(examination), strict=True):
        inside = next(generate_frames(result.PixelData, number_of_frames=1))
        assert inside.rstrip(b"\0") == archive.read(source.frames[0].overlay).rstrip(b"\0")
        assert result.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"


def test_it_points_at_its_photograph_and_says_which_eye(examine: Any, overlays: Overlays) -> None:
    examination = examine(Shot(R, 2, frames=2), healthy(L))
    results = overlays(examination)
    assert [result.ImageLaterality for result in results] == ["R", "R", "L"]
    references = [result.SourceImageSequence[0] for result in results]
    assert [reference.get("ReferencedFrameNumber") for reference in references] == [1, 2, None]
    for reference, source in zip(references, [examination.sources[0], *examination.sources], strict=True):
        assert reference.ReferencedSOPInstanceUID == source.sop_instance_uid
        assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert results[0].BurnedInAnnotation == results[0].RecognizableVisualFeatures == "NO"
    assert "not where disease is" in results[0].DerivationDescription


def test_an_unknown_side_is_empty_and_not_guessed(examine: Any, overlays: Overlays) -> None:
    result = overlays(examine(Shot(None, 2)))[0]
    assert "ImageLaterality" not in result
    assert result.Laterality == ""


def test_pixels_that_moved_are_not_said_to_lie_where_they_did(examine: Any, overlays: Overlays) -> None:
    result = overlays(examine(Shot(R, 2, overlay_scale=2)))[0]
    assert (result.Rows, result.Columns) == (24, 32)
    assert result.SourceImageSequence[0].SpatialLocationsPreserved == "NO"
    assert result.DerivationCodeSequence[0].CodeValue == "113085"


def test_pixels_that_stayed_are_said_to(examine: Any, overlays: Overlays) -> None:
    result = overlays(examine(Shot(R, 2)))[0]
    assert result.SourceImageSequence[0].SpatialLocationsPreserved == "YES"
    assert "DerivationCodeSequence" not in result


@pytest.mark.parametrize(
    ("syntax", "stated", "ratios", "methods"),
    [
        ("1.2.840.10008.1.2.1", {}, 1, ["ISO_10918_1"]),
        ("1.2.840.10008.1.2.1", {"LossyImageCompression": "00"}, 1, ["ISO_10918_1"]),
        ("1.2.840.10008.1.2.4.50", {}, 2, ["ISO_10918_1", "ISO_10918_1"]),
        ("1.2.840.10008.1.2.4.91", {}, 2, ["ISO_15444_1", "ISO_10918_1"]),
        ("1.2.840.10008.1.2.1", {"LossyImageCompression": "01"}, 2, ["ISO_10918_1", "ISO_10918_1"]),
        (
            "1.2.840.10008.1.2.4.50",
            {"LossyImageCompression": "01", "LossyImageCompressionRatio": 12.5,
             "LossyImageCompressionMethod": "ISO_15444_1"},
            2,
            ["ISO_15444_1", "ISO_10918_1"],
        ),
        (
            "1.2.840.10008.1.2.4.50",
            {"LossyImageCompression": "01", "LossyImageCompressionRatio": [3, 4],
             "LossyImageCompressionMethod": ["ISO_15444_1", "ISO_10918_1"]},
            3,
            ["ISO_15444_1", "ISO_10918_1", "ISO_10918_1"],
        ),
    ],
)  # fmt: skip
def test_T19_once_lossy_is_always_lossy(
    syntax: str, stated: dict[str, Any], ratios: int, methods: list[str], examine: Any
) -> None:
    examination = examine(healthy(R))
    header = Dataset()
    for keyword, value in stated.items():
        setattr(header, keyword, value)
    source = replace(examination.sources[0], transfer_syntax_uid=syntax, attributes=header)
    place = layout.places(replace(examination, sources=(source,)))[0]
    result = overlay.build(examination, place, jpeg())
    assert result.LossyImageCompression == "01"
    found = result["LossyImageCompressionMethod"]
    assert (list(found.value) if found.VM > 1 else [found.value]) == methods
    assert ratios == result["LossyImageCompressionRatio"].VM


@pytest.mark.parametrize(("subsampling", "photometric"), [(0, "YBR_FULL"), (1, "YBR_FULL_422"), (2, "YBR_FULL_422")])
def test_the_colour_model_is_the_one_of_the_stream(subsampling: int, photometric: str, examine: Any) -> None:
    examination = examine(healthy(R))
    result = overlay.build(examination, layout.places(examination)[0], jpeg(subsampling=subsampling))
    assert result.PhotometricInterpretation == photometric


def test_T28_only_what_is_baseline_goes_out_as_baseline() -> None:
    picture = Image.new("RGB", (20, 10))
    assert read_jpeg(jpeg(20, 10, 0)) == Jpeg(10, 20, is_subsampled=False)
    for options in ({"progressive": True}, {"mode": "L"}):
        stream = io.BytesIO()
        chosen = picture.convert(str(options.pop("mode", "RGB")))
        chosen.save(stream, "JPEG", **options)
        with pytest.raises(BadInput):
            read_jpeg(stream.getvalue())


def test_a_picture_cut_anywhere_is_refused_or_known_by_its_header() -> None:
    whole = jpeg(16, 16)
    for cut in range(len(whole)):
        try:
            assert read_jpeg(whole[:cut]) == Jpeg(16, 16, is_subsampled=True)
        except BadInput:
            continue


@given(st.binary(max_size=400), st.integers(0, 600))
def test_no_bytes_crash_the_reader_of_our_pictures(junk: bytes, cut: int) -> None:
    for data in (junk, b"\xff\xd8" + junk, jpeg()[:cut], jpeg()[:20] + junk):
        try:
            found = read_jpeg(data)
        except BadInput:
            continue
        assert found.rows >= 0
