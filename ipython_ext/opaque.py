"""Magics that run Python in the user's namespace by their own means: what their body binds is read back afterwards."""

import ast

from IPython.core.inputtransformer2 import TransformerManager

CELL_MAGICS = frozenset({"time", "prun"})
LINE_MAGICS = frozenset({"time", "prun"})


def opaque_body(statement: ast.stmt, raw_cell: str) -> list[ast.stmt] | None:
    """The statements that a `%%time` or `%time` call runs, placed in the raw cell; None for any other statement.

    `%%capture` and the like run their body as a nested cell, which is seen as such; `%%timeit` binds nothing.
    """
    if not isinstance(statement, ast.Expr):
        return None
    match statement.value:
        case ast.Call(func=ast.Attribute(attr="run_cell_magic"), args=[ast.Constant(name), _, ast.Constant(str(body))]):
            if name in CELL_MAGICS:
                return _parsed(body, _line_of_magic(raw_cell))
        case ast.Call(
            func=ast.Attribute(attr="run_line_magic"), args=[ast.Constant(name), ast.Constant(str(body)), *_]
        ):
            if name in LINE_MAGICS:
                return _parsed(body, statement.lineno - 1)
    return None


def _parsed(body: str, offset: int) -> list[ast.stmt] | None:
    try:
        # The standard syntax of IPython only: the user's own transformers are the user's code.
        tree = ast.parse(TransformerManager().transform_cell(body))  # type: ignore[no-untyped-call]  # IPython's own
    except SyntaxError:
        return None
    # The transformer drops leading blank lines.
    blank = len(body) - len(body.lstrip("\n"))
    return ast.increment_lineno(tree, offset + blank).body


def _line_of_magic(raw_cell: str) -> int:
    for number, line in enumerate(raw_cell.splitlines(), 1):
        if line.lstrip().startswith("%%"):
            return number
    return 0
