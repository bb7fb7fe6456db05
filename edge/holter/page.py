"""A report as one HTML page that needs nothing else: no script, no network, made for paper too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from edge.holter.document import Beside, Block, Document, Facts, Heading, Keep, Text, blocks
from edge.holter.picture import Picture
from edge.holter.svg import svg
from edge.table import Table

__all__ = ["page"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
@page { size: A4; margin: 12mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.4 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 186mm; margin: 8mm auto; padding: 0 2mm; }
h1 { font-size: 17pt; margin: 0 0 2mm; } h2 { font-size: 12.5pt; margin: 6mm 0 2mm;
  border-bottom: 0.4mm solid #1a1a1a; }
h3 { font-size: 10pt; margin: 0 0 1mm; }
p { margin: 1.5mm 0; } .note { font-size: 8.5pt; color: #555; }
.warning { border-left: 1.2mm solid #c1121f; padding-left: 3mm; }
ul { margin: 1mm 0 3mm; padding-left: 5mm; } li { margin: 0.6mm 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4mm 4mm; margin: 2mm 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 8.5pt; margin: 1.5mm 0 4mm; }
caption { text-align: left; font-weight: 600; font-size: 9.5pt; padding: 0.8mm 0; }
th, td { text-align: right; padding: 0.5mm 1.2mm; border-bottom: 0.2mm solid #d5d8dc;
  font-variant-numeric: tabular-nums; vertical-align: top; }
th { font-weight: 600; color: #555; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
thead { display: table-header-group; } tr { break-inside: avoid; }
.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 0 6mm; }
svg { display: block; max-width: 100%; height: auto; margin: 1.5mm 0 3mm; overflow: hidden;
  font-family: system-ui, sans-serif; }
section.keep { break-inside: avoid; margin: 0 0 4mm; content-visibility: auto;
  contain-intrinsic-size: auto 40mm; }
.high::before, .medium::before, .low::before { content: ""; display: inline-block; width: 2.6mm;
  height: 2.6mm; margin-right: 1.5mm; border-radius: 50%; }
.high::before { background: #c1121f; } .medium::before { background: #b58900; }
.low::before { background: #0a7ea4; }
@media (max-width: 700px) { .beside { display: block; } .scroll { overflow-x: auto; } }
@media print { body { margin: 0; max-width: none; padding: 0; } .new-page { break-before: page; }
  section.keep { content-visibility: visible; } }
"""
WORDED = ("priority",)
"""A table that begins with such a column holds words, not figures."""


def page(document: Document) -> Iterator[str]:
    """The page, piece by piece: that of a day is some megabytes."""
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{STYLE}</style></head><body><main>"
    )
    is_list = False
    for block in blocks(document):
        is_item = isinstance(block, Text) and block.kind == "item"
        if is_item != is_list:
            yield "<ul>" if is_item else "</ul>"
            is_list = is_item
        yield _block(block)
    yield f"{'</ul>' if is_list else ''}</main></body></html>\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            kind = ' class="new-page"' if block.on_new_page else ""
            return f"<h{block.level}{kind}>{escape(block.text)}</h{block.level}>"
        case Text(text, "item"):
            return f"<li>{escape(text)}</li>"
        case Text():
            return f'<p class="{block.kind}">{escape(block.text)}</p>'
        case Facts():
            pairs = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in block.pairs)
            return f"<dl>{''.join(pairs)}</dl>"
        case Beside():
            return f'<div class="beside">{_column(block.left)}{_column(block.right)}</div>'
        case Keep():
            kind = f' class="{escape(block.priority)}"' if block.priority else ""
            title = f"<h3{kind}>{escape(block.title)}</h3>"
            return f'<section class="keep">{title}{svg(block.picture)}</section>'
        case Table():
            return _table(block)
        case Picture():
            return svg(block)


def _column(items: Sequence[Table | Picture]) -> str:
    drawn = (_table(each) if isinstance(each, Table) else svg(each) for each in items)
    return f"<div>{''.join(drawn)}</div>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    kind = ' class="words"' if table.columns[0] in WORDED else ""
    return (
        f'<div class="scroll"><table{kind}><caption>{escape(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
