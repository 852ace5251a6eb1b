"""Which studies an object is arriving for right now, so that none of them is taken for complete (R16).

An entry lives from the first byte of an object to its answer, and never longer than its association. Only the process
that listens knows it, so that process also marks quiet studies ready.
"""

import threading


class InFlight:
    """The objects under way in this process, each by whatever identifies it; safe to use from many threads."""

    def __init__(self) -> None:
        self._studies: dict[object, str | None] = {}
        self._lock = threading.Lock()

    def begin(self, key: object) -> None:
        """An object begins; its study is not known yet."""
        with self._lock:
            self._studies[key] = None

    def belongs_to(self, key: object, study_instance_uid: str) -> None:
        """Its study is known now."""
        with self._lock:
            if key in self._studies:
                self._studies[key] = study_instance_uid

    def end(self, key: object) -> None:
        """It was answered, or its association is gone."""
        with self._lock:
            self._studies.pop(key, None)

    def studies(self) -> frozenset[str]:
        """Return the studies that an object is arriving for."""
        with self._lock:
            return frozenset(study for study in self._studies.values() if study is not None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._studies)
