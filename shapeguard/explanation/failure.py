"""Where an exception arose: the innermost frame of the user's, and the very expression in it.

Everything is recovered from the traceback, after the fact: until something fails, nothing of this runs.
"""

import ast
import linecache
import os
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

_LIBRARIES = tuple(
    sorted(
        {os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")}  # noqa: PTH118  prefixes of text
        | {str(Path(__file__).parents[1]) + os.sep, str(Path(__file__).parents[2] / "ipython_ext") + os.sep}
    )
)
MAX_FRAMES = 2000
MAX_SOURCE = 1_000_000
"""Characters of a file that is parsed; nobody writes more by hand."""


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of a traceback, at the instruction that was running."""

    frame: FrameType
    lasti: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed expression in its surroundings. Holds the user's frames: read it, then drop it."""

    error: BaseException
    steps: tuple[Step, ...]
    """The whole traceback, outermost first."""
    user: int
    """Index of the innermost frame of the user's."""
    filename: str
    text: str
    """The source of that frame's file or cell, as it was compiled."""
    path: tuple[ast.AST, ...]
    """From the module down to the expression that failed."""
    bindings: Mapping[str, Any] = field(default_factory=dict)
    """Names whose values the frame no longer has, or not the right ones."""

    def local(self) -> dict[str, Any]:
        """The local names of the frame, as they were when it failed."""
        return {**self.frame.f_locals, **self.bindings}

    @property
    def frame(self) -> FrameType:
        """The frame in which the expression failed."""
        return self.steps[self.user].frame

    @property
    def node(self) -> ast.AST:
        """The expression that failed, or an augmented assignment."""
        return self.path[-1]

    @property
    def inner(self) -> tuple[Step, ...]:
        """The frames of libraries below the user's innermost one."""
        return self.steps[self.user + 1 :]

    @property
    def user_steps(self) -> tuple[Step, ...]:
        """The user's own frames, outermost first."""
        return tuple(step for step in self.steps if is_users(step.frame.f_code))

    def statement(self) -> ast.stmt | None:
        """The statement in which the expression stands, if the two run in one frame."""
        for node in reversed(self.path):
            if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                return None
            if isinstance(node, ast.stmt):
                return node
        return None

    def siblings(self) -> Iterator[list[ast.stmt]]:
        """The statement lists around the expression within its function, the innermost first."""
        statement: ast.AST | None = None
        for node in reversed(self.path):
            if isinstance(node, ast.Lambda):
                return
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list) and statement in block:
                    yield block
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                return
            if isinstance(node, ast.stmt):
                statement = node

    def function(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function in whose body the expression stands."""
        for node in reversed(self.path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return node
        return None

    def close_tree(self) -> ast.Module:
        """The syntax tree of the whole text."""
        module = self.path[0]
        assert isinstance(module, ast.Module)  # noqa: S101  it is where the path starts
        return module


def locate(error: BaseException) -> Failure | None:
    """The expression that raised `error`; None where the traceback or the source does not say."""
    steps = tuple(islice(_steps(error.__traceback__), MAX_FRAMES))
    user = next((index for index in range(len(steps) - 1, -1, -1) if is_users(steps[index].frame.f_code)), None)
    if user is None:
        return None
    code = steps[user].frame.f_code
    position = _position(code, steps[user].lasti)
    text = source_of(steps[user].frame)
    if position is None or text is None:
        return None
    tree = tree_of(text)
    path = None if tree is None else _path_to(tree, position)
    if path is None or not isinstance(path[-1], (ast.expr, ast.AugAssign)):
        return None
    return Failure(error, steps, user, code.co_filename, text, path)


def _steps(traceback: TracebackType | None) -> Iterator[Step]:
    while traceback is not None:
        yield Step(traceback.tb_frame, traceback.tb_lasti)
        traceback = traceback.tb_next


@lru_cache(maxsize=512)
def _is_users_file(filename: str) -> bool:
    if filename.startswith("<"):
        # Cells of a plain IPython and texts that were put into linecache; generated functions have no lines.
        return bool(linecache.getlines(filename))
    return not filename.startswith(_LIBRARIES) and f"{os.sep}site-packages{os.sep}" not in filename


def is_users(code: CodeType) -> bool:
    """Whether code is the user's own, rather than a library's."""
    return not code.co_filename.startswith("<frozen") and _is_users_file(code.co_filename)


def source_of(frame: FrameType) -> str | None:
    """The text that a frame's code was compiled from."""
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    text = "".join(lines)
    return text if text and len(text) <= MAX_SOURCE else None


@lru_cache(maxsize=4)
def tree_of(text: str) -> ast.Module | None:
    """The syntax tree of a text; None where it is no Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_Position = tuple[int, int, int, int]


def _position(code: CodeType, lasti: int) -> _Position | None:
    found = next(islice(code.co_positions(), lasti // 2, None), None)
    if found is None:
        return None
    line, end_line, column, end_column = found
    if line is None or end_line is None or column is None or end_column is None:
        return None
    return line, column, end_line, end_column


def _path_to(tree: ast.Module, position: _Position) -> tuple[ast.AST, ...] | None:
    """The nodes from `tree` down to the expression at exactly `position`."""
    path: list[ast.AST] = [tree]
    best: tuple[ast.AST, ...] | None = None
    while True:
        child = next((node for node in ast.iter_child_nodes(path[-1]) if _covers(node, position)), None)
        if child is None:
            return best or _called(path, position)
        path.append(child)
        if isinstance(child, (ast.expr, ast.AugAssign)) and _place(child) == position and best is None:
            best = tuple(path)


def _called(path: list[ast.AST], position: _Position) -> tuple[ast.AST, ...] | None:
    """From 3.12 on a call of a method across lines is placed from the method's name on."""
    for depth in range(len(path) - 1, 0, -1):
        node = path[depth]
        if isinstance(node, ast.Call) and _place(node)[2:] == position[2:]:
            return tuple(path[: depth + 1])
    return None


def _covers(node: ast.AST, position: _Position) -> bool:
    if isinstance(node, ast.Constant) and _place(node) != position:
        # Before 3.12 the text parts of an f-string claim the whole of it.
        return False
    if not hasattr(node, "lineno"):
        # `arguments`, `comprehension`, `withitem`: they have no place of their own.
        return any(_covers(child, position) for child in ast.iter_child_nodes(node))
    line, column, end_line, end_column = _place(node)
    starts = (line, column) <= position[:2]
    if not starts and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        starts = any(_covers(decorator, position) for decorator in node.decorator_list)
    return starts and position[2:] <= (end_line, end_column)


def _place(node: ast.AST) -> _Position:
    line: int = getattr(node, "lineno", 0)
    column: int = getattr(node, "col_offset", 0)
    return line, column, getattr(node, "end_lineno", None) or line, getattr(node, "end_col_offset", None) or column
