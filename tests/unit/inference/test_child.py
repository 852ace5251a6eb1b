import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from casebook.clock import Clock
from casebook.errors import Misconfigured, Unavailable
from casebook.words import Gradability, Reason
from inference import child as child_module
from inference.child import Child
from inference.child_words import ChildDied, ChildStopped, DeadlinePassed
from inference.examination import Stage

SECONDS = 2.0  # deadline of a picture in these tests


@pytest.fixture(scope="module")
def hostile(stand_in: Path) -> Iterator[Child]:
    child = Child(stand_in, threads=1, picture_seconds=SECONDS, module="hostile_child")
    yield child
    child.stop()


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[str], Path]:
    def write(word: str) -> Path:
        path = tmp_path / "file"
        path.write_text(word)
        return path

    return write


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the state was never reached"
        threading.Event().wait(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answers(child: Child, folder: Path) -> None:
    """Prove that the child does its work."""
    path = folder / "grey.png"
    Image.new("L", (40, 30)).save(path)
    assert child.examine(path, None).gradability is Gradability.NOT_APPLICABLE


@pytest.mark.parametrize("word", ["abort", "segfault", "exit", "babble", "lie", "raise", "allocate"])
@pytest.mark.parametrize("stage", [Stage.READING, Stage.GRADING])
def test_R14_a_death_is_told_with_its_stage_and_the_next_file_gets_a_fresh_child(
    hostile: Child, asked: Callable[[str], Path], tmp_path: Path, word: str, stage: Stage
) -> None:
    hostile.wait_ready()
    before = hostile.process_id
    with pytest.raises(ChildDied) as death:
        hostile.examine(asked(word if stage is Stage.READING else f"grading {word}"), tmp_path)
    assert not isinstance(death.value, DeadlinePassed)
    assert death.value.stage is stage
    answers(hostile, tmp_path)
    assert hostile.process_id != before


@pytest.mark.parametrize("word", ["loop", "hold the interpreter"])
def test_R14_a_picture_that_never_ends_is_killed_at_the_deadline(
    hostile: Child, asked: Callable[[str], Path], tmp_path: Path, word: str
) -> None:
    hostile.wait_ready()
    before = hostile.process_id
    assert before is not None
    began = time.monotonic()
    with pytest.raises(DeadlinePassed) as death:
        hostile.examine(asked(word), tmp_path)
    assert SECONDS <= time.monotonic() - began < SECONDS + 3
    assert death.value.stage is Stage.READING
    assert not is_running(before)
    answers(hostile, tmp_path)


def test_security_W36_memory_is_limited_and_the_machine_does_not_notice(
    hostile: Child, asked: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(ChildDied):
        hostile.examine(asked("allocate bit by bit"), tmp_path)
    answers(hostile, tmp_path)


def test_security_W36_files_it_writes_are_limited(hostile: Child, asked: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ChildDied):
        hostile.examine(asked("write"), tmp_path)
    assert (tmp_path / "1-full.jpg").stat().st_size <= 512 << 20
    answers(hostile, tmp_path)


def test_security_W36_files_it_opens_are_limited(hostile: Child, asked: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ChildDied):
        hostile.examine(asked("open"), tmp_path)
    answers(hostile, tmp_path)


def test_what_a_decoder_forked_dies_with_it(hostile: Child, asked: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(DeadlinePassed):
        hostile.examine(asked("fork"), tmp_path)
    forked = int((tmp_path / "pid").read_text())
    until(lambda: not is_running(forked))


def test_what_a_decoder_mutters_spoils_no_answer(hostile: Child, asked: Callable[[str], Path], tmp_path: Path) -> None:
    examination = hostile.examine(asked("mutter"), tmp_path)
    assert (examination.gradability, examination.reason) == (Gradability.UNREADABLE, Reason.SYNTAX)


def test_security_S7_the_child_has_limits_and_no_secret(
    child: Child, monkeypatch: pytest.MonkeyPatch, stand_in: Path
) -> None:
    monkeypatch.setenv("RETINAGATE__DATABASE__URL", "postgresql://user:secret@host/db")
    fresh = Child(stand_in, threads=1)
    try:
        fresh.wait_ready()
        process = Path(f"/proc/{fresh.process_id}")
        environment = (process / "environ").read_bytes()
        assert b"secret" not in environment
        assert b"HOME" not in environment
        limits = {line[:26].strip(): line[26:].split()[1] for line in (process / "limits").read_text().splitlines()}
        assert limits["Max address space"] == str(5 << 29)
        assert limits["Max file size"] == str(1 << 29)
        assert limits["Max open files"] == "64"
        assert limits["Max core file size"] == "0"
        assert os.getpriority(os.PRIO_PROCESS, fresh.process_id or 0) >= 5
        assert os.getpgid(fresh.process_id or 0) == fresh.process_id
    finally:
        fresh.stop()


def test_security_S7_the_parent_never_loads_a_decoder() -> None:
    program = "import sys, inference.station, inference.files; print(*sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    decoders = {
        "PIL",
        "cv2",
        "gdcm",
        "jpeg_ls",
        "numpy",
        "onnxruntime",
        "openjpeg",
        "openvino",
        "pydicom",
        "simplejpeg",
    }
    assert decoders & set(loaded.stdout.split()) == set()


def test_a_warm_child_serves_many_files(child: Child, tmp_path: Path) -> None:
    ready = child.wait_ready()
    assert ready.name == "stand-in"
    assert ready.runner.startswith("openvino ")
    assert ready.fallback == ""
    before = child.process_id
    for _ in range(3):
        answers(child, tmp_path)
    assert child.process_id == before


def test_security_S7_a_child_is_replaced_after_its_share_of_files(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(child, tmp_path)
    before = child.process_id
    monkeypatch.setattr(child_module, "FILES_A_CHILD", 1)
    answers(child, tmp_path)
    assert child.process_id != before


def test_a_child_that_died_idle_is_nobodys_fault(child: Child, tmp_path: Path) -> None:
    child.wait_ready()
    before = child.process_id
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: not is_running(before))
    answers(child, tmp_path)
    child.wait_ready()
    again = child.process_id
    assert again is not None
    os.kill(again, signal.SIGKILL)
    until(lambda: not is_running(again))
    # Its main thread may be gone before the others: for that moment it still counts as alive.
    until(lambda: child.is_ready() and child.process_id not in (None, again))


def test_is_ready_never_waits(stand_in: Path) -> None:
    fresh = Child(stand_in, threads=1)
    try:
        assert not fresh.is_ready()
        assert fresh.process_id is not None
        until(fresh.is_ready)
        assert fresh.ready is not None
    finally:
        fresh.stop()


def test_a_refused_bundle_is_refused_in_the_childs_own_words(tmp_path: Path) -> None:
    fresh = Child(tmp_path / "nothing", threads=1)
    try:
        with pytest.raises(Misconfigured, match="There is no bundle at"):
            fresh.wait_ready()
        assert not fresh.is_ready()
        assert "There is no bundle at" in fresh.refusal
    finally:
        fresh.stop()


def test_a_processor_that_openvino_cannot_use_gets_the_other_runner(stand_in: Path, tmp_path: Path) -> None:
    fresh = Child(stand_in, threads=1, module="child_that_cannot_load")
    try:
        ready = fresh.wait_ready()
        assert ready.runner.startswith("onnxruntime ")
        assert "ended the process" in ready.fallback
        answers(fresh, tmp_path)
    finally:
        fresh.stop()


def test_a_file_that_is_not_there_is_no_verdict_about_it(child: Child, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="FileNotFoundError"):
        child.examine(tmp_path / "nothing", None)


def test_R19_stopping_from_another_thread_tells_the_one_who_waits(
    stand_in: Path, asked: Callable[[str], Path], tmp_path: Path
) -> None:
    fresh = Child(stand_in, threads=1, module="hostile_child")
    fresh.wait_ready()
    told: list[BaseException] = []

    def examine() -> None:
        try:
            fresh.examine(asked("loop"), tmp_path)
        except ChildStopped as stopped:
            told.append(stopped)

    thread = threading.Thread(target=examine)
    pid = fresh.process_id
    assert pid is not None
    thread.start()
    until(lambda: float(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11]) > 150)
    fresh.stop()
    thread.join(5)
    assert len(told) == 1
    assert not is_running(pid)
    with pytest.raises(ChildStopped):
        fresh.examine(asked("loop"), tmp_path)
    assert not fresh.is_ready()


def test_R14_the_child_dies_with_its_parent(stand_in: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from inference.child import Child\n"
        f"child = Child(Path({str(stand_in)!r}), threads=1); child.wait_ready(); print(child.process_id, flush=True)\n"
        "time.sleep(1000)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    until(lambda: not is_running(pid))


def test_a_child_outlives_the_thread_that_asked_for_it(stand_in: Path, tmp_path: Path) -> None:
    fresh = Child(stand_in, threads=1)
    try:
        thread = threading.Thread(target=fresh.wait_ready)
        thread.start()
        thread.join()
        before = fresh.process_id
        answers(fresh, tmp_path)
        assert fresh.process_id == before
    finally:
        fresh.stop()


def test_a_slow_model_is_put_off_not_waited_for(stand_in: Path) -> None:
    class Hurried(Clock):
        def monotonic(self) -> float:
            return time.monotonic() * 1e6

    fresh = Child(stand_in, threads=1, clock=Hurried())
    try:
        with pytest.raises(Unavailable, match="not loaded in time"):
            fresh.wait_ready()
        assert fresh.process_id is None
    finally:
        fresh.stop()
