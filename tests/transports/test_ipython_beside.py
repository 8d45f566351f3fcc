"""Beside other extensions that hook execution, loaded before ours or after."""

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

import ipython_ext

from .conftest import Notebook

CELL = "x = torch.ones(2)\nx = x + 1\nx"
SHAPES = [("x", "f32[2]", 1), ("x", "f32[2]", 2)]


class Wrapping:
    """An extension that wraps `run_code` or `run_ast_nodes` the way wandb and others do: on the instance."""

    def __init__(self, shell: Any, method: str) -> None:
        self.shell, self.method = shell, method
        self.calls = 0

    def load(self) -> None:
        original = getattr(self.shell, self.method)

        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return await original(*args, **kwargs)

        self.wrapper, self.original = wrapper, original
        setattr(self.shell, self.method, wrapper)

    def unload(self) -> None:
        """Puts back what it found, whatever has been wrapped around it since."""
        setattr(self.shell, self.method, self.original)


@pytest.fixture(params=["run_code", "run_ast_nodes"])
def other(request: pytest.FixtureRequest, plain: Notebook) -> Wrapping:
    plain.run("import torch")
    return Wrapping(plain.shell, request.param)


def rows(notebook: Notebook) -> list[tuple[str, str, int]]:
    seen = notebook.rows(CELL)
    assert seen[-1][0].startswith("Out[")
    return seen[:-1]


def test_a_wrapper_before_ours(plain: Notebook, other: Wrapping) -> None:
    other.load()
    ipython_ext.load_ipython_extension(plain.shell)
    assert rows(plain) == SHAPES
    assert other.calls > 0
    ipython_ext.unload_ipython_extension(plain.shell)
    assert vars(plain.shell)[other.method] is other.wrapper
    assert plain.run(CELL).result.success


def test_a_wrapper_after_ours(plain: Notebook, other: Wrapping) -> None:
    ipython_ext.load_ipython_extension(plain.shell)
    other.load()
    assert rows(plain) == SHAPES
    ipython_ext.unload_ipython_extension(plain.shell)
    cell = plain.run(CELL)
    assert cell.result.success
    assert cell.bundles == []
    assert other.calls > 0
    other.unload()
    assert plain.run(CELL).result.success


def test_a_wrapper_that_is_undone_below_ours_costs_one_cell_at_most(plain: Notebook, other: Wrapping) -> None:
    other.load()
    ipython_ext.load_ipython_extension(plain.shell)
    other.unload()
    plain.run(CELL)
    assert rows(plain) == SHAPES
    ipython_ext.unload_ipython_extension(plain.shell)


def test_loading_again_while_an_old_wrapper_of_ours_is_stuck_counts_once(plain: Notebook, other: Wrapping) -> None:
    ipython_ext.load_ipython_extension(plain.shell)
    other.load()
    ipython_ext.unload_ipython_extension(plain.shell)
    ipython_ext.load_ipython_extension(plain.shell)
    assert rows(plain) == SHAPES
    ipython_ext.unload_ipython_extension(plain.shell)


@pytest.mark.parametrize("first", ["jaxtyping", "shapeguard"])
def test_beside_jaxtypings_extension(plain: Notebook, first: str) -> None:
    plain.run("import torch")
    second = "shapeguard" if first == "jaxtyping" else "jaxtyping"
    plain.run(f"%load_ext {first}\n%load_ext {second}\n%jaxtyping.typechecker beartype.beartype")
    assert rows(plain) == SHAPES
    cell = plain.run(
        "from jaxtyping import Float\nfrom torch import Tensor\n"
        "def f(x: Float[Tensor, 'a b']):\n    return x\ny = torch.ones(2, 3)\nf(y[0])"
    )
    assert type(cell.result.error_in_exec).__name__ == "TypeCheckError"
    assert [(seen.target, seen.span.line) for seen in plain.observations] == [("y", 5)]
    plain.run(f"%unload_ext {second}\n%unload_ext shapeguard" if second == "jaxtyping" else "%unload_ext shapeguard")


def test_beside_autoreload(notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "reloaded_module.py"
    module.write_text("def size():\n    return 2\n")
    notebook.run("%load_ext autoreload\n%autoreload 2\nimport reloaded_module")
    assert notebook.rows("x = torch.ones(reloaded_module.size())") == [("x", "f32[2]", 1)]
    module.write_text("def size():\n    return 33\n")
    assert notebook.rows("x = torch.ones(reloaded_module.size())") == [("x", "f32[33]", 1)]


def test_beside_ast_transformers(notebook: Notebook) -> None:
    class Insert(ast.NodeTransformer):
        def visit_Module(self, node: ast.Module) -> ast.Module:
            node.body.insert(0, ast.fix_missing_locations(ast.parse("inserted = 1").body[0]))
            return node

    notebook.shell.ast_transformers.append(Insert())
    assert rows(notebook) == SHAPES
    notebook.shell.ast_transformers.clear()


def test_a_cell_that_resets_the_namespace(notebook: Notebook) -> None:
    notebook.run("x = torch.ones(2)")
    assert notebook.run("%reset -f\nimport torch\ny = torch.ones(3)").result.success
    assert [seen.target for seen in notebook.observations] == ["y"]


def test_threads_that_run_cells_of_their_own(notebook: Notebook) -> None:
    cell = notebook.run(
        "import threading\nx = torch.ones(1)\n"
        "def work():\n    inside = torch.ones(5)\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads:\n    thread.start()\nfor thread in threads:\n    thread.join()\ny = x"
    )
    assert cell.stderr == ""
    assert [seen.target for seen in notebook.observations] == ["x", "y"]


def test_a_cell_that_is_silent_is_left_alone(notebook: Notebook) -> None:
    assert notebook.run("x = torch.ones(2)", silent=True).bundles == []
    assert notebook.names("y = x") == ["y"]


def test_post_mortem_sees_the_users_frames_alone(notebook: Notebook) -> None:
    notebook.run("def f():\n    secret = 3\n    return 1 / 0\nx = torch.ones(2)\nf()")
    step, names = sys.last_traceback, []
    while step is not None:
        names.append(step.tb_frame.f_code.co_filename)
        step = step.tb_next
    assert not any("shapeguard" in name or "ipython_ext" in name for name in names)


def test_a_cell_that_awaits_keeps_its_rows_while_a_task_in_the_background_runs_a_cell(notebook: Notebook) -> None:
    cell = notebook.run(
        "import asyncio\n"
        "async def work():\n    await asyncio.sleep(0.01)\n    get_ipython().run_cell('inner = torch.ones(1)')\n"
        "task = asyncio.create_task(work())\np = torch.ones(7)\nawait asyncio.sleep(0.1)\nq = torch.ones(8)"
    )
    assert len(cell.annotations) == 1
    assert [seen.target for seen in notebook.observations] == ["p", "q", "inner"]
    assert notebook.names("z = torch.ones(1)") == ["z"]
