"""A script and its annotations as one HTML page."""

from collections import defaultdict
from html import escape

from shapeguard.records import Observation, Report, lines_of
from shapeguard.rendering.html import finding_block, table_block
from shapeguard.rendering.rows import ALL, Selection, rows_of

STYLE = (
    "body{max-width:80em;margin:2em auto;padding:0 1em;font-family:system-ui,sans-serif}"
    "pre{margin:0;font-family:ui-monospace,monospace;font-size:.9em;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".shapeguard{margin:.1em 0 .5em 3em}"
)


def page(title: str, source: str, report: Report, selection: Selection = ALL) -> str:
    """The source text with the rows of each statement below its last line; light and dark, no script.

    >>> page("a.py", "x = 1", Report(sources=())).count("<pre>")
    1
    """
    chosen = [seen for seen in report.observations if selection.admits(seen.target, seen.spec)]
    rows_at: dict[int, list[Observation]] = defaultdict(list)
    for seen in chosen:
        rows_at[seen.span.end_line].append(seen)
    parts: list[str] = []
    pending: list[str] = []
    for number, line in enumerate(lines_of(source), 1):
        pending.append(escape(line))
        if number in rows_at:
            parts += [_code(pending), table_block(rows_of(rows_at[number], selection), f"shapes of line {number}")]
            pending = []
    parts.append(_code(pending))
    parts += [f'<p role="alert">{escape(message)}</p>' for message in _messages(report)]
    parts += [finding_block(finding) for finding in report.findings if finding.expression is not None]
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="color-scheme" content="light dark"><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )


def _code(lines: list[str]) -> str:
    return f"<pre><code>{chr(10).join(lines)}</code></pre>" if lines else ""


def _messages(report: Report) -> list[str]:
    error = [] if report.error is None else [f"{report.error.type}: {report.error.message}"]
    return error + [finding.message for finding in report.findings if finding.expression is None]
