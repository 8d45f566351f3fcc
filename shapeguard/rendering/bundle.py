"""A report as a mime bundle: front ends that know shapeguard take the JSON, others HTML, terminals text."""

from typing import Any

from shapeguard.records import MIME_TYPE, Report
from shapeguard.rendering.html import block_of
from shapeguard.rendering.rows import ALL, Selection, rows_of
from shapeguard.rendering.text import text_of


def bundle(report: Report, selection: Selection = ALL) -> dict[str, Any]:
    """The three forms of one report; an empty bundle where there is nothing to show.

    >>> bundle(Report(sources=()))
    {}
    """
    table = rows_of(report.observations, selection)
    text = text_of(table, report)
    if not text:
        return {}
    return {MIME_TYPE: report.as_json(), "text/html": block_of(table, report), "text/plain": text}
