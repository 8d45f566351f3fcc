"""From places in a syntax tree to spans of the text as the user wrote it."""

import ast
from collections.abc import Sequence

from shapeguard.records import Span, lines_of, maker

_new_span = maker(Span)


class SourceText:
    """One source text, split into lines once; turns nodes into Spans and Spans into what stands there.

    >>> text = SourceText("é = f()")
    >>> text.span(ast.parse("é = f()").body[0].targets[0]).end_column
    1
    """

    __slots__ = ("_ascii", "_direct", "lines", "source")

    def __init__(self, text: str, source: int = 0) -> None:
        self.lines = lines_of(text) or [""]
        self.source = source
        # In ASCII a byte is a code point, so that no line has to be looked at.
        self._ascii = text.isascii()
        self._direct = self._ascii
        """Whether the places in the syntax tree are those in the text, so that nothing has to be worked out."""

    def spans(self, nodes: Sequence[ast.AST]) -> list[Span]:
        """The ranges of `nodes`, in one go."""
        if self._direct:
            try:
                return [
                    _new_span(self.source, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
                    for node in nodes
                ]
            except AttributeError:  # an AST pass left one of them without a place
                pass
        return [self.span(node) for node in nodes]

    def span(self, node: ast.AST) -> Span:
        """The range of `node`; syntax trees count columns in UTF-8 bytes, a Span in code points."""
        line, column, end_line, end_column = place(node)
        if self._ascii:
            return _new_span(self.source, line, column, end_line, end_column)
        return Span(
            self.source,
            line,
            _code_points(self._line(line), column),
            end_line,
            _code_points(self._line(end_line), end_column),
        )

    def written(self, span: Span) -> str:
        """The text at `span`, on one line."""
        if span.line == span.end_line:
            return self._line(span.line)[span.column : span.end_column]
        parts = [self._line(span.line)[span.column :]]
        parts += [self._line(number) for number in range(span.line + 1, span.end_line)]
        parts.append(self._line(span.end_line)[: span.end_column])
        return " ".join(part.strip() for part in parts)

    def _line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def place(node: ast.AST) -> tuple[int, int, int, int]:
    """First line, first byte column, last line, last byte column of a node; zeros where an AST pass left none."""
    try:
        line, column, end_line, end_column = node.lineno, node.col_offset, node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
    except AttributeError:
        return 0, 0, 0, 0
    return line, column, end_line or line, column if end_column is None else end_column


def _code_points(line: str, column: int) -> int:
    if line.isascii():
        return column
    return len(line.encode()[:column].decode(errors="ignore"))
