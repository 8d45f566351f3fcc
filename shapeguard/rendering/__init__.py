"""Drawing reports: text, HTML and mime bundles. Pure: records in, strings out."""

from shapeguard.rendering.bundle import bundle
from shapeguard.rendering.html import block
from shapeguard.rendering.page import page
from shapeguard.rendering.rows import Row, Selection, rows_of
from shapeguard.rendering.terminal import coloured, painter
from shapeguard.rendering.text import Paint, finding_text, plain, report_text, rows_text

__all__ = [
    "Paint",
    "Row",
    "Selection",
    "block",
    "bundle",
    "coloured",
    "finding_text",
    "page",
    "painter",
    "plain",
    "report_text",
    "rows_of",
    "rows_text",
]
