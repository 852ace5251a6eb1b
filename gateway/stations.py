"""Makes the stations of a worker from the settings, and ends them."""

from collections.abc import Callable
from pathlib import Path

from gateway.house import House
from gateway.worker import Station
from inference.children import Children
from inference.station import Grader
from reporting.station import Reporter, Sender


class Stations:
    """Grader, reporter and sender of one process, with the children that read what peers sent.

    Args:
        house: what they stand on.
        bundle: folder of the bundle that grades.
    """

    def __init__(self, house: House, bundle: Path) -> None:
        settings = house.settings
        # A cache is code that a process will load: it lies in the home folder, for the service's user alone.
        self._children = Children(bundle, device=settings.model.device, cache=settings.home / "cache")
        self._sender = Sender(
            house.database, house.archive, house.destinations, settings.listener.ae_title, house.clock
        )
        self._all: list[Station] = [
            Grader(house.database, house.archive, self._children, house.clock),
            Reporter(house.database, house.archive, settings.destinations, house.clock),
            self._sender,
        ]

    def all(self) -> list[Station]:
        """Return every station."""
        return self._all

    def start(self) -> None:
        """Start the children; they check their model while the rest goes on."""
        self._children.start()

    def model_ready(self) -> bool:
        """Say whether a photograph could be graded now; a child that died idle is started again by asking."""
        return self._children.is_ready()

    def model_detail(self) -> str:
        """Say in words what grades, or why nothing does."""
        ready = self._children.ready
        if ready is None:
            return self._children.refusal or "is starting"
        return f"{ready.in_words}. {ready.fallback}".strip()

    def stop(self, wait_until_idle: Callable[[float], bool], seconds: float) -> None:
        """End the object being sent and the picture being graded, or give that one back after so many seconds (R19)."""
        self._sender.stop()
        wait_until_idle(seconds)
        self._children.stop()
        wait_until_idle(2.0)
