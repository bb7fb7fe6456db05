"""The blocks of a report laid out on A4 pages: everything becomes pictures with their places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.holter.document import Beside, Block, Document, Facts, Heading, Keep, Text, blocks
from edge.holter.picture import Boxes, Line, Mark, Picture, Words, horizontal
from edge.table import Table

__all__ = ["HEIGHT_MM", "MARGIN_MM", "WIDTH_MM", "Page", "pages"]

WIDTH_MM, HEIGHT_MM, MARGIN_MM = 210.0, 297.0, 12.0
INNER_MM = WIDTH_MM - 2 * MARGIN_MM
FOOT_MM = 6.0
GAP_MM = 6.0
EM = 0.56
"""Mean width of a letter, in its size: wide enough for the fonts used."""
TEXT_MM, NOTE_MM, CELL_MM, ROW_MM = 2.9, 2.5, 2.35, 3.7


@dataclass(slots=True)
class Page:
    """Pictures and where their upper left corners lie, in mm."""

    placed: list[tuple[float, float, Picture]] = field(default_factory=list)
    used_mm: float = 0.0

    def holds(self, height_mm: float) -> bool:
        """Whether so much fits below what there is."""
        return self.used_mm + height_mm <= HEIGHT_MM - 2 * MARGIN_MM - FOOT_MM

    def put(self, picture: Picture, x_mm: float = 0.0, y_mm: float | None = None) -> None:
        """Below what there is, or beside it at a height of its own."""
        y_mm = self.used_mm if y_mm is None else y_mm
        self.placed.append((MARGIN_MM + x_mm, MARGIN_MM + y_mm, picture))
        self.used_mm = max(self.used_mm, y_mm + picture.height_mm)


def pages(document: Document) -> Iterator[Page]:
    """The pages in order, each given away once it is full."""
    page = Page()
    headings: list[Picture] = []
    for block in blocks(document):
        if isinstance(block, Heading):
            if block.on_new_page and page.placed:
                yield page
                page = Page()
            headings.append(_heading(block))  # goes where what it heads goes
            continue
        for columns in _columns(block):
            if page.placed and not page.holds(_height_mm([headings]) + _height_mm(columns)):
                yield page
                page = Page()
            for heading in headings:
                page.put(heading)
            headings.clear()
            _put(page, columns)
    yield page


def _columns(block: Block) -> Iterator[list[list[Picture]]]:
    """What stays together, as one column or two."""
    if isinstance(block, Beside):
        yield [list(_column(block.left)), list(_column(block.right))]
    else:
        for picture in _pictures(block, INNER_MM):
            yield [[picture]]


def _height_mm(columns: Sequence[Sequence[Picture]]) -> float:
    return max(sum(each.height_mm for each in column) for column in columns)


def _put(page: Page, columns: Sequence[Sequence[Picture]]) -> None:
    top_mm = page.used_mm
    for number, column in enumerate(columns):
        y_mm = top_mm
        for picture in column:
            page.put(picture, number * (INNER_MM + GAP_MM) / 2, y_mm)
            y_mm += picture.height_mm


def _column(items: Sequence[Table | Picture]) -> Iterator[Picture]:
    for each in items:
        yield from _pictures(each, (INNER_MM - GAP_MM) / 2)


def _pictures(block: Block, width_mm: float) -> Iterator[Picture]:
    match block:
        case Heading():
            yield _heading(block)
        case Text():
            yield _paragraph(block, width_mm)
        case Facts():
            yield _facts(block)
        case Keep():
            title = Words(0.0, 3.6, block.title, 2.9, "text", bold=True)
            dot = np.array([[0.0, 1.2, 2.4, 2.4]])
            if block.priority:
                title = Words(4.0, 3.6, block.title, 2.9, "text", bold=True)
            marks: list[Mark] = [Boxes(dot, block.priority), title] if block.priority else [title]
            yield _stacked(marks, 5.0, block.picture)
        case Table():
            yield from _table(block, width_mm)
        case Picture():
            yield block
        case Beside():
            pass


def _stacked(above: Sequence[Mark], height_mm: float, picture: Picture) -> Picture:
    """Marks above a picture, as one that no page break divides."""
    moved = [_moved(mark, height_mm) for mark in picture.marks]
    total = height_mm + picture.height_mm + 2.5
    return Picture(picture.width_mm, total, picture.description, [*above, *moved])


def _moved(mark: Mark, down_mm: float) -> Mark:
    match mark:
        case Line():
            return Line(mark.points + np.array([0.0, down_mm]), mark.ink, mark.width_mm)
        case Boxes():
            return Boxes(mark.boxes + np.array([0.0, down_mm, 0.0, 0.0]), mark.ink, mark.opacity)
        case Words():
            about = (mark.text, mark.size_mm, mark.ink, mark.anchor, mark.bold)
            return Words(mark.x_mm, mark.y_mm + down_mm, *about)


def _heading(block: Heading) -> Picture:
    size_mm = 6.0 if block.level == 1 else 4.2
    height = size_mm + 4.5
    marks: list[Mark] = [Words(0.0, size_mm + 1.0, block.text, size_mm, "text", bold=True)]
    if block.level > 1:
        marks.append(Line(horizontal([height - 1.8], 0.0, INNER_MM), "text", 0.4))
    return Picture(INNER_MM, height, block.text, marks)


def _paragraph(block: Text, width_mm: float) -> Picture:
    size_mm = NOTE_MM if block.kind == "note" else TEXT_MM
    indent_mm = 4.0 if block.kind in ("item", "warning") else 0.0
    lines = textwrap.wrap(block.text, int((width_mm - indent_mm) / (size_mm * EM)))
    step_mm = size_mm * 1.35
    height = len(lines) * step_mm + (0.6 if block.kind == "item" else 1.6)
    marks: list[Mark] = [
        Words(indent_mm, (k + 1) * step_mm - 0.4, line, size_mm) for k, line in enumerate(lines)
    ]
    if block.kind == "item":
        marks.append(Boxes(np.array([[1.2, step_mm / 2 - 0.1, 1.0, 1.0]]), "text"))
    elif block.kind == "warning":
        marks.append(Boxes(np.array([[0.0, 0.6, 1.2, height - 1.4]]), "red"))
    return Picture(width_mm, height, block.text, marks)


def _facts(block: Facts) -> Picture:
    marks: list[Mark] = []
    for k, (name, value) in enumerate(block.pairs):
        y_mm = (k + 1) * 4.1
        marks += [Words(0.0, y_mm, name, TEXT_MM, "faint"), Words(24.0, y_mm, value, TEXT_MM)]
    return Picture(INNER_MM, len(block.pairs) * 4.1 + 2.0, "About the recording", marks)


def _table(table: Table, width_mm: float) -> Iterator[Picture]:
    """As many pictures as pages are needed, the head said again on each."""
    most = int((HEIGHT_MM - 2 * MARGIN_MM - FOOT_MM - 12.0) / ROW_MM)
    rows = list(table.rows)
    for first in range(0, max(1, len(rows)), most):
        yield _table_part(table, rows[first : first + most], width_mm)


def _table_part(table: Table, rows: Sequence[tuple[str, ...]], width_mm: float) -> Picture:
    shown = [table.columns, *rows]
    wants = [max(len(row[k]) for row in shown) + 2 for k in range(len(table.columns))]
    edges = np.concatenate([[0.0], np.cumsum(wants)]) / sum(wants) * width_mm
    is_worded = table.columns[0] == "priority"
    marks: list[Mark] = [Words(0.0, 3.4, table.title, 2.7, "text", bold=True)]
    for number, row in enumerate(shown):
        y_mm = 8.0 + number * ROW_MM - 0.4
        for k, cell in enumerate(row):
            ink = "faint" if number == 0 else "text"
            if k == 0 or is_worded:
                marks.append(Words(float(edges[k]), y_mm, cell, CELL_MM, ink))
            else:
                marks.append(Words(float(edges[k + 1]) - 0.5, y_mm, cell, CELL_MM, ink, "end"))
    under = [8.6 + number * ROW_MM for number in range(len(shown))]
    marks.append(Line(horizontal(under, 0.0, width_mm), "rule", 0.15))
    return Picture(width_mm, 6.0 + len(shown) * ROW_MM + 3.5, table.title, marks)
