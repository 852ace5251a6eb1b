"""Reading children before a network process, the whole of it, with torch on the CPU in the place of a GPU."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile_network
import numpy as np
import pytest
import simplejpeg
import torch_bundle

from casebook.errors import Misconfigured, Unavailable
from casebook.words import GRADED
from inference import children as children_module
from inference import phantom
from inference.bundle import load_bundle
from inference.child_words import ChildStopped
from inference.children import Children, gpu_is_likely
from inference.examine import Examiner
from inference.network_process import NetworkProcess
from inference.runners.choice import Choice, load_torch
from inference.runners.remote import NetworkAway, RemoteRunner
from inference.runners.runner import RunnerFailed, Tensor

READERS = 2
LESIONS = (phantom.HEALTHY, phantom.FEW, phantom.MANY, phantom.PROLIFERATIVE)

pytestmark = pytest.mark.timeout(400)  # torch is loaded anew by every network process


@pytest.fixture(scope="module")
def bundle(with_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle with room beside it for what the hostile network writes down."""
    return Path(shutil.copytree(with_weights, tmp_path_factory.mktemp("weights") / "bundle"))


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("eyes")
    for number in range(20):
        picture = phantom.draw(number, lesions=LESIONS[number % 4], size=320)
        (folder / f"{number:02}.jpg").write_bytes(simplejpeg.encode_jpeg(picture, quality=92, colorspace="RGB"))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def scores(bundle: Path, eyes: list[Path]) -> list[float | None]:
    """Give what each photograph scores when it is computed by itself, in this process."""
    loaded = load_bundle(bundle)
    examiner = Examiner(loaded, Choice(load_torch(loaded, device="cpu"), loaded.card.runners["torch"]))
    return [examiner.examine(eye, None).frames[0].score for eye in eyes]


@pytest.fixture(scope="module")
def children(bundle: Path) -> Iterator[Children]:
    children = Children(bundle, device="cuda", readers=READERS, torch_device="cpu", network_module="hostile_network")
    children.start()
    children.wait_ready()
    for child in children._all:  # one that is still loading would leave the other to compute all by itself
        child.wait_ready()
    yield children
    children.stop()


def answers(children: Children, eyes: list[Path], then: Callable[[int], None] = lambda _: None) -> list[float | None]:
    """Ask as the worker does, a thread for each hand, and return the scores."""
    done = threading.Lock()
    count = 0

    def ask(eye: Path) -> float | None:
        nonlocal count
        examination = children.examine(eye, None)
        assert examination.gradability in GRADED or examination.frames[0].score is None
        with done:
            count += 1
            then(count)
        return examination.frames[0].score

    with ThreadPoolExecutor(children.hands) as pool:
        return list(pool.map(ask, eyes))


def has_torch(process: int | None) -> bool:
    return "libtorch" in Path(f"/proc/{process}/maps").read_text()


def test_performance_P7_twenty_photographs_are_answered_in_batches_as_each_alone(
    children: Children, bundle: Path, eyes: list[Path], scores: list[float | None]
) -> None:
    assert children.hands == READERS
    assert children.is_ready()
    ready = children.wait_ready()
    assert ready.runner.startswith("torch ")
    assert ready.fallback == ""
    sizes = bundle.parent / hostile_network.SIZES
    sizes.unlink(missing_ok=True)
    assert answers(children, eyes) == [score if score is None else pytest.approx(score, abs=1e-4) for score in scores]
    assert sum(score is not None for score in scores) >= 15, "the gate lets the eyes through"
    batches = [int(size) for size in sizes.read_text().split()]
    assert sum(batches) == sum(score is not None for score in scores)
    assert max(batches) == READERS


def test_security_S7_only_the_network_process_has_torch_and_only_it_has_no_limit_on_memory(children: Children) -> None:
    (network,) = children._networks
    assert has_torch(network.process_id), "else this would prove nothing"
    children.wait_ready()
    readers = [child.process_id for child in children._all if child.process_id is not None]
    assert readers
    for reader in readers:
        assert not has_torch(reader)
        assert "Max address space         2684354560" in Path(f"/proc/{reader}/limits").read_text()
    assert "Max address space         unlimited" in Path(f"/proc/{network.process_id}/limits").read_text()
    assert Path(f"/proc/{network.process_id}/environ").read_bytes().count(b"HOME") == 0


def test_security_S7_a_service_that_grades_on_a_gpu_never_loads_torch_itself(bundle: Path, eyes: list[Path]) -> None:
    program = (
        "import sys; from pathlib import Path; import gateway.stations, gateway.parts, gateway.worker\n"
        "from inference.children import Children\n"
        f"children = Children(Path({str(bundle)!r}), device='cuda', readers=1, torch_device='cpu'); children.start()\n"
        f"print(children.examine(Path({str(eyes[0])!r}), None).runner); children.stop()\n"
        "print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    runner, loaded = ended.stdout.splitlines()
    assert runner.startswith("torch ")
    assert loaded == "False"


def test_R14_a_network_process_killed_again_and_again_loses_no_photograph(
    children: Children, eyes: list[Path], scores: list[float | None]
) -> None:
    (network,) = children._networks
    killed: set[int] = set()

    def kill(count: int) -> None:
        process = network.process_id
        if count in {2, 5} and process is not None:
            os.kill(process, signal.SIGKILL)
            killed.add(process)

    before = [child.process_id for child in children._all]
    found = answers(children, eyes[:8], kill)
    assert found == [score if score is None else pytest.approx(score, abs=1e-4) for score in scores[:8]]
    assert killed
    assert network.process_id not in killed
    assert [child.process_id for child in children._all] == before, "no reading child died of it"


def test_R19_a_stop_tells_who_waits(bundle: Path, eyes: list[Path]) -> None:
    children = Children(bundle, device="cuda", readers=1, torch_device="cpu")
    children.start()
    told: list[BaseException] = []

    def ask() -> None:
        try:
            children.examine(eyes[0], None)
        except (ChildStopped, Unavailable) as stopped:
            told.append(stopped)

    thread = threading.Thread(target=ask)
    thread.start()
    children.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(one) for one in told] == [ChildStopped]
    assert not children.is_ready()
    assert not Path(children._networks[0].address).exists()


