"""Runs a question in a thread of its own, so that one that hangs holds up neither the others nor the end."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Answer(Generic[T]):
    """The answer of a question that has been put."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def within(self, seconds: float) -> T | None:
        """Return the answer, or None when there is none in time; raises what the question raised."""
        try:
            return self._future.result(max(0.0, seconds))
        except TimeoutError:
            if self._future.done():  # the question's own
                raise
            return None


def begin(question: Callable[[], T]) -> Answer[T]:
    """Put a question; the thread dies with the process, whatever it waits for."""
    future: Future[T] = Future()

    def ask() -> None:
        try:
            future.set_result(question())
        except BaseException as error:  # noqa: BLE001 - handed to whoever wants the answer
            future.set_exception(error)

    threading.Thread(target=ask, name="question", daemon=True).start()
    return Answer(future)
