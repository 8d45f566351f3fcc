"""`%shapeguard guard on`: definitions and annotated assignments of later cells are checked."""

import pytest
from jaxtyping import TypeCheckError

import ipython_ext

from .conftest import Notebook

DEFINITIONS = """
import torch
from torch import Tensor
from jaxtyping import Float
def f(x: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    return x
class Layer:
    def forward(self, x: Float[Tensor, "3"]) -> None: ...
"""

REFUSED = [
    ("f(torch.zeros(2, 4))", "f(x): dim 1 of x is 4, expected 3"),
    ("Layer().forward(torch.zeros(4))", "Layer.forward(x): dim 0 of x is 4, expected 3"),
    ('Q: Float[Tensor, "3 3"] = torch.zeros(3, 4)', "assignment(Q): dim 1 of Q is 4, expected 3"),
]


@pytest.mark.parametrize(("cell", "line"), REFUSED)
def test_what_later_cells_define_and_assign_is_checked_while_guarding_is_on(
    notebook: Notebook, cell: str, line: str
) -> None:
    notebook.run("%shapeguard guard on")
    notebook.run(DEFINITIONS)
    error = notebook.run(cell).result.error_in_exec
    assert isinstance(error, TypeCheckError)
    assert str(error).splitlines()[0] == line


@pytest.mark.parametrize(("cell", "line"), REFUSED)
def test_nothing_is_checked_before_it_is_on_nor_after_it_is_off(notebook: Notebook, cell: str, line: str) -> None:
    del line
    notebook.run(DEFINITIONS)
    assert notebook.run(cell).result.error_in_exec is None
    notebook.run("%shapeguard guard on")
    notebook.run("%shapeguard guard off")
    notebook.run(DEFINITIONS)
    assert notebook.run(cell).result.error_in_exec is None


def test_a_fitting_assignment_is_bound_and_shown_as_without_guarding(notebook: Notebook) -> None:
    notebook.run("%shapeguard guard on")
    notebook.run(DEFINITIONS)
    cell = notebook.run('Q: Float[Tensor, "3 3"] = torch.zeros(3, 3)')
    assert cell.result.error_in_exec is None
    assert notebook["Q"].shape == (3, 3)
    assert notebook["__annotations__"]["Q"] is not None
    assert [(seen.target, seen.role, seen.span.line) for seen in notebook.observations] == [("Q", "binding", 1)]


def test_unloading_takes_the_guarding_out(notebook: Notebook) -> None:
    notebook.run("%shapeguard guard on")
    assert "__shapeguard_guard__" in notebook.shell.user_ns
    ipython_ext.unload_ipython_extension(notebook.shell)
    assert notebook.shell.ast_transformers == []
    assert "__shapeguard_guard__" not in notebook.shell.user_ns
    ipython_ext.load_ipython_extension(notebook.shell)
