"""Tables for people: drawn with lines on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from edge.terminal import is_live

__all__ = ["Table", "cell", "print_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column to the left, figures to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def print_table(table: Table) -> None:
    """On standard output."""
    if is_live():
        _draw(table)
    else:
        _print(table)


def cell(value: object) -> str:
    """A figure as text, a dash where there is none."""
    match value:
        case None:
            return "-"
        case float() if value.is_integer():
            return f"{value:.0f}"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _print(table: Table) -> None:
    lines = [table.columns, *table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    print(table.title)
    for line in lines:
        first, *others = line
        rest = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *rest]).rstrip())
    print()


def _draw(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left")
    for k, name in enumerate(table.columns):
        drawn.add_column(name, justify="right" if k else "left", no_wrap=not k)
    for row in table.rows:
        drawn.add_row(*row)
    Console(file=sys.stdout).print(drawn)
