"""Running a source text statement by statement in a namespace, with every result recorded."""

import __future__

import ast
from dataclasses import dataclass
from types import CodeType, TracebackType
from typing import Any

from shapeguard.observation.recorder import Recorder

_FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; the error holds its traceback, and with it the frames of the user's program."""

    error: BaseException | None


def run_statements(
    tree: ast.Module,
    filename: str,
    namespace: dict[str, Any],
    recorder: Recorder,
) -> Outcome:
    """Execute `tree` in `namespace`, telling `recorder` of each statement; an exception ends the run.

    The code is compiled as a module's would be: `__future__` imports hold for what follows, and a docstring becomes
    `__doc__`.

    Raises:
        SyntaxError: a statement cannot be compiled (`return` outside a function); nothing has run then.
    """
    # Compiled before anything runs, since Python does not begin a text that it cannot compile to its end.
    compiled = _compile_all(tree, filename)
    for statement, code, is_expression in compiled:
        try:
            recorder.begin(statement, code)
            # The program's own namespace is its globals and its locals, as in a module.
            value = eval(code, namespace)  # noqa: S307  running the user's program is what this is for
            if is_expression and isinstance(statement, ast.Expr):
                recorder.result(statement.value, value)
            del value
        except BaseException as error:  # noqa: BLE001  the caller decides what each kind of ending means
            recorder.end(failing_line(error, filename) or 0)
            return Outcome(error)
    recorder.end()
    return Outcome(None)


def _compile_all(tree: ast.Module, filename: str) -> list[tuple[ast.stmt, CodeType, bool]]:
    """Each statement with its code, and whether that gives the value of an expression."""
    compiled = []
    flags = 0
    for index, statement in enumerate(tree.body):
        is_docstring = index == 0 and ast.get_docstring(tree, clean=False) is not None
        is_expression = isinstance(statement, ast.Expr) and not is_docstring
        code = _compile(statement, filename, flags, expression=is_expression)
        flags |= code.co_flags & _FUTURES
        compiled.append((statement, code, is_expression))
    return compiled


def _compile(statement: ast.stmt, filename: str, flags: int, *, expression: bool) -> CodeType:
    tree: ast.Expression | ast.Module = ast.Module([statement], [])
    if expression and isinstance(statement, ast.Expr):
        tree = ast.Expression(statement.value)
    code: CodeType = compile(tree, filename, "eval" if expression else "exec", flags, dont_inherit=True)
    return code


def failing_line(error: BaseException, filename: str) -> int | None:
    """The line of the outermost frame of the source `filename` in the traceback of `error`."""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == filename and step.tb_frame.f_code.co_name == "<module>":
            return step.tb_lineno
        step = step.tb_next
    return None


def own_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of `error` from the program's first frame on, without the frames that ran it."""
    step = error.__traceback__
    while step is not None and step.tb_frame.f_globals.get("__name__") == __name__:
        step = step.tb_next
    return step
