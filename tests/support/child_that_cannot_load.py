"""A child on a processor that lacks what OpenVINO needs: it dies while loading it. Named by tests only."""

import os

from inference import child_main
from inference.runners import choice


class OpenVinoRunner:
    def __init__(self, *_: object, **__: object) -> None:
        os.abort()


choice.OpenVinoRunner = OpenVinoRunner  # type: ignore[assignment,misc]

if __name__ == "__main__":
    child_main.main()
