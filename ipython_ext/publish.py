"""Showing a report under its cell: a mime bundle in a notebook, aligned text in a terminal."""

import sys
from typing import Any, TextIO

from IPython.core.displaypub import DisplayPublisher

from shapeguard.records import Finding, Report
from shapeguard.rendering import Selection, bundle, finding_text, report_text, rows_text
from shapeguard.rendering.html import finding_block, table_block
from shapeguard.rendering.rows import Table
from shapeguard.rendering.terminal import painter
from shapeguard.settings import settings


def selection() -> Selection:
    """What the settings in force let through."""
    return Selection(settings.rows, settings.kinds, settings.names)


def publish_report(shell: Any, report: Report, stream: TextIO) -> None:
    """Show what a cell gave, if there is anything to show; in a terminal on `stream`."""
    if _is_terminal(shell):
        _write(report_text(report, selection(), painter(stream, settings.color)), stream)
        return
    forms = bundle(report, selection())
    if forms:
        shell.display_pub.publish(forms)


def publish_table(shell: Any, table: Table, label: str) -> None:
    """Show a table that a magic was asked for."""
    if _is_terminal(shell):
        _write(rows_text(table, painter(sys.stdout, settings.color)))
        return
    shell.display_pub.publish({"text/html": table_block(table, label), "text/plain": rows_text(table)})


def publish_finding(shell: Any, finding: Finding) -> None:
    """Show a finding that `%explain` was asked for, in full."""
    if _is_terminal(shell):
        _write(finding_text(finding, painter(sys.stdout, settings.color), full=True))
        return
    shell.display_pub.publish(
        {"text/html": finding_block(finding, full=True), "text/plain": finding_text(finding, full=True)}
    )


def _write(text: str, stream: TextIO | None = None) -> None:
    if text:
        (stream or sys.stdout).write(f"{text}\n")


def _is_terminal(shell: Any) -> bool:
    """Whether the shell shows text only. Its `publish` would print too, and keep every bundle in the history."""
    return type(shell.display_pub) is DisplayPublisher
