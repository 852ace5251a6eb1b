"""What the documents name exists: files, commands, settings, metrics."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.configuration import load
from inference.bundle import CARD, SHIPPED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["ARCHITECTURE.md", "README.md", *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    named = {ROOT / name for name in re.findall(r"`((?:[a-z_]+/)+[a-z_0-9.]+\.(?:py|toml|md|json))`", text)}
    named |= {(ROOT / document).parent / name for name in re.findall(r"\]\(([^)#:]+)\)", text)}
    assert [str(path) for path in sorted(named) if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    commands = set(re.findall(r"(?:`|bin/|^)retinagate ([a-z]+)", text, re.MULTILINE))
    assert commands - set(main.commands) == set()


def test_the_readme_settings_are_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        tomllib.loads(block)
        (tmp_path / "retinagate.toml").write_text(block)
        load({"RETINAGATE_HOME": str(tmp_path)})


def test_make_says_what_there_is() -> None:
    said = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    for target in ("up", "install", "test", "lint", "types", "training"):
        assert re.search(rf"^  make {target} ", said, re.MULTILINE), said


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text().lower()
    names = [re.match(r"[a-z0-9-]+", requirement.lower()).group() for requirement in project["dependencies"]]
    assert [name for name in names if name not in reasons] == []


def test_no_lock_holds_torch_or_a_gpl_decoder() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        names = set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE))
        assert not names & {"torch", "torchvision", "pylibjpeg-libjpeg", "triton"}


def test_every_rule_the_code_cites_is_written_down() -> None:
    written = (ROOT / "docs" / "rules.md").read_text()
    numbers = set(re.findall(r"\b[RISPU]\d{1,2}\b", written))
    for letter, first, last in re.findall(r"\b([RISPU])(\d{1,2})-\1(\d{1,2})\b", written):
        numbers |= {f"{letter}{number}" for number in range(int(first), int(last) + 1)}
    cited: dict[str, str] = {}
    for file in ROOT.glob("*/**/*.py"):
        if not {"tests", ".venv"} & set(file.relative_to(ROOT).parts):
            for number in re.findall(r"[( ]((?:R|I|S|U)\d{1,2})[),:. ]", file.read_text()):
                cited[number] = str(file.relative_to(ROOT))
    assert {number: file for number, file in cited.items() if number not in numbers} == {}


@pytest.mark.parametrize("document", ["README.md", "docs/training.md"])
def test_accuracy_is_quoted_as_the_card_of_the_shipped_bundle_has_it(document: str) -> None:
    text, found = (ROOT / document).read_text(), json.loads((SHIPPED / CARD).read_text())["scores"]["sources"]
    for title, source in {"APTOS 2019": "aptos2019", "IDRiD": "idrid", "EyePACS": "eyepacs"}.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {title} |") and "(0." in line)
        for name in ("quadratic_kappa", "referable_auc"):
            measured = found[source][name]
            assert f"| {measured['value']:.3f} ({measured['low']:.2f}-{measured['high']:.2f}) |" in row
