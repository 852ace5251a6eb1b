"""A stand-in bundle, what computes it, and a child that runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stand_in_bundle

from inference.bundle import load_bundle
from inference.child import Child
from inference.examine import Examiner
from inference.runners.choice import choose


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a bundle without training; it is shared, so leave it as it is."""
    return stand_in_bundle.make(tmp_path_factory.mktemp("bundle") / "stand-in")


@pytest.fixture(scope="session")
def with_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a bundle that torch runs too; it is shared, so leave it as it is."""
    import torch_bundle  # torch takes long to load

    return torch_bundle.make(tmp_path_factory.mktemp("weights") / "torch-stand-in")


@pytest.fixture(scope="session")
def examiner(stand_in: Path) -> Examiner:
    """Give the whole story of a file, in this process."""
    bundle = load_bundle(stand_in)
    return Examiner(bundle, choose(bundle, device="cpu", threads=1))


@pytest.fixture(scope="module")
def child(stand_in: Path) -> Iterator[Child]:
    """Give a child with the stand-in bundle, shared by a module's tests."""
    child = Child(stand_in, threads=1)
    yield child
    child.stop()
