"""From nodes to the text they were written in, and edits of that text. Columns of syntax trees count UTF-8 bytes."""

import ast
from collections.abc import Iterable


def segment(text: str, node: ast.AST) -> str:
    """What stands at `node`.

    >>> segment("y = a @ b", ast.parse("y = a @ b").body[0].value)
    'a @ b'
    """
    start, end = extent(text, node)
    return text[start:end]


def extent(text: str, node: ast.AST) -> tuple[int, int]:
    """First and last offset of `node` in code points."""
    line: int = getattr(node, "lineno", 1)
    return (
        _offset(text, line, getattr(node, "col_offset", 0)),
        _offset(text, getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or 0),
    )


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    written = text[start : end if end >= 0 else len(text)]
    return start + (column if written.isascii() else len(written.encode()[:column].decode(errors="ignore")))


def edited(text: str, within: ast.AST | None, edits: Iterable[tuple[ast.AST, str]]) -> str:
    """What stands at `within`, or the whole text, with each edited node replaced; nested edits are not.

    >>> tree = ast.parse("y = a @ b.T").body[0].value
    >>> edited("y = a @ b.T", tree, [(tree.right, "b")])
    'a @ b'
    """
    first, last = (0, len(text)) if within is None else extent(text, within)
    placed = sorted(((*extent(text, node), new) for node, new in edits), reverse=True)
    for start, end, new in placed:
        if first <= start and end <= last:
            text = text[:start] + new + text[end:]
            last += len(new) - (end - start)
    return text[first:last]
