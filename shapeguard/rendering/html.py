"""Reports as one compact HTML block: no script, everything escaped, the colours of whatever theme surrounds it."""

from collections.abc import Sequence
from functools import lru_cache
from html import escape

from shapeguard.records import Finding, Report
from shapeguard.rendering.findings import Line, lines_of
from shapeguard.rendering.rows import ALL, Row, Selection, Table, rows_of

# Colours are inherited, so that one block suits light and dark themes; the doubled class outweighs the table styles
# that notebooks apply to every output.
STYLE = (
    "<style>"
    ".shapeguard.shapeguard table{border-collapse:collapse;margin:.2em 0;border:0;font-size:.85em;color:inherit;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);border-left:2px solid currentColor}"
    ".shapeguard.shapeguard tr,.shapeguard.shapeguard tr:nth-child(even){background:none}"
    ".shapeguard.shapeguard :is(th,td){padding:.05em .9em .05em .6em;border:0;text-align:left;vertical-align:top;"
    "background:none;color:inherit;font-weight:normal;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".shapeguard.shapeguard th[scope=row]{font-weight:600}"
    ".shapeguard.shapeguard td:nth-child(3),.shapeguard.shapeguard p{opacity:.8}"
    ".shapeguard.shapeguard p{margin:.1em .6em;font-size:.85em}"
    ".shapeguard.shapeguard thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
    "</style>"
)


def block(report: Report, selection: Selection = ALL) -> str:
    """One cell's report; empty where there is nothing to say.

    >>> block(Report(sources=()))
    ''
    """
    return block_of(rows_of(report.observations, selection), report)


def block_of(table: Table, report: Report) -> str:
    """The rows of a report, which are worked out already, and its findings."""
    messages = [finding.message for finding in report.findings if finding.expression is None]
    tables = [finding_table(finding) for finding in report.findings if finding.expression is not None]
    return table_block(table, "shapes of this cell", messages, tables=tables)


def finding_block(finding: Finding, *, full: bool = False) -> str:
    """One finding on its own."""
    return f'<div class="shapeguard">{STYLE}{finding_table(finding, full=full)}</div>'


def finding_table(finding: Finding, *, full: bool = False) -> str:
    """The lines of a finding as a table: what failed, why, and what would work."""
    rows = "".join(map(_line, lines_of(finding, full=full)))
    return f'<table aria-label="why it failed"><tbody>{rows}</tbody></table>'


def _line(line: Line) -> str:
    text = f"<code>{escape(line.text)}</code> {escape(line.result)}" if line.result else escape(line.text)
    return f"<tr><th scope=row>{escape(line.label)}</th><td>{text}</td><td>{escape(line.note)}</td></tr>"


def table_block(
    table: Table,
    label: str,
    messages: list[str] | None = None,
    more: str = "%shapes shows all",
    tables: Sequence[str] = (),
) -> str:
    """A table with a label for screen readers, and paragraphs and further tables below it."""
    paragraphs = [f"<p>{table.more} more ({escape(more)})</p>"] if table.more else []
    paragraphs += [f"<p>{escape(message)}</p>" for message in messages or ()]
    paragraphs += tables
    if not table.rows and not paragraphs:
        return ""
    rows = "".join(map(_row, table.rows))
    head = "<thead><tr><th scope=col>name</th><th scope=col>value</th><th scope=col>details</th></tr></thead>"
    body = f'<table aria-label="{escape(label)}">{head}<tbody>{rows}</tbody></table>' if rows else ""
    return f'<div class="shapeguard">{STYLE}{body}{"".join(paragraphs)}</div>'


# The texts of rows recur from cell to cell, and escaping each of them anew was a third of the cost of a block.
_escaped = lru_cache(maxsize=1024)(escape)


def _row(row: Row) -> str:
    name, value, details = _escaped(row.name), _escaped(row.brief), _escaped(row.note)
    return f"<tr><th scope=row>{name}</th><td>{value}</td><td>{details}</td></tr>"
