"""Sends DICOM files to a destination of the settings: ``retinagate send FILE... --to NAME``."""

from collections.abc import Iterator
from pathlib import Path

import click
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from casebook.deliveries import Effect
from casebook.errors import BadInput
from casebook.settings import Destination, Settings
from reporting.store import Cargo, Lane, Limits, Unsendable


def run(settings: Settings, paths: list[Path], name: str) -> int:
    """Send every file, and return 0 when the destination took them all.

    Raises:
        BadInput: there is no such destination, or a file is no DICOM object.
    """
    destination = _destination(settings, name)
    cargoes = [(path, _cargo(path)) for path in _files(paths)]
    if not cargoes:
        raise BadInput("There are no files to send.", "Name files or a folder that holds some.")
    failed = 0
    try:
        with Lane(destination, settings.listener.ae_title, [cargo for _, cargo in cargoes], Limits()) as lane:
            for path, cargo in cargoes:
                attempt = lane.send(cargo, path)
                taken = attempt.effect is Effect.DELIVERED
                failed += not taken
                click.echo(f"{'sent  ' if taken else 'FAILED'}  {path}  {attempt.sentence}".rstrip())
                if attempt.breaks_lane:
                    break
    except Unsendable as refused:
        click.echo(f"retinagate: {refused.attempt.sentence}", err=True)
        return 1
    return 1 if failed else 0


def _destination(settings: Settings, name: str) -> Destination:
    for destination in settings.destinations:
        if destination.name == name:
            return destination
    names = ", ".join(destination.name for destination in settings.destinations) or "none"
    raise BadInput(f"There is no destination {name}.", f"Configured are: {names}.")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inner for inner in path.rglob("*") if inner.is_file())
        else:
            yield path


def _cargo(path: Path) -> Cargo:
    try:
        meta = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta
    except (InvalidDicomError, OSError):
        raise BadInput(f"{path} is not a DICOM file.", "Name DICOM files only.") from None
    return Cargo(str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), path.name)
