"""From 3.12 on a comprehension runs in the frame around it, which has its own names back when the exception is caught.

Older versions are put into that state by hand, so that the search is tested on all.
"""

import ast
from dataclasses import replace
from typing import Any

import pytest
import torch

from shapeguard.explanation.bounds import Deadline
from shapeguard.explanation.comprehensions import comprehension_names
from shapeguard.explanation.failure import Failure, Step, locate
from shapeguard.tensors import MISSING


def caught(text: str, **names: Any) -> Failure:
    """The failure of the innermost product of a comprehension, in the frame around it."""
    space = {"torch": torch, **names}
    with pytest.raises(RuntimeError) as error:
        exec(compile(f"{text}\n", "<comprehension>", "exec"), space)  # noqa: S102
    steps = [step for step in _steps(error.value) if step.frame.f_code.co_filename == "<comprehension>"]
    tree = ast.parse(text)
    path: list[ast.AST] = [tree]
    while not (isinstance(path[-1], ast.BinOp) and isinstance(path[-1].op, ast.MatMult)):
        path.append(
            next(n for n in ast.iter_child_nodes(path[-1]) if any(isinstance(m, ast.MatMult) for m in ast.walk(n)))
        )
    return Failure(error.value, (steps[0],), 0, "<comprehension>", text, tuple(path))


def _steps(error: BaseException) -> list[Step]:
    found, step = [], error.__traceback__
    while step is not None:
        found.append(Step(step.tb_frame, step.tb_lasti))
        step = step.tb_next
    return found


W = torch.ones(3, 2)
ROWS = [torch.ones(4, 3), torch.ones(5), torch.ones(6)]


@pytest.mark.parametrize(
    ("text", "name", "shape"),
    [
        ("y = [x @ w for x in rows]", "x", (5,)),
        ("y = {i: x @ w for i, x in enumerate(rows)}", "x", (5,)),
        ("y = [x @ w for x in reversed(rows)]", "x", (6,)),
        ("y = [a @ b for a, b in zip(rows, [w, w])]", "a", (5,)),
        ("y = [v @ w for k, v in named.items()]", "v", (5,)),
    ],
)
def test_the_element_that_failed_is_found(text: str, name: str, shape: tuple[int, ...]) -> None:
    failure = caught(text, w=W, rows=ROWS, named=dict(zip("abc", ROWS, strict=True)))
    assert tuple(comprehension_names(failure, Deadline(1))[name].shape) == shape


@pytest.mark.parametrize(
    "text",
    ["y = [x @ w for x in rows if len(x)]", "y = [x @ w for x in made()]", "y = [x @ w for r in [rows] for x in r]"],
)
def test_a_name_of_the_frame_around_is_never_taken_for_the_element(text: str) -> None:
    failure = caught(text, w=W, rows=ROWS, made=lambda: iter(ROWS), x=torch.ones(9))
    assert comprehension_names(failure, Deadline(1))["x"] is MISSING


def test_outside_of_a_comprehension_there_is_nothing_to_find() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.ones(2) @ torch.ones(3)
    failure = locate(error.value)
    assert failure is not None
    assert comprehension_names(replace(failure), Deadline(1)) == {}
