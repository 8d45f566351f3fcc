"""Drawing reports: text, HTML and mime bundles. Pure: records in, strings out."""

from shapeguard.rendering.bundle import bundle
from shapeguard.rendering.html import block
from shapeguard.rendering.rows import Row, Selection, rows_of
from shapeguard.rendering.text import report_text, rows_text

__all__ = ["Row", "Selection", "block", "bundle", "report_text", "rows_of", "rows_text"]
