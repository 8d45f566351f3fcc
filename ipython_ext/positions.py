"""From syntax trees of the transformed cell to spans of the cell as the user wrote it.

IPython drops leading blank lines and indentation, strips prompts and rewrites magics before it parses.
"""

import ast
import re
from difflib import SequenceMatcher

from shapeguard.observation.positions import SourceText, place
from shapeguard.records import Span


class CellText(SourceText):
    """The raw text of a cell, addressed by nodes of its transformed text."""

    __slots__ = ("_lines_of", "_transformed", "_unchanged")

    def __init__(self, raw: str, transformed: list[str], source: int = 0) -> None:
        super().__init__(raw, source)
        self._transformed = [line.rstrip("\n") for line in transformed]
        # Asked once for the whole cell: nearly every cell is what the user wrote, and each of its spans asks.
        self._unchanged = self.lines == self._transformed
        self._direct = self._ascii and self._unchanged
        self._lines_of: dict[int, int] | None = None

    def span(self, node: ast.AST) -> Span:
        """The range of `node` in the raw cell; where the text was rewritten, of what stands in its place."""
        span = super().span(node)
        if self._unchanged or self._stands_at(node, span):
            return span
        line, column, end_line, end_column = place(node)
        first, last = self._raw_line(line), self._raw_line(end_line)
        moved = Span(
            self.source, first, self._shifted(line, column, first), last, self._shifted(end_line, end_column, last)
        )
        return moved if self._stands_at(node, moved) else self._found(node, moved)

    def _found(self, node: ast.AST, span: Span) -> Span:
        """The place in the span's line that reads like `node`: a target behind `%time`; else the span itself."""
        written = ast.unparse(node)
        there = re.search(rf"(?<!\w){re.escape(written)}(?!\w)", self.lines[span.line - 1])
        if there is None:
            return span
        return Span(self.source, span.line, there.start(), span.line, there.end())

    def _stands_at(self, node: ast.AST, span: Span) -> bool:
        """Whether the raw text at `span` is `node` itself, as it is in the body of a magic."""
        try:
            there = ast.parse(self.written(span).strip(), mode="eval").body
        except SyntaxError:
            return False
        return isinstance(node, ast.expr) and ast.unparse(there) == ast.unparse(node)

    def _raw_line(self, number: int) -> int:
        if self._lines_of is None:
            self._lines_of = _matched_lines(self._transformed, self.lines)
        return self._lines_of.get(number, min(number, len(self.lines)))

    def _shifted(self, number: int, column: int, raw_number: int) -> int:
        """A byte column of the transformed line as a column of the raw one: indentation and prompts were cut off."""
        line = self._transformed[number - 1] if 0 < number <= len(self._transformed) else ""
        raw = self.lines[raw_number - 1]
        before = line.encode()[:column].decode(errors="ignore")
        kept = line.strip()
        start = raw.find(kept) if kept else -1
        if start >= 0:
            return min(len(raw), max(0, start + len(before) - (len(line) - len(line.lstrip()))))
        # A rewritten line (`x = !ls`) keeps what stands before the magic.
        return min(len(raw), len(before))


def _matched_lines(transformed: list[str], raw: list[str]) -> dict[int, int]:
    """For each line of the transformed cell the raw line that it came from, both counted from 1."""
    ours, theirs = [line.strip() for line in transformed], [_bare(line) for line in raw]
    matched: dict[int, int] = {}
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, start, end, raw_start, raw_end in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and end - start == raw_end - raw_start):
            matched.update({start + i + 1: raw_start + i + 1 for i in range(end - start)})
        elif tag == "replace":
            # A magic with continuation lines became one line.
            matched.update({start + i + 1: min(raw_start + i, raw_end - 1) + 1 for i in range(end - start)})
    return matched


def _bare(line: str) -> str:
    """A raw line without indentation and prompt."""
    bare = line.strip()
    for prompt in (">>> ", "... "):
        if bare.startswith(prompt):
            return bare.removeprefix(prompt).strip()
    return bare
