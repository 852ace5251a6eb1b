"""What route tests ask the service and the PACS."""

from io import BytesIO
from pathlib import Path
from typing import Any

from private_orthanc import Orthanc
from pydicom import Dataset, dcmread
from running_service import Service
from studies import Study

SR = "1.2.840.10008.5.1.4.1.1.88.34"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
LOINC_EYES = {"71491-5", "71490-7"}


def case_of(service: Service, study: Study) -> Any:
    """Return the case of a study, or nothing while there is none."""
    items = service.api(f"/cases?study_instance_uid={study.uid}")["items"]
    return items[0] if items else None


def delivered(service: Service, study: Study) -> Any:
    """Return the case of a study once all its objects were sent."""
    case = case_of(service, study)
    sent = case and case["deliveries"] and all(delivery["state"] == "sent" for delivery in case["deliveries"])
    return case if sent else None


def results(orthanc: Orthanc, study: Study, folder: Path) -> list[Dataset]:
    """Return what the PACS holds of a study, written into a folder for the validators."""
    folder.mkdir(exist_ok=True)
    found = []
    for uid in sorted(orthanc.instances()):
        data = orthanc.file(uid)
        (folder / f"{uid}.dcm").write_bytes(data)
        dataset = dcmread(BytesIO(data))
        if study.uid == dataset.StudyInstanceUID:
            found.append(dataset)
    return found


def grades_in(report: Dataset) -> dict[str, str]:
    """Return the LOINC answers of a report by the LOINC code of the eye."""
    answers = {}
    for content in report.iterall():
        if content.keyword == "ConceptNameCodeSequence" and content.value[0].CodeValue in LOINC_EYES:
            answers[content.value[0].CodeValue] = content
    return {
        item.ConceptNameCodeSequence[0].CodeValue: item.ConceptCodeSequence[0].CodeValue
        for item in _items(report)
        if item.ConceptNameCodeSequence[0].CodeValue in answers
    }


def _items(container: Dataset) -> Any:
    for item in container.get("ContentSequence", []):
        if "ConceptNameCodeSequence" in item:
            yield item
        yield from _items(item)