# Whose fault a death is


@pytest.fixture(scope="module")
def network(bundle: Path) -> Iterator[NetworkProcess]:
    network = NetworkProcess(bundle, device="cpu", module="hostile_network")
    network.start()
    assert network.wait_settled(120)
    yield network
    network.stop()


def asks(network: NetworkProcess, bundle: Path, tensor: Tensor) -> float:
    """Ask as a reading child does."""
    runner = RemoteRunner(network.address, torch_bundle.SIZE, bundle=load_bundle(bundle).sha256)
    try:
        return runner.run(tensor).score
    finally:
        runner.close()


def says(word: float) -> Tensor:
    tensor = torch_bundle.tensors(1)
    tensor[0, 0, 0, 0] = word
    return tensor


def test_R13_a_photograph_that_kills_the_network_alone_twice_is_to_blame_and_its_neighbour_is_not(
    network: NetworkProcess, bundle: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        killer = pool.submit(asks, network, bundle, says(hostile_network.DIE))
        innocent = pool.submit(asks, network, bundle, torch_bundle.tensors(1))
        with pytest.raises(RunnerFailed, match="ended twice over this photograph alone"):
            killer.result(300)
        expected = load_torch(load_bundle(bundle), device="cpu").run(torch_bundle.tensors(1)).score
        assert innocent.result(300) == pytest.approx(expected, abs=1e-4)


def test_R14_a_network_that_hangs_ends_itself(network: NetworkProcess, bundle: Path) -> None:
    with pytest.raises(RunnerFailed, match="ended twice"):
        asks(network, bundle, says(hostile_network.HANG))


def test_a_gpu_that_is_full_now_or_a_number_that_is_none_ends_nothing(network: NetworkProcess, bundle: Path) -> None:
    asks(network, bundle, torch_bundle.tensors(1))  # of one that answers, the parent knows the process
    before = network.process_id
    with pytest.raises(NetworkAway, match="The GPU has not enough free memory"):
        asks(network, bundle, says(hostile_network.NO_ROOM))
    with pytest.raises(RunnerFailed, match="contradict"):
        asks(network, bundle, says(hostile_network.NO_NUMBER))
    assert np.isfinite(asks(network, bundle, torch_bundle.tensors(1)))
    assert network.process_id == before


# What is taken, and what is refused


def test_cuda_that_cannot_be_had_is_refused_and_no_photograph_taken(stand_in: Path) -> None:
    children = Children(stand_in, device="cuda")
    try:
        with pytest.raises(Misconfigured, match=r"model\.device is cuda, but the bundle stand-in has no weights"):
            children.wait_ready()
        assert not children.is_ready()
        assert children.ready is None
        assert children.refusal == "model.device is cuda, but the bundle stand-in has no weights for torch."
    finally:
        children.stop()


def test_auto_takes_the_cpu_at_once_where_no_gpu_is_likely(
    bundle: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_module, "gpu_is_here", lambda: True)
    assert gpu_is_likely(bundle)
    assert not gpu_is_likely(stand_in), "no weights"
    assert not gpu_is_likely(stand_in / "nothing")
    with monkeypatch.context() as patch:
        patch.setattr(children_module, "find_spec", lambda _: None)
        assert not gpu_is_likely(bundle), "no torch"
    monkeypatch.setattr(children_module, "gpu_is_here", lambda: False)
    assert not gpu_is_likely(bundle)
    children = Children(bundle, device="auto", threads=1)
    try:
        assert children._networks == []
        ready = children.wait_ready()
        assert ready.runner.startswith("openvino ")
        assert ready.fallback == ""
        assert children.hands == 1
    finally:
        children.stop()


def test_auto_says_why_a_gpu_that_seemed_to_be_there_is_not_used(
    bundle: Path, eyes: list[Path], scores: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_module, "gpu_is_here", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # where the tests run beside a GPU
    children = Children(bundle, device="auto", threads=1)
    try:
        children.start()
        ready = children.wait_ready()
        assert ready.runner.startswith("openvino ")
        assert ready.fallback == "The GPU is not used: torch finds no GPU."
        assert children.hands == 1
        assert children.examine(eyes[0], None).frames[0].score == pytest.approx(scores[0], abs=0.01)
    finally:
        children.stop()


def test_each_gpu_gets_a_process_and_the_readers_are_shared_out(bundle: Path, eyes: list[Path]) -> None:
    children = Children(bundle, device="cuda", readers=3, torch_device="cpu", network_module="two_gpus")
    try:
        children.start()
        children.wait_ready()
        assert len(children._networks) == 2
        assert all(network.wait_settled(120) for network in children._networks)
        assert len({network.process_id for network in children._networks}) == 2
        addresses = [network.address for network in children._networks]
        assert [child._network for child in children._all] == [addresses[0], addresses[1], addresses[0]]
        assert all(score is not None for score in answers(children, eyes[:3]))
    finally:
        children.stop()
