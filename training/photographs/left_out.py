"""Labelled photographs that are not used: which, why, and how a person hears of it."""

import logging
from dataclasses import dataclass

from training.photographs.photograph import Photograph

_TOLD = 10  # names a person reads; all of them are there at level INFO

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A labelled photograph that is not used.

    Attributes:
        photograph: which.
        reason: one sentence.
    """

    photograph: Photograph
    reason: str


def tell(left_out: list[LeftOut]) -> None:
    """Log what is left out: the first by name, of many the rest as a number."""
    for place, out in enumerate(left_out):
        level = logging.WARNING if place < _TOLD else logging.INFO
        _log.log(level, "%s is left out. %s", out.photograph.path.name, out.reason)
    if len(left_out) > _TOLD:
        _log.warning("%d more are left out.", len(left_out) - _TOLD)
