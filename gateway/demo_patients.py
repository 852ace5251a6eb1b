"""The synthetic patients of the demonstration: what was drawn of each eye, for the grader to say what it sees."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import simplejpeg
from pydicom import Dataset

from casebook.words import Laterality
from inference import phantom
from inference.phantom import FEW, HEALTHY, MANY, PROLIFERATIVE, Lesions, Picture
from inference.phantom_dicom import ophthalmic_photograph, synthetic_uid

_SIDE = 1400  # pixels, as a small hospital camera has
_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Eye:
    """One photograph to be drawn."""

    laterality: Laterality
    lesions: Lesions
    blurred: bool = False


@dataclass(frozen=True, slots=True)
class Patient:
    """A synthetic patient, named after what is drawn; every run has a study of its own."""

    name: str
    seed: int
    eyes: tuple[Eye, ...]
    study: str

    def photographs(self) -> Iterator[tuple[Eye, Dataset]]:
        """Draw each eye, and wrap it as the object a camera would send."""
        taken_at = datetime.now(UTC)
        for number, eye in enumerate(self.eyes, 1):
            photograph = ophthalmic_photograph(
                simplejpeg.encode_jpeg(self._draw(eye), quality=_QUALITY),
                laterality=eye.laterality,
                study_uid=self.study,
                series_uid=f"{self.study}.1",
                sop_uid=f"{self.study}.1.{number}",
                patient_name=f"SYNTHETIC^{self.name}",
                patient_id=f"RG-DEMO-{self.seed}",
                taken_at=taken_at,
                instance_number=number,
            )
            yield eye, photograph

    def _draw(self, eye: Eye) -> Picture:
        seed = 2 * self.seed + (eye.laterality is Laterality.LEFT)
        picture = phantom.draw(seed, lesions=eye.lesions, laterality=eye.laterality, size=_SIDE)
        return phantom.blurred(picture) if eye.blurred else picture


def patients() -> list[Patient]:
    """Return the patients of one run, in the order in which they come to the camera."""
    right, left = Laterality.RIGHT, Laterality.LEFT
    eyes = {
        "Healthy pair": (Eye(right, HEALTHY), Eye(left, HEALTHY)),
        "Few lesions": (Eye(right, HEALTHY), Eye(left, FEW)),
        "One eye only": (Eye(left, HEALTHY),),
        "Many lesions": (Eye(right, MANY), Eye(left, FEW)),
        "Out of focus": (Eye(right, HEALTHY, blurred=True), Eye(left, HEALTHY)),
        "New vessels": (Eye(right, PROLIFERATIVE), Eye(left, MANY)),
    }
    return [
        Patient(name, seed, of_patient, synthetic_uid("demo", secrets.token_hex(16)))
        for seed, (name, of_patient) in enumerate(eyes.items(), 1)
    ]
