"""Studies as a camera would send them: folders of Ophthalmic Photography objects."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg

from casebook.uids import derived_uid
from casebook.words import Laterality
from inference.phantom import Lesions, draw
from inference.phantom_dicom import ophthalmic_photograph

MARK = "7F3A"  # stands in every text that must never leave database, archive and pages
NAME = f"Müller-{MARK}^Jörg"


@dataclass(frozen=True)
class Study:
    """A study as a camera would send it: a folder of objects."""

    uid: str
    folder: Path
    files: tuple[Path, ...]


def make_study(folder: Path, number: int, eyes: dict[Laterality, bytes]) -> Study:
    """Wrap pictures of eyes as the Ophthalmic Photography objects of one study."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = derived_uid("route test", number)
    files = []
    for position, (laterality, jpeg) in enumerate(eyes.items(), 1):
        photograph = ophthalmic_photograph(
            jpeg, laterality=laterality, study_uid=uid, series_uid=f"{uid}.1", sop_uid=f"{uid}.1.{position}",
            patient_name=NAME, patient_id=f"PID-{MARK}-{number}", accession=f"A-{MARK}-{number}", instance_number=position,
        )  # fmt: skip
        files.append(folder / f"{number}-{position}.dcm")
        photograph.save_as(files[-1], enforce_file_format=True)
    return Study(uid, folder, tuple(files))


def phantom_jpeg(seed: int, lesions: Lesions, laterality: Laterality) -> bytes:
    """Return a synthetic eye as a camera would compress it."""
    picture = np.ascontiguousarray(draw(seed, lesions=lesions, laterality=laterality, size=1024))
    return simplejpeg.encode_jpeg(picture, quality=92)
