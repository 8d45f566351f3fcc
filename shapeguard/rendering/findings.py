"""What a finding shows, apart from how it is drawn: a label, a text and a note for each line."""

from dataclasses import dataclass

from shapeguard.notation import brief
from shapeguard.records import Edit, Finding, Fix, Operand
from shapeguard.rendering.rows import note

CONFIRMED = {"real": "ran on copies", "abstract": "ran on small stand-ins"}
_SAID = 4
"""Operands that one line names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `try`, `X @ W`, `→ f32[32, 16]`, `ran on copies`."""

    label: str
    text: str
    result: str = ""
    note: str = ""


def lines_of(finding: Finding, *, full: bool = False, numbered: bool = False) -> tuple[Line, ...]:
    """The lines of a finding that names an expression; with `full` each operand has its own, and each fix its reason.

    >>> lines_of(Finding("broadcast", "error", "a + b: they differ", expression="a + b"))[0].text
    'they differ'
    """
    reason = finding.message.removeprefix(f"{finding.expression}: ")
    first = finding.expression or finding.severity
    at = f"line {finding.span.line}" if numbered and finding.span is not None else ""
    lines = [*_operand_lines(finding, full=full), Line("", reason), *(Line("", text) for text in finding.because)]
    if finding.where is not None and finding.where not in finding.message:
        lines.append(Line("", f"in {finding.where}"))
    lines[0] = Line(first, lines[0].text, lines[0].result, ", ".join(filter(None, (lines[0].note, at))))
    return (*lines, *(_fix_line(fix, finding, full=full) for fix in finding.fixes))


def _operand_lines(finding: Finding, *, full: bool) -> list[Line]:
    named = finding.operands
    if full:
        return [Line("", _said(operand), "", note(operand.spec)) for operand in named]
    said = ", ".join(_said(operand) for operand in named[:_SAID])
    more = f", and {len(named) - _SAID} more" if len(named) > _SAID else ""
    return [Line("", said + more)] if said else []


def _said(operand: Operand) -> str:
    return f"{operand.expression} is {brief(operand.spec)}"


def _fix_line(fix: Fix, finding: Finding, *, full: bool) -> Line:
    texts = "; ".join(_flat(edit) for edit in fix.edits)
    line = finding.span.line if finding.span is not None else 0
    elsewhere = [edit.span.line for edit in fix.edits if edit.span.line != line]
    notes = [f"in line {elsewhere[0]}"] if elsewhere else []
    notes += [CONFIRMED.get(fix.confirmed, fix.confirmed)]
    if full and fix.title != texts:
        notes.append(fix.title)
    return Line("try", texts, "" if fix.result is None else f"→ {brief(fix.result)}", ", ".join(notes))


def _flat(edit: Edit) -> str:
    return " ".join(edit.text.split())
