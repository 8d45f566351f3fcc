"""From syntax trees of the transformed cell to spans of the cell as the user wrote it.

IPython drops leading blank lines and indentation, strips prompts and rewrites magics before it parses. Of all these
only a magic over several lines changes how many lines there are, and most lines end as they did: the common cells
cost one comparison of the lines, and no row costs more than a look at its own line.
"""

import ast
import re
from collections.abc import Sequence
from itertools import takewhile

from shapeguard.observation.positions import SourceText, place
from shapeguard.records import Span, maker

_new_span = maker(Span)


class CellText(SourceText):
    """The raw text of a cell, addressed by nodes of its transformed text."""

    __slots__ = ("_is_magic", "_lines_of", "_offset", "_transformed", "_unchanged")

    def __init__(self, raw: str, transformed: list[str], source: int = 0) -> None:
        super().__init__(raw, source)
        self._transformed = [line.rstrip("\n") for line in transformed]
        blank = sum(1 for _ in takewhile(_is_blank, self.lines))
        # Asked once for the whole cell: nearly every cell is what the user wrote, and each of its spans asks.
        self._unchanged = self.lines == self._transformed
        self._offset = 0 if self._unchanged else blank
        moved_only = self._unchanged or self.lines[blank:] == self._transformed
        self._direct = self._ascii and moved_only
        # The body of a cell magic is parsed on its own and placed in the raw cell at once.
        self._is_magic = not moved_only and any(map(_runs_cell_magic, self._transformed[:1]))
        self._lines_of: list[int] | None = None

    def spans(self, nodes: Sequence[ast.AST]) -> list[Span]:
        """The ranges of `nodes`, in one go."""
        if not self._direct or not self._offset:
            return super().spans(nodes)
        source, offset = self.source, self._offset
        places = map(place, nodes)
        return [
            _new_span(source, line + offset, start, end + offset, stop) if line else _new_span(source, 0, 0, 0, 0)
            for line, start, end, stop in places
        ]

    def span(self, node: ast.AST) -> Span:
        """The range of `node` in the raw cell; where the text was rewritten, of what stands in its place."""
        line, column, end_line, end_column = place(node)
        if self._unchanged or not line:
            return super().span(node)
        if self._is_magic:
            span = super().span(node)
            return span if self._stands_at(node, span) else self._found(node, self._moved(node))
        moved = self._moved(node)
        if line == end_line and self.written(moved) == self._transformed_part(line, column, end_column):
            return moved
        return moved if self._stands_at(node, moved) else self._found(node, moved)

    def _moved(self, node: ast.AST) -> Span:
        line, column, end_line, end_column = place(node)
        first, last = self._raw_line(line), self._raw_line(end_line)
        return Span(
            self.source, first, self._shifted(line, column, first), last, self._shifted(end_line, end_column, last)
        )

    def _transformed_line(self, number: int) -> str:
        return self._transformed[number - 1] if 0 < number <= len(self._transformed) else ""

    def _transformed_part(self, number: int, column: int, end_column: int) -> str | None:
        """What stands in the transformed cell; None for nothing, which is like nothing else."""
        line = self._transformed_line(number)
        part = line[column:end_column] if line.isascii() else line.encode()[column:end_column].decode(errors="ignore")
        return part or None

    def _found(self, node: ast.AST, span: Span) -> Span:
        """The place in the span's line that reads like `node`: a target behind `%time`; else the span itself."""
        written = ast.unparse(node)
        there = re.search(rf"(?<!\w){re.escape(written)}(?!\w)", self._line(span.line))
        if there is None:
            return span
        return Span(self.source, span.line, there.start(), span.line, there.end())

    def _stands_at(self, node: ast.AST, span: Span) -> bool:
        """Whether the raw text at `span` is `node` itself, as it is in the body of a magic."""
        written = self.written(span).strip()
        # A name is compared as text, unless its letters are such that Python itself rewrites them.
        if isinstance(node, ast.Name) and (written == node.id or written.isascii()):
            return written == node.id
        try:
            there = ast.parse(written, mode="eval").body
        except SyntaxError:
            return False
        return isinstance(node, ast.expr) and ast.unparse(there) == ast.unparse(node)

    def _raw_line(self, number: int) -> int:
        """The raw line that a transformed line came from, both counted from 1."""
        if len(self.lines) - self._offset == len(self._transformed):
            return min(number + self._offset, len(self.lines))
        if self._lines_of is None:
            self._lines_of = _matched_lines(self._transformed, self.lines, self._offset)
        return self._lines_of[number - 1] if number <= len(self._lines_of) else min(number, len(self.lines))

    def _shifted(self, number: int, column: int, raw_number: int) -> int:
        """A byte column of the transformed line as a column of the raw one: indentation and prompts were cut off."""
        line, raw = self._transformed_line(number), self._line(raw_number)
        before = column if line.isascii() else len(line.encode()[:column].decode(errors="ignore"))
        if line and raw.endswith(line):
            return min(len(raw), len(raw) - len(line) + before)
        kept = line.strip()
        start = raw.find(kept) if kept else -1
        if start >= 0:
            return min(len(raw), max(0, start + before - (len(line) - len(line.lstrip()))))
        # A rewritten line (`x = !ls`) keeps what stands before the magic.
        return min(len(raw), before)


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _runs_cell_magic(line: str) -> bool:
    return line.startswith("get_ipython().run_cell_magic(")


def _matched_lines(transformed: list[str], raw: list[str], offset: int) -> list[int]:
    """For each line of the transformed cell the raw line that it came from, counted from 1.

    From both ends up to the first line that was rewritten; between them one by one, where a magic took all the lines
    that a backslash continues.
    """
    start = 0
    while (
        start < len(transformed) and offset + start < len(raw) and _came_from(transformed[start], raw[offset + start])
    ):
        start += 1
    common = min(len(transformed), len(raw) - offset) - start
    end = 0
    while end < common and _came_from(transformed[-1 - end], raw[-1 - end]):
        end += 1
    matched = [offset + index + 1 for index in range(start)]
    here = offset + start
    last = max(here, len(raw) - end - 1)
    for line in transformed[start : len(transformed) - end]:
        here = min(here, last)
        matched.append(here + 1)
        if not _came_from(line, raw[here] if here < len(raw) else ""):
            while here < last and raw[here].endswith("\\"):
                here += 1
        here += 1
    matched += range(len(raw) - end + 1, len(raw) + 1)
    return matched


def _came_from(line: str, raw: str) -> bool:
    """Whether a transformed line is the raw one without its indentation and prompt."""
    kept = line.strip()
    return raw.rstrip().endswith(kept) if kept else raw.strip() in ("", ">>>", "...")
