"""Asks a destination, sending it nothing, whether it would take our results (dicom 5.6)."""

from casebook.settings import Destination
from reporting import layout
from reporting.failures import Fault
from reporting.store import ECHO, Cargo, Lane, Limits, Unsendable


def probe(destination: Destination, our_title: str, limits: Limits) -> list[Fault]:
    """Associate as a delivery would, echo, and look which of its products the destination takes.

    Args:
        destination: whom to ask.
        our_title: our AE title.
        limits: how long it may take.

    Returns:
        What is wrong with it, the gravest first; empty where every product would be taken.
    """
    cargoes = [Cargo(*layout.encoding(product), str(product)) for product in destination.products]
    try:
        with Lane(destination, our_title, [ECHO, *cargoes], limits) as lane:
            # Who does not offer the echo at all may still store.
            answered = None if lane.refusal(ECHO) is not None else lane.echo()
            return [fault for fault in (answered, *map(lane.refusal, cargoes)) if fault is not None]
    except Unsendable as refused:
        return [refused.fault]
