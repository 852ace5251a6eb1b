"""What waits becomes a batch, nobody waits long for company, and a suspect is computed by itself."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from inference import batches, wire
from inference.batches import MOST, Batches
from inference.runners.cuda import OutOfGpuMemory
from inference.runners.remote import NetworkAway, RemoteRunner
from inference.runners.runner import RunnerFailed, Tensor

SIZE = 8


@dataclass
class Means:
    """A network whose score is the mean of its input, and that computes when it is let."""

    sizes: list[int] = field(default_factory=list)
    may: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1000))
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    fails: type[Exception] | None = None

    def compute(self, tensors: Tensor) -> tuple[Tensor, Tensor]:
        self.sizes.append(len(tensors))
        self.began.release()
        assert self.may.acquire(timeout=20)
        if self.fails:
            raise self.fails("the GPU has not enough free memory.")
        scores = tensors.mean(axis=(1, 2, 3))
        return scores, np.broadcast_to(scores[:, None, None], (len(tensors), 2, 2)).copy()


@pytest.fixture
def network() -> Means:
    return Means()


@pytest.fixture
def desk(network: Means) -> Batches:
    return Batches(network, SIZE, {"runner": "means 1.0", "bundle": "f" * 64})


@pytest.fixture
def address(desk: Batches, tmp_path: Path) -> Iterator[str]:
    """Let people in at an address, and compute for them."""
    address = str(tmp_path / "door")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(address)
        door.listen()
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                desk.compute_next()

        threading.Thread(target=desk.let_in, args=(door,), daemon=True).start()
        threading.Thread(target=work, daemon=True).start()
        yield address
        over.set()


class Asking(threading.Thread):
    """Asks for one photograph, whose every value is ``number``."""

    def __init__(self, address: str, number: int) -> None:
        super().__init__(daemon=True)
        self.runner = RemoteRunner(address, SIZE, bundle="f" * 64)
        self.number = number
        self.score: float | None = None
        self.start()

    def run(self) -> None:
        self.score = self.runner.run(np.full((1, 3, SIZE, SIZE), self.number, np.float32)).score
        self.runner.close()

    def answer(self) -> float | None:
        self.join(20)
        return self.score


def _waiting(desk: Batches, count: int) -> None:
    for _ in range(2000):
        with desk._changed:
            if len(desk._waiting) == count:
                return
        threading.Event().wait(0.01)
    raise AssertionError(f"there are never {count}")


def test_what_waits_while_one_is_computed_is_the_next_batch(desk: Batches, network: Means, address: str) -> None:
    network.may = threading.Semaphore(0)
    first = Asking(address, 1)
    assert network.began.acquire(timeout=20)
    others = [Asking(address, number) for number in range(2, 7)]
    _waiting(desk, 5)
    network.may.release(2)
    assert first.answer() == 1
    assert [other.answer() for other in others] == [2, 3, 4, 5, 6], "each gets its own"
    assert network.sizes == [1, 5]


def test_a_batch_has_its_limit(desk: Batches, network: Means, address: str) -> None:
    network.may = threading.Semaphore(0)
    first = Asking(address, 0)
    assert network.began.acquire(timeout=20)
    others = [Asking(address, number) for number in range(MOST + 3)]
    _waiting(desk, MOST + 3)
    network.may.release(3)
    assert [one.answer() for one in (first, *others)] == [0, *range(MOST + 3)]
    assert network.sizes == [1, MOST, 3]


def test_one_alone_waits_for_nobody(network: Means, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "GATHER_SECONDS", 1000.0)
    assert Asking(address, 4).answer() == 4


def test_company_is_waited_for_only_shortly(network: Means, address: str) -> None:
    with closing(RemoteRunner(address, SIZE, bundle="f" * 64)) as idle:
        assert Asking(address, 4).answer() == 4
        assert network.sizes == [1]
        assert idle.name == "means 1.0"


def test_a_suspect_is_computed_by_itself(desk: Batches, network: Means, address: str) -> None:
    network.may = threading.Semaphore(0)
    first = Asking(address, 1)
    assert network.began.acquire(timeout=20)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as suspect:
        suspect.connect(address)
        assert wire.receive(suspect.fileno())["runner"] == "means 1.0"
        wire.send(suspect.fileno(), {"alone": True})
        wire.send_bytes(suspect.fileno(), np.full((1, 3, SIZE, SIZE), 9, np.float32).tobytes())
        _waiting(desk, 1)
        others = [Asking(address, number) for number in (2, 3)]
        _waiting(desk, 3)
        network.may.release(3)
        assert wire.receive(suspect.fileno()) == {"computing": 1}
        assert wire.receive(suspect.fileno())["score"] == 9
    assert [one.answer() for one in (first, *others)] == [1, 2, 3]
    assert network.sizes == [1, 1, 2]


def test_who_hangs_up_or_talks_nonsense_disturbs_nobody(desk: Batches, network: Means, address: str) -> None:
    network.may = threading.Semaphore(0)
    first = Asking(address, 1)
    assert network.began.acquire(timeout=20)
    for data in (b"\xff" * 100, b"\0\0\0\x02{}", b"\0\0\0\x02{}" + bytes(12 * SIZE * SIZE)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
            rude.connect(address)
            rude.sendall(data)
            if len(data) > 12 * SIZE * SIZE:
                _waiting(desk, 1)  # whole: it hangs up only now
    network.may.release(3)
    assert first.answer() == 1
    assert Asking(address, 2).answer() == 2


@pytest.fixture
def runner(address: str) -> Iterator[RemoteRunner]:
    with closing(RemoteRunner(address, SIZE, bundle="f" * 64)) as runner:
        yield runner


def test_a_full_gpu_is_no_photographs_fault(network: Means, runner: RemoteRunner) -> None:
    network.fails = OutOfGpuMemory
    with pytest.raises(NetworkAway, match="not enough free memory"):
        runner.run(np.zeros((1, 3, SIZE, SIZE), np.float32))
    network.fails = None
    assert runner.run(np.zeros((1, 3, SIZE, SIZE), np.float32)).score == 0


def test_performance_P11_what_contradicts_itself_is_no_answer_and_the_next_gets_his(runner: RemoteRunner) -> None:
    with pytest.raises(RunnerFailed, match="contradict"), np.errstate(invalid="ignore"):
        runner.run(np.full((1, 3, SIZE, SIZE), np.nan, np.float32))
    assert runner.run(np.full((1, 3, SIZE, SIZE), 3, np.float32)).map.tolist() == [[3, 3], [3, 3]]


def test_another_bundle_on_the_other_side_is_noticed(address: str) -> None:
    with pytest.raises(NetworkAway, match="runs another bundle"):
        RemoteRunner(address, SIZE, bundle="0" * 64)


def test_nobody_behind_the_door_is_no_photographs_fault(tmp_path: Path) -> None:
    with pytest.raises(NetworkAway, match="cannot be reached"):
        RemoteRunner(str(tmp_path / "nothing"), SIZE, bundle="f" * 64)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        with pytest.raises(NetworkAway, match="in time"):
            RemoteRunner(str(tmp_path / "door"), SIZE, bundle="f" * 64, seconds=1.0)
