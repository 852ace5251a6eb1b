"""Every variant of the results we emit, and how its objects come to disk: what validators and viewers are shown."""

from pathlib import Path

from graded_case import Shot, Study, camera_object, file_bytes, healthy, ungradable

from casebook.archive import Archive
from casebook.words import Gradability, Laterality, Product, Reason
from reporting import layout, products
from reporting.source import Examination

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
