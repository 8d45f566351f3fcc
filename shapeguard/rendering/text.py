"""Reports as aligned plain text, coloured where the transport says so."""

from collections.abc import Callable
from typing import TypeAlias

from shapeguard.records import Finding, Report
from shapeguard.rendering.findings import lines_of
from shapeguard.rendering.rows import ALL, Row, Selection, Table, rows_of

Paint: TypeAlias = Callable[[str, str], str]
"""`(role, text) -> text` where role is name, brief, note, error or warning."""


def plain(_role: str, text: str) -> str:
    """No colour."""
    return text


def report_text(report: Report, selection: Selection = ALL, paint: Paint = plain, *, numbered: bool = False) -> str:
    """What a terminal shows of one report; empty where there is nothing to say. `numbered` puts lines in front.

    >>> report_text(Report(sources=()))
    ''
    """
    return text_of(rows_of(report.observations, selection, numbered=numbered), report, paint, numbered=numbered)


def text_of(table: Table, report: Report, paint: Paint = plain, *, numbered: bool = False) -> str:
    """The rows of a report, which are worked out already, and its findings."""
    parts = [rows_text(table, paint)]
    parts += [
        finding_text(finding, paint, numbered=numbered)
        for finding in report.findings
        if not _already_said(finding, report)
    ]
    return "\n".join(part for part in parts if part)


def rows_text(table: Table, paint: Paint = plain, more: str = "%shapes shows all") -> str:
    """The rows, aligned, two spaces in.

    >>> print(rows_text(Table((Row("X", "f32[6, 8]", "leaf"), Row("mask", "i64[6]", "")))))
      X      f32[6, 8]   leaf
      mask   i64[6]
    """
    name_width = max((display_width(row.name) for row in table.rows), default=0)
    brief_width = max((display_width(row.brief) for row in table.rows), default=0)
    digits = max((len(str(row.line)) for row in table.rows if row.line is not None), default=0)
    lines = [_number(row, digits, paint) + _line(row, name_width, brief_width, paint) for row in table.rows]
    if table.more:
        lines.append(paint("note", f"  {table.more} more ({more})"))
    return "\n".join(lines)


def _number(row: Row, digits: int, paint: Paint) -> str:
    return "" if row.line is None else f"  {paint('note', str(row.line).rjust(digits))}"


def _line(row: Row, name_width: int, brief_width: int, paint: Paint) -> str:
    gap = "   "
    text = f"  {paint('name', row.name)}{' ' * (name_width - display_width(row.name))}{gap}{paint('brief', row.brief)}"
    if not row.note:
        return text
    return f"{text}{' ' * (brief_width - display_width(row.brief))}{gap}{paint('note', row.note)}"


def display_width(text: str) -> int:
    """Terminal cells that `text` takes.

    >>> display_width("X"), display_width("形")
    (1, 2)
    """
    if text.isascii():
        return len(text)
    # Imported where it is needed: nearly every name is ASCII.
    from wcwidth import wcswidth  # noqa: PLC0415

    width: int = wcswidth(text)
    return len(text) if width < 0 else width


def finding_text(finding: Finding, paint: Paint = plain, *, numbered: bool = False, full: bool = False) -> str:
    """What a terminal shows of one finding.

    >>> print(finding_text(Finding("broadcast", "error", "a + b: they differ", expression="a + b")))
      a + b   they differ
    """
    if finding.expression is not None:
        return _explanation_text(finding, paint, numbered=numbered, full=full)
    where = "" if finding.span is None else f"line {finding.span.line}: "
    first = f"  {paint(finding.severity, finding.severity)}   {where}{finding.message}"
    lines = [first, *(f"          {line}" for line in finding.because)]
    lines += [f"  try     {fix.title}" for fix in finding.fixes]
    return "\n".join(lines)


_MAX_LABEL = 28


def _explanation_text(finding: Finding, paint: Paint, *, numbered: bool, full: bool) -> str:
    lines = lines_of(finding, full=full, numbered=numbered)
    short = [line.label for line in lines if display_width(line.label) <= _MAX_LABEL]
    width = max(map(display_width, short), default=0)
    tries = [line for line in lines if line.result]
    wide = max((display_width(line.text) for line in tries), default=0)
    wider = max((display_width(line.result) for line in tries), default=0)
    drawn = []
    for line in lines:
        label = line.label
        role = "brief" if label == "try" else finding.severity
        if label not in short:
            # A long expression has a line of its own.
            drawn.append(f"  {paint(role, label)}")
            label = ""
        text = f"  {paint(role, label)}{' ' * (width - display_width(label))}   "
        if line.result:
            text += paint("name", line.text) + " " * (wide - display_width(line.text) + 3)
            text += paint("brief", line.result) + " " * (wider - display_width(line.result) + 3)
            text += paint("note", line.note)
        else:
            text += line.text + (f"   {paint('note', line.note)}" if line.note else "")
        drawn.append(text.rstrip())
    return "\n".join(drawn)


def _already_said(finding: Finding, report: Report) -> bool:
    """Whether the exception itself, which is on the screen already, says the same."""
    return report.error is not None and report.error.message.startswith(finding.message)
