"""One photograph's answer as a measurement group: TID 1410, the region is the retina (PS3.16).

A viewer shows a group's numbers by their names and nothing else, so whatever must be seen is a number whose name says
it: the grade, or that there is none.
"""

import numpy as np
import numpy.typing as npt
from highdicom.sr import (
    AlgorithmIdentification,
    FindingSite,
    GraphicTypeValues,
    ImageContentItem,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForRegion,
    TrackingIdentifier,
)

from casebook.words import Gradability
from reporting import attributes, codes, layout
from reporting.layout import Place
from reporting.source import Circle, FrameAnswer, Source

_LEAST_CERTAINTY = 0.1  # percent: 0 would be shown blank
_WITHOUT_A_GATE = 1.0  # what could not be opened is certainly not gradable


def group(source: Source, answer: FrameAnswer, overlay: Place | None) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return the group of one frame.

    Args:
        source: the photograph.
        answer: what is known of the frame.
        overlay: the place of its heat-map, where it has one.
    """
    built = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=layout.tracking_uid(source, answer.frame), identifier=_tracking_name(source, answer)
        ),
        finding_type=codes.DISORDER.get(answer.grade) if answer.grade is not None else None,
        finding_sites=[
            FindingSite(codes.RETINA, laterality=codes.SIDES[source.laterality] if source.laterality else None)
        ],
        algorithm_id=_algorithm(answer),
        measurements=_measurements(answer),
        qualitative_evaluations=_evaluations(source, answer),
        referenced_region=_region(source, answer),
    )
    if overlay is not None:
        built[0].ContentSequence.append(
            ImageContentItem(
                name=codes.VISUAL_EXPLANATION,
                referenced_sop_class_uid=overlay.sop_class_uid,
                referenced_sop_instance_uid=overlay.sop_instance_uid,
                relationship_type=RelationshipTypeValues.CONTAINS,
            )
        )
    return built


def _tracking_name(source: Source, answer: FrameAnswer) -> str:
    return f"Photograph {source.position}-{answer.frame} {source.laterality or ''}".rstrip()


def _algorithm(answer: FrameAnswer) -> AlgorithmIdentification:
    grader = answer.grader
    if grader is None:
        return AlgorithmIdentification(
            attributes.MODEL, attributes.software_version(), None, None, attributes.MANUFACTURER
        )
    thresholds = ",".join(f"{threshold:g}" for threshold in grader.thresholds)
    return AlgorithmIdentification(
        name=attributes.MODEL,
        version=f"{grader.name} {grader.version}",
        manufacturer=attributes.MANUFACTURER,
        parameters=[
            f"bundle={grader.name}-{grader.version} sha256={grader.sha256}",
            f"runner={grader.runner} thresholds={thresholds}",
        ],
    )


def _measurements(answer: FrameAnswer) -> list[Measurement]:
    """Return the numbers in the order a viewer shows them."""
    numbers = []
    if answer.grade is not None and answer.confidence is not None and answer.score is not None:
        numbers = [
            Measurement(codes.GRADE[answer.grade], answer.grade, codes.GRADE_UNIT),
            Measurement(codes.CERTAINTY, round(100 * answer.confidence, 1), codes.PERCENT),
            Measurement(codes.SCORE, round(answer.score, 2), codes.SCORE_UNIT),
        ]
    if answer.gradability is not Gradability.GRADABLE:
        name = codes.LIMITED_QUALITY if answer.is_graded else codes.NOT_GRADABLE
        certainty = _WITHOUT_A_GATE if answer.certainty is None else answer.certainty
        numbers.append(Measurement(name, max(_LEAST_CERTAINTY, round(100 * certainty, 1)), codes.PERCENT))
    return numbers


def _evaluations(source: Source, answer: FrameAnswer) -> list[QualitativeEvaluation]:
    quality = codes.QUALITY.get(answer.gradability, codes.QUALITY[Gradability.UNGRADABLE])
    evaluations = [QualitativeEvaluation(codes.IMAGE_QUALITY, quality)]
    question = codes.SEVERITY_LEVEL.get(source.laterality) if source.laterality is not None else None
    if question is not None and answer.grade is not None:
        evaluations.append(QualitativeEvaluation(question, codes.SEVERITY[answer.grade]))
    if answer.gradability is not Gradability.GRADABLE:
        evaluations.append(QualitativeEvaluation(codes.QUALITY_FINDING, codes.quality_finding(answer.reason)))
    return evaluations


def _region(source: Source, answer: FrameAnswer) -> ImageRegion:
    image = SourceImageForRegion(
        source.sop_class_uid,
        source.sop_instance_uid,
        [answer.frame] if source.number_of_frames > 1 else None,
    )
    if answer.is_graded and answer.circle is not None:
        return ImageRegion(GraphicTypeValues.CIRCLE, _circle(answer.circle), image)
    return ImageRegion(GraphicTypeValues.POLYLINE, _frame(source.columns or 1, source.rows or 1), image)


def _circle(circle: Circle) -> npt.NDArray[np.float64]:
    """Return centre and a point on the rim, (2, 2) column and row.

    SCOORD counts from the corner of the first pixel (PS3.3 C.18.6.1.1), our circles from its centre.
    """
    x, y = circle.x + 0.5, circle.y + 0.5
    return np.array([(x, y), (x + circle.radius, y)]).round(2)


def _frame(columns: int, rows: int) -> npt.NDArray[np.float64]:
    """Return the closed outline of a frame, (9, 2): corners and mid-sides.

    OHIF takes an outline of four or five points for a rectangle that can be edited.
    """
    x, y = columns / 2, rows / 2
    return np.array(
        [(0, 0), (x, 0), (columns, 0), (columns, y), (columns, rows), (x, rows), (0, rows), (0, y), (0, 0)], np.float64
    )
