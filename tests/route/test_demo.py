"""The demonstration: a person sees the whole story, and every word in it is what the grader said."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_service import QUIET_SECONDS, Service, wait_for

from casebook.words import Laterality, graded_sentence, missing_sentence, ungradable_sentence

PATIENTS = ["Healthy pair", "Few lesions", "One eye only", "Many lesions", "Out of focus", "New vessels"]
STAYS = "The service goes on running here."
HEADLINE = re.compile(r"  (.{12})  (\S.*)  \(case (\d+)\)")


@pytest.fixture
def foreground(tmp_path: Path) -> Iterator[Service]:
    """Run ``demo`` where no service runs, with the bundle that is shipped."""
    service = Service(tmp_path / "home", commands=("demo",), CASES__QUIET_SECONDS=QUIET_SECONDS)
    yield service
    service.end()


def _expected(photograph: Any) -> str:
    laterality = Laterality(photograph["laterality"])
    if photograph["grade"] is None:
        return ungradable_sentence(laterality, photograph["reason"])
    return graded_sentence(laterality, photograph["grade"])


def _check(story: str, cases: list[Any]) -> None:
    """Compare what was told with what the API says of the same cases."""
    told, concluded = story.split("What the grader said, worst first:")
    for case in cases:
        for photograph in case["photographs"]:
            assert _expected(photograph) in told
    headlines = [(name.strip(), int(case)) for name, _, case in HEADLINE.findall(concluded)]
    assert sorted(name for name, _ in headlines) == sorted(PATIENTS)
    assert sorted(number for _, number in headlines) == sorted(case["id"] for case in cases)
    by_id = {case["id"]: case for case in cases}
    worst = [max((p["grade"] or 0) for p in by_id[number]["photographs"]) for _, number in headlines]
    referable = [grade for grade in worst if grade >= 2]
    assert worst[: len(referable)] == sorted(referable, reverse=True), "worst first"
    assert missing_sentence(Laterality.RIGHT, others_arrived=False) in concluded


def test_demo_runs_a_service_where_none_runs_and_leaves_it_running(foreground: Service) -> None:
    foreground.start()
    log = foreground.process().log
    wait_for(lambda: STAYS in log.read_text(), 120, "the end of the story")
    first = foreground.api("/cases?limit=200")["items"]
    assert len(first) == len(PATIENTS)
    _check(log.read_text(), first)
    # These hold with the bundle that is shipped; what is told is what it says, whatever that is.
    grades = {photograph["grade"] for case in first for photograph in case["photographs"]}
    assert {0, None} <= grades
    assert max(grade or 0 for grade in grades) >= 3
    assert "make demo" not in log.read_text(), "who runs it need not be told"

    again = foreground.run("demo")
    assert again.returncode == 0, again.stderr
    cases = foreground.api("/cases?limit=200")["items"]
    new = [case for case in cases if case["id"] not in {case["id"] for case in first}]
    assert len(new) == len(PATIENTS), "running it twice makes new studies"
    _check(again.stdout, new)
    assert STAYS not in again.stdout
    assert all(case["synthetic"] and case["patient_name"].startswith("SYNTHETIC^") for case in cases)
    assert {delivery["destination"] for case in cases for delivery in case["deliveries"]} == {"loopback"}
    assert "\x1b" not in log.read_text() + again.stdout, "ux C3: no colour in a pipe"
    assert foreground.stop() == 0


def test_ux_C5_an_interrupt_in_the_middle_ends_the_service_too(foreground: Service) -> None:
    foreground.start()
    process = foreground.process()
    wait_for(lambda: "synthetic patients" in process.log.read_text(), 60, "the beginning of the story")
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(40) == 0
    assert "Traceback" not in process.log.read_text()


def test_demo_beside_a_service_that_grades_otherwise_tells_what_that_one_says(
    make_service: Callable[..., Service],
) -> None:
    service = make_service().start()  # with the stand-in, which grades nothing
    told = service.run("demo")
    assert told.returncode == 0, told.stderr
    _check(told.stdout, service.api("/cases?limit=200")["items"])
    assert f"http://127.0.0.1:{service.http_port}" in told.stdout
