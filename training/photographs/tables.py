"""Reads a table of labels strictly: whatever is wrong is named with its file and line."""

import csv
from dataclasses import dataclass
from pathlib import Path

from casebook.errors import BadInput


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table.

    Attributes:
        table: name of the file.
        number: of the line in it, the heading is 1.
        cells: text by column; columns in small letters, both without spaces around them.
    """

    table: str
    number: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Return what stands in a column.

        Raises:
            BadInput: nothing does.
        """
        text = self.cells[column]
        if not text:
            raise self.wrong(f"{column} is empty", "Fill it, or take the line out.")
        return text

    def grade(self, column: str) -> int:
        """Return the grade in a column.

        Raises:
            BadInput: it is none.
        """
        text = self.cells[column]
        if text not in {"0", "1", "2", "3", "4"}:
            raise self.wrong(f"the grade is {text or 'empty'}", "Grades are 0, 1, 2, 3 or 4.")
        return int(text)

    def one_of(self, column: str, *words: str) -> str:
        """Return one of some words, or nothing where the column is empty or missing.

        Raises:
            BadInput: something else stands there.
        """
        text = self.cells.get(column, "")
        if text not in {"", *words}:
            raise self.wrong(f"{column} is {text}", f"It is {' or '.join(words)}, or empty.")
        return text

    def wrong(self, what: str, remedy: str) -> BadInput:
        """Return the refusal of this line."""
        return BadInput(f"{self.table} is wrong in line {self.number}: {what}.", remedy)


def columns_of(path: Path) -> list[str]:
    """Return the columns of a table as ``Line`` names them.

    Raises:
        BadInput: it cannot be read as a table.
    """
    return next((columns for _, columns in _rows(path, most=1)), [])


def lines_of(path: Path) -> list[Line]:
    """Return the lines of a table; empty ones do not count.

    Raises:
        BadInput: it cannot be read as a table, has no lines, or a line has more or fewer cells than the heading.
    """
    rows = _rows(path)
    columns = rows[0][1] if rows else []
    lines = []
    for number, cells in rows[1:]:
        line = Line(path.name, number, dict(zip(columns, cells, strict=False)))
        if len(cells) != len(columns):
            raise line.wrong(f"it has {len(cells)} cells, the heading {len(columns)}", "Write a cell for every column.")
        lines.append(line)
    if not lines:
        raise BadInput(f"{path} has no lines.", "Write one for every photograph.")
    return lines


def _rows(path: Path, most: int | None = None) -> list[tuple[int, list[str]]]:
    """Return number and cells of the first lines that hold anything; the heading comes first, in small letters."""
    found: list[tuple[int, list[str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    found.append((reader.line_num, cells if found else [cell.lower() for cell in cells]))
                if len(found) == most:
                    break
    except OSError as error:
        raise BadInput(f"{path} cannot be read.", "Check its rights.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no table in UTF-8: {error}.", "Save it as CSV in UTF-8.") from error
    return found
