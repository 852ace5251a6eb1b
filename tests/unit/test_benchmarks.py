"""Every part of the benchmark runs on tiny inputs and says all it has to say; how fast it was is nobody's business here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import chains, receive
from benchmarks.__main__ import main
from benchmarks.gradcam import gradcam, gradcam_of_features
from benchmarks.measure import Timing, interleaved
from benchmarks.models import crop, make, multiply_adds
from benchmarks.parts import PARTS, measured
from benchmarks.plan import Plan
from benchmarks.report import Claim, Part, as_json, machine, markdown, on_page
from casebook.errors import BadInput
from inference import reader, retina
from inference.network.catalogue import build
from inference.preprocess import Preprocessing

SMALL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    work = tmp_path_factory.mktemp("benchmarks")
    return Plan(work, rounds=1, size=64, photograph=(1040, 700), resnext=(SMALL,), compact=SMALL, objects=2)


@pytest.mark.timeout(600)  # fresh processes import torch: seconds, but minutes beside a fit on every core
@pytest.mark.parametrize(
    ("name", "rows", "claims"),
    [
        (
            "resnext",
            ["torch eager", "OpenVINO int8 with map", "int8 peak"],
            ["share of the int8 peak", "faster than torch eager"],
        ),
        (
            "compact",
            ["ONNX Runtime float", "OpenVINO int8 with map"],
            ["faster than ONNX Runtime float", "as it ships"],
        ),
        ("heatmap", ["with map", "without map", "textbook Grad-CAM"], ["map on top of the grade", "mean(map)"]),
        ("input", ["the service", "careful", "small blur", "full-size blur"], ["the service over careful"]),
        ("sizes", [], ["int8 ONNX", "float ONNX", "bundle that ships"]),
        ("start", ["torch eager", "first start", "first grade"], ["with a compiled graph", "peak resident"]),
    ],
)
def test_part_measures_every_row(plan: Plan, name: str, rows: list[str], claims: list[str]) -> None:
    part = measured(name, plan)
    assert [sentence.split(";")[0] for sentence in part.left_out] == (["real photographs"] if name == "input" else [])
    text = markdown([part], machine())
    for row in rows:
        assert any(row in timing.side and min(timing.cpu) > 0 for timing in part.timings), row
    for claim in claims:
        assert any(claim in made.what for made in part.claims), claim
    for said in (*(timing.side for timing in part.timings), *(made.what for made in part.claims)):
        assert f"| {name} | {said} |" in text
    json.dumps(as_json([part], {}))


def test_part_that_lacks_its_peer_says_so(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(receive, "_ORTHANC", tmp_path / "Orthanc")
    part = measured("receive", plan)
    assert part.left_out == ["Orthanc must be installed beside us."]
    assert "Not measured (receive): Orthanc must be installed beside us." in markdown([part], machine())


def test_command_refuses_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["everything"])
    assert "there is no part everything" in capsys.readouterr().err


def test_page_without_a_place_for_the_tables_is_left_alone() -> None:
    with pytest.raises(BadInput, match="no place for the tables"):
        on_page("A page. <!-- measured -->", "tables")


def test_command_prints_the_table_of_a_part(
    tmp_path: Path, plan: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.Plan", lambda *_: plan)
    page = tmp_path / "speed.md"
    page.write_text("Before.\n<!-- measured -->\nold\n<!-- /measured -->\nAfter.\n")
    main(["sizes", "--json", str(tmp_path / "told.json"), "--page", str(page)])
    assert "| sizes | efficientnet_lite0, int8 ONNX |" in capsys.readouterr().out
    written = page.read_text()
    assert written.startswith("Before.\n<!-- measured -->\n")
    assert written.endswith("<!-- /measured -->\nAfter.\n")
    assert "| sizes | efficientnet_lite0, int8 ONNX |" in written
    assert "old" not in written
    told = json.loads((tmp_path / "told.json").read_text())
    assert [part["name"] for part in told["parts"]] == ["sizes"]
    assert told["machine"]["cores"] >= 1


def test_performance_P1_sides_take_turns_and_waiting_is_noise() -> None:
    order: list[str] = []
    timings = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert "".join(order) == "ababbaab"
    assert [len(timing.cpu) for timing in timings.values()] == [3, 3]
    assert Timing("a", cpu=(1.0, 1.0, 9.0), wall=(1.2, 1.4, 9.0)).noisy
    assert not Timing("a", cpu=(1.0, 1.0, 9.0), wall=(1.2, 1.2, 90.0)).noisy


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (Claim("faster", 5.6, "x", 5.5), "met"),
        (Claim("faster", 5.4, "x", 5.5), "**missed**"),
        (Claim("smaller", 5.4, "MB", 5.5, at_most=True), "met"),
        (Claim("faster", 5.6, "x", 5.5, noisy=True), "met, noisy"),
        (Claim("for comparison", 3.0, "x"), "-"),
    ],
)
def test_verdict_holds_figure_against_goal(claim: Claim, verdict: str) -> None:
    assert claim.verdict == verdict
    assert f"| {verdict} |" in markdown([Part("part", [claim])], machine())


def test_performance_P2_multiply_adds_are_counted_over_groups_and_places() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=4)
    )
    assert multiply_adds(network, 16) == 16 * 16 * 8 * 27 + 8 * 8 * 8 * 18


def test_performance_A2_lite0_has_two_billion_multiply_adds_at_512() -> None:
    assert multiply_adds(build(SMALL).eval(), 512) == pytest.approx(2.01e9, rel=0.01)


def test_performance_P11_gradcam_is_the_map_we_give_anyway(plan: Plan) -> None:
    network, pictures = make(plan, SMALL).network(), torch.from_numpy(crop(64))
    for map_of in (gradcam, gradcam_of_features):
        theirs = map_of(network, pictures).numpy()
        with torch.no_grad():
            _, ours = network(pictures)
        # The gradient of a mean is the weight over the number of places; the bias has none.
        expected = np.maximum(ours.numpy() - network.head.bias.item(), 0) / ours[0].numel()
        np.testing.assert_allclose(theirs, expected, atol=1e-5)


def test_performance_P15_careful_chain_sees_what_the_service_sees(plan: Plan) -> None:
    measured("input", plan)
    path, preprocessing = plan.work / "drawn-1040x700.jpg", Preprocessing(size=256)
    picture = next(reader.frames(path)).picture
    ours, theirs = retina.find_circle(picture), chains.careful_circle(picture.max(axis=2))
    assert ours is not None
    assert (theirs.x, theirs.y, theirs.radius) == pytest.approx((ours.x, ours.y, ours.radius), abs=0.01 * ours.radius)
    difference = chains.service(path, preprocessing) - chains.careful(path, preprocessing)
    assert np.abs(difference).mean() * 128 < 2
    np.testing.assert_array_equal(chains.careful(path, preprocessing), chains.careful_tuned(path, preprocessing))


def test_every_part_is_offered() -> None:
    assert set(PARTS) == {"resnext", "compact", "heatmap", "input", "sizes", "start", "gpu", "receive"}
