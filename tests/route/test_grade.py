"""``retinagate grade`` answers everything it is given and grades only photographs of the retina."""

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pydicom
import pytest
from running_service import COMMAND
from studies import phantom_jpeg

from casebook.words import Laterality
from inference.phantom import MANY


def _grade(*arguments: str, cwd: Path) -> list[dict[str, Any]]:
    ended = subprocess.run(
        [COMMAND, "grade", "--json", *arguments], capture_output=True, text=True, cwd=cwd, timeout=600,
        env={"PATH": "/usr/bin:/bin", "RETINAGATE_HOME": "/nonexistent"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.photographs
def test_only_photographs_of_the_retina_are_graded(photographs: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("real", "negatives", "other", "half", "rubbish")}
    for folder in folders.values():
        folder.mkdir()
    with (photographs / "labels.csv").open() as labels:
        valid = [row["path"] for row in csv.DictReader(labels) if row["split"] == "valid"]
    for path in valid[::12]:
        shutil.copy(photographs / path, folders["real"])
    for file in sorted((photographs / "negatives").glob("*.jpg")):
        shutil.copy(file, folders["negatives"])
    for file in sorted(Path(pydicom.__file__).parent.glob("data/test_files/*.dcm")):
        shutil.copy(file, folders["other"])
    for file in sorted(folders["real"].iterdir())[:8]:
        data = file.read_bytes()
        (folders["half"] / f"cut-{file.name}").write_bytes(data[: len(data) // 2])
        (folders["half"] / f"mended-{file.name}").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    (folders["rubbish"] / "empty.dcm").touch()
    (folders["rubbish"] / "notes.jpg").write_text("not a photograph")
    (folders["rubbish"] / "program.png").write_bytes(Path("/bin/ls").read_bytes())

    answers = _grade(*folders, cwd=tmp_path)
    given = [f"{name}/{file.name}" for name, folder in folders.items() for file in sorted(folder.iterdir())]
    assert [answer["path"] for answer in answers] == given
    graded = {answer["path"] for answer in answers if answer["grade"] is not None}
    assert {path.split("/")[0] for path in graded} == {"real"}
    real = [answer for answer in answers if answer["path"].startswith("real/")]
    refused = [answer for answer in real if answer["grade"] is None]
    assert len(refused) <= len(real) // 20, refused
    for answer in answers:
        whole = answer["gradability"] in ("gradable", "limited")
        assert whole == (answer["grade"] is not None) == (answer["score"] is not None), answer
        assert (answer["gradability"] == "gradable") == (answer["reason"] in (None, "unsure")), answer


def test_heat_maps_are_written_and_a_missing_file_is_answered(tmp_path: Path, stand_in: Path) -> None:
    (tmp_path / "eye.jpg").write_bytes(phantom_jpeg(3, MANY, Laterality.RIGHT))
    (tmp_path / "list.txt").write_text("eye.jpg\nnothing.jpg\n")
    eye, nothing = _grade(
        "--from-file", "list.txt", "--heatmaps", "maps", "--bundle", str(stand_in), cwd=tmp_path
    )  # fmt: skip
    assert eye["gradability"] in ("gradable", "limited")
    assert (nothing["path"], nothing["gradability"]) == ("nothing.jpg", "unreadable")
    assert [file.suffix for file in (tmp_path / "maps").iterdir()] == [".jpg"]
