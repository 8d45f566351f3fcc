"""A report as a mime bundle: front ends that know shapeguard take the JSON, others HTML, terminals text."""

from typing import Any

from shapeguard.records import MIME_TYPE, Report
from shapeguard.rendering.html import block
from shapeguard.rendering.rows import ALL, Selection
from shapeguard.rendering.text import report_text


def bundle(report: Report, selection: Selection = ALL) -> dict[str, Any]:
    """The three forms of one report; an empty bundle where there is nothing to show.

    >>> bundle(Report(sources=()))
    {}
    """
    text = report_text(report, selection)
    if not text:
        return {}
    return {MIME_TYPE: report.as_json(), "text/html": block(report, selection), "text/plain": text}
