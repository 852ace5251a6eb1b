"""The forms in which people keep labelled photographs, told apart by what lies in the folder.

| in the folder | form |
|---|---|
| table with ``path, grade``, best called ``labels.csv`` | ours: photographs of any kind, ``/`` between folders |
| table with ``sop_instance_uid, grade`` | DICOM objects at any depth |
| table with ``id_code, diagnosis``, best called ``train.csv``; ``train_images/`` | APTOS 2019 |
| table with ``image, level``, best called ``trainLabels.csv``; ``train/`` or pictures beside it | EyePACS 2015 |
| folders ``0`` to ``4`` with pictures | a folder per grade |

Both first tables may have the columns ``source, patient, laterality, split`` too. Without ``source`` the folder's name
is the source; without ``patient`` the objects' own attributes tell whose eye it is.
"""

import re
from collections.abc import Callable
from pathlib import Path

from casebook.errors import BadInput
from training.photographs.objects import Header, header_of
from training.photographs.photograph import Photograph
from training.photographs.tables import Line, columns_of, lines_of

_PICTURES = (".jpeg", ".jpg", ".png")
_GRADES = ("0", "1", "2", "3", "4")
_EYE = re.compile(r"(\d+)_(left|right)")
_FORMS = "a labels.csv with path and grade, the tables of APTOS or EyePACS, or folders 0 to 4"


def read(folder: Path) -> list[Photograph]:
    """Read the labelled photographs of one folder, in the order of its table or names.

    Returns:
        Photographs; where nothing tells whose eye it is or on which side it stays, ``patient`` or ``split`` is empty.

    Raises:
        BadInput: there are none, in no form or in several, a line is wrong, or photographs are missing.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", "Check the path.")
    try:
        empty = not any(folder.iterdir())
    except OSError as error:
        raise BadInput(f"{folder} cannot be read.", "Check its rights.") from error
    if empty:
        raise BadInput(f"{folder} is empty, there are no labels in it.", f"It should hold {_FORMS}.")
    forms = _tables(folder)
    graded = [folder / grade for grade in _GRADES if _has_pictures(folder / grade)]
    if len(forms) + bool(graded) > 1:
        names = [table.name for table, _ in forms] + [f"a folder {grade.name}" for grade in graded[:1]]
        raise BadInput(f"{folder} holds labels in two forms: {' and '.join(names)}.", "Keep one of them.")
    if graded:
        return _of_grade_folders(folder)
    if not forms:
        raise _no_form(folder)
    table, reader = forms[0]
    return reader(table)


def _tables(folder: Path) -> list[tuple[Path, Callable[[Path], list[Photograph]]]]:
    """Return the folder's tables of labels, one of each form, with what reads them."""
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    columns = {table: set(columns_of(table)) for table in tables}
    forms = []
    for needed, usual, reader in _READERS:
        theirs = [table for table in tables if needed <= columns[table]]
        # Kaggle puts a sample of an answer with the same columns beside the labels.
        chosen = [table for table in theirs if table.name == usual] or theirs
        if len(chosen) > 1:
            raise BadInput(
                f"{folder} holds several tables of labels: {' and '.join(table.name for table in chosen)}.",
                f"Call the one that counts {usual}.",
            )
        forms += [(table, reader) for table in chosen]
    return forms


def _no_form(folder: Path) -> BadInput:
    labels = folder / "labels.csv"
    if labels.is_file():
        lacking = [column for column in ("path", "grade") if column not in columns_of(labels)]
        return BadInput(f"{labels} lacks the column {' and '.join(lacking)}.", "Add what is missing.")
    return BadInput(f"There are no labels in {folder} that are known here.", f"It should hold {_FORMS}.")


def _of_paths(table: Path) -> list[Photograph]:
    folder, lines = table.parent, lines_of(table)
    paths = [folder / line.text("path") for line in lines]
    _demand(table, [path.is_file() for path in paths], [line.cells["path"] for line in lines])
    # Where the table says whose eye it is, nobody else is asked.
    asked = "patient" not in lines[0].cells
    return [
        _photograph(line, _name(folder), path, header_of(path) if asked else None)
        for line, path in zip(lines, paths, strict=True)
    ]


def _of_uids(table: Path) -> list[Photograph]:
    lines, objects = lines_of(table), _objects(table.parent)
    uids = [line.text("sop_instance_uid") for line in lines]
    _demand(table, [uid in objects for uid in uids], uids)
    return [_photograph(line, _name(table.parent), *objects[uid]) for line, uid in zip(lines, uids, strict=True)]


