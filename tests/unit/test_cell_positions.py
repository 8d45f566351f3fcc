"""Where the rows of a cell stand that IPython rewrote before it parsed it, and what finding that costs."""

import ast
import time

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from ipython_ext.positions import CellText


def targets(raw: str) -> tuple[CellText, list[ast.AST]]:
    transformed = TransformerManager().transform_cell(raw)  # type: ignore[no-untyped-call]  # IPython's own
    nodes = [node for node in ast.walk(ast.parse(transformed)) if isinstance(getattr(node, "ctx", None), ast.Store)]
    return CellText(raw, transformed.splitlines(keepends=True)), list[ast.AST](nodes)


def places(raw: str) -> list[tuple[int, int, str]]:
    text, nodes = targets(raw)
    return sorted((span.line, span.column, text.written(span)) for span in text.spans(nodes))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\nx = 1\nx = 2", [(2, 0, "x"), (3, 0, "x")]),
        ("\n  \n\nx = 1\n\nx.a = 2", [(4, 0, "x"), (6, 0, "x.a")]),
        ("\nx = '''\n\n'''; y = 2", [(2, 0, "x"), (4, 5, "y")]),
        ("\nx = 1; ä = 'é'; y = 2", [(2, 0, "x"), (2, 7, "ä"), (2, 16, "y")]),
        ("  x = 1\n  x = 2", [(1, 2, "x"), (2, 2, "x")]),
        ("\n    é = 1; x = 2\n\n    x = 3", [(2, 4, "é"), (2, 11, "x"), (4, 4, "x")]),
        ("  if True:\n      x['k'] = 1", [(2, 6, "x['k']")]),
        (">>> x = 1\n>>> for i in x:\n...     x = 2", [(1, 4, "x"), (2, 8, "i"), (3, 8, "x")]),
        ("In [1]: x = 1\n   ...: x = 2", [(1, 8, "x"), (2, 8, "x")]),
        ("x = 1\n%pwd\nx = 2\ny = !ls\nx = 3", [(1, 0, "x"), (3, 0, "x"), (4, 0, "y"), (5, 0, "x")]),
        ("%alias a \\\n  b\nx = 1\n!ls \\\n c \\\n d\nx = 2", [(3, 0, "x"), (7, 0, "x")]),
        ("\n%alias a \\\n  b\n!ls \\\n c\nx = 1\n!ls\nx = 2", [(6, 0, "x"), (8, 0, "x")]),
        ("\nﬁ = 1\n!ls\nﬁ = 2", [(2, 0, "ﬁ"), (4, 0, "ﬁ")]),
    ],
)
def test_every_target_stands_where_it_was_written(raw: str, expected: list[tuple[int, int, str]]) -> None:
    assert places(raw) == expected


@pytest.mark.parametrize("written", ["{}", "\n{}", "    {}", ">>> {}", "{}\n!ls", "!ls \\\n -l\n{}\n!ls \\\n -l"])
def test_thousands_of_rows_are_placed_in_linear_time(written: str) -> None:
    before, _, after = written.partition("{}")
    prefix = before.rpartition("\n")[2]
    raw = before + f"\n{prefix}".join(["x = 1"] * 5000) + after
    text, nodes = targets(raw)
    started = time.perf_counter()
    spans = text.spans(nodes)
    assert time.perf_counter() - started < 0.25
    first = before.count("\n") + 1
    assert [(span.line, span.column) for span in spans] == [(first + i, len(prefix)) for i in range(5000)]