def _photograph(line: Line, folder: str, path: Path, header: Header | None) -> Photograph:
    """Make a photograph of a line of ours and, where it says less, of the folder's name and the object's header."""
    source = line.text("source") if "source" in line.cells else folder
    if "patient" in line.cells:
        patient = line.text("patient")
    else:
        patient = f"{source}-{header.patient}" if header and header.patient else ""
    laterality = line.one_of("laterality", "R", "L")
    if "laterality" not in line.cells and header is not None:
        laterality = header.laterality
    return Photograph(path, source, patient, laterality, line.grade("grade"), line.one_of("split", "train", "valid"))


def _of_aptos(table: Path) -> list[Photograph]:
    pictures = _pictures(table.parent / "train_images")
    lines = lines_of(table)
    names = [line.text("id_code") for line in lines]
    _demand(table, [name in pictures for name in names], names)
    source = _name(table.parent)
    return [
        Photograph(pictures[name], source, "", "", line.grade("diagnosis"), "")
        for line, name in zip(lines, names, strict=True)
    ]


def _of_eyepacs(table: Path) -> list[Photograph]:
    pictures = _pictures(table.parent) | _pictures(table.parent / "train")
    lines = lines_of(table)
    names = [line.text("image") for line in lines]
    _demand(table, [name in pictures for name in names], names)
    source, photographs = _name(table.parent), []
    for line, name in zip(lines, names, strict=True):
        eye = _EYE.fullmatch(name)
        if eye is None:
            raise line.wrong(f"{name} names no eye", "A picture is called like 10_left or 10_right.")
        photographs.append(
            Photograph(pictures[name], source, f"{source}-{eye[1]}", eye[2][0].upper(), line.grade("level"), "")
        )
    return photographs


def _of_grade_folders(folder: Path) -> list[Photograph]:
    wrong = [path.name for path in sorted(folder.iterdir()) if path.name.isdigit() and path.name not in _GRADES]
    if wrong:
        raise BadInput(f"{folder} holds a folder {wrong[0]} among its grades.", "Grades are 0, 1, 2, 3 or 4.")
    source = _name(folder)
    return [
        Photograph(path, source, "", "", int(grade), "")
        for grade in _GRADES
        if (folder / grade).is_dir()
        for path in sorted((folder / grade).iterdir())
        if _is_picture(path)
    ]


# The columns a form is known by, the usual name of its table, and what reads it.
_READERS: tuple[tuple[set[str], str, Callable[[Path], list[Photograph]]], ...] = (
    ({"path", "grade"}, "labels.csv", _of_paths),
    ({"sop_instance_uid", "grade"}, "labels.csv", _of_uids),
    ({"id_code", "diagnosis"}, "train.csv", _of_aptos),
    ({"image", "level"}, "trainLabels.csv", _of_eyepacs),
)


def _name(path: Path) -> str:
    """Return the name of a folder, also of one given as ``.``."""
    return path.resolve().name


def _is_picture(path: Path) -> bool:
    # A Mac leaves ._10_left.jpeg beside 10_left.jpeg on disks of others.
    return path.suffix.lower() in _PICTURES and not path.name.startswith(".")


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and any(_is_picture(path) for path in folder.iterdir())


def _pictures(folder: Path) -> dict[str, Path]:
    """Return the pictures that lie in a folder, by name without its ending."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if _is_picture(path)}


def _objects(folder: Path) -> dict[str, tuple[Path, Header]]:
    """Return the DICOM objects at any depth of a folder, by SOP Instance UID.

    Raises:
        BadInput: two of them have the same.
    """
    objects: dict[str, tuple[Path, Header]] = {}
    for path in sorted(folder.rglob("*")):
        header = header_of(path) if path.is_file() else None
        if header is None:
            continue
        if header.sop_instance_uid in objects:
            other = objects[header.sop_instance_uid][0]
            raise BadInput(f"{other} and {path} have the same SOP Instance UID.", "Remove one of them.")
        objects[header.sop_instance_uid] = path, header
    return objects


def _demand(table: Path, there: list[bool], names: list[str]) -> None:
    """Demand that every photograph of a table is there.

    Raises:
        BadInput: some are not.
    """
    missing = [name for name, is_there in zip(names, there, strict=True) if not is_there]
    if missing:
        raise BadInput(
            f"{len(missing)} of {len(names)} photographs of {table} are missing, {missing[0]} for one.",
            "Fetch them, or take their lines out.",
        )
