"""The extension observes: whatever a cell does, it does exactly as without it."""

import inspect
import pickle
import random
import re
from typing import Any

import pytest
import torch
from _pytest._io.saferepr import saferepr
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

import ipython_ext

from .conftest import Cell, Notebook, new_shell

SESSION = [
    "import torch, random, inspect, warnings, sys\ntorch.manual_seed(0); random.seed(0)",
    "x = torch.randn(3, 4, requires_grad=True)\ny = (x * 2).sum()\ny.backward()\nx.grad",
    "x",
    "_",
    "__ is x, _3 is x, sorted(Out)",
    "x.sum();",
    "print(x.shape); x.shape",
    "1 / 0",
    "def f(t):\n    return t @ t\nz = torch.ones(2, 3)\nf(z)",
    "z = torch.randn(2)\nz += 1\nz._version",
    "def g():\n    return [frame.function for frame in inspect.stack()][:3]\ng()",
    "len(inspect.stack())",
    "def deep(n):\n    return n if n == 0 else deep(n - 1)\ndeep(sys.getrecursionlimit() - len(inspect.stack()) - 2)",
    "for i in range(2):\n    w = torch.ones(i)\ndeep(sys.getrecursionlimit() - len(inspect.stack()) - 2)",
    "deep(sys.getrecursionlimit() - len(inspect.stack()) + 2)",
    "if x.shape[0] == 3:\n    q = torch.rand(2)\nelse:\n    q = None\nq",
    "warnings.warn('careful', stacklevel=1)\nwarnings.warn('deeper', stacklevel=2)",
    "print('out'); print('err', file=sys.stderr)",
    "class Shy:\n    def __repr__(self):\n        return ' '.join(frame.function for frame in inspect.stack()[:9])\nShy()",
    "class Broken:\n    def __repr__(self):\n        raise ValueError('no repr')\nBroken()",
    "import asyncio\nasync def h():\n    await asyncio.sleep(0)\n    return torch.ones(2)\nawait h()",
    "a = await h()\nawait asyncio.sleep(0)\nb = a + 1",
    "%%timeit -n1 -r1 -q\nt = torch.ones(3)",
    "%%capture caught\nprint('inside')\nc = torch.ones(1)",
    "caught.stdout, c",
    "%pinfo2 deep",
    "def broken(:\n",
    "raise SystemExit(3)",
    "assert x.shape == (4, 4), 'shapes differ'",
    "import torch.nn as nn\nnet = nn.Sequential(nn.Linear(4, 2), nn.ReLU())\nnet(x)",
    "with torch.no_grad():\n    for p in net.parameters():\n        p -= 0.1 * torch.ones_like(p)\n[p._version for p in net.parameters()]",
    "inspect.getsource(deep)",
    "sys.gettrace(), sys.getprofile(), sys.displayhook is get_ipython().displayhook",
    "try:\n    f(torch.ones(2, 3))\nexcept RuntimeError as error:\n    e = error\ne.__traceback__.tb_next.tb_lineno",
    "%unknownmagic",
    "%%unknowncellmagic\nx = 1",
    "x.grad.zero_()\ndel y\n'y' in globals()",
    "from __future__ import annotations\ndef annotated(t: Missing):\n    return t\nannotated(x).shape",
    "print(x, end='')",
    "torch.randn(2), random.random()",
]


def played(notebook: Notebook) -> list[Cell]:
    return [notebook.run(source) for source in SESSION]


def comparable(text: str) -> str:
    """Without addresses, times and paths of temporary files, which differ between any two runs."""
    text = re.sub(r"0x[0-9a-f]{6,}", "0x…", text)
    text = re.sub(r"ipython-input-\d+-[0-9a-f]+|ipykernel_\d+/\d+\.py", "cell", text)
    text = re.sub(r"[\d.]+ (ns|μs|us|ms|s)( ±.*)?", "time", text)
    return re.sub(r"<function (\w+) at .*?>", r"<function \1>", text)


def test_a_whole_session_is_the_same_with_and_without_the_extension() -> None:
    runs = []
    for load in (False, True):
        shell = new_shell()
        notebook = Notebook(shell)
        if load:
            ipython_ext.load_ipython_extension(shell)
        cells = played(notebook)
        annotated = sum(bool(cell.annotations) for cell in cells)
        assert annotated >= (15 if load else 0)
        runs.append((cells, torch.get_rng_state(), random.getstate(), sorted(shell.user_ns)))
        if load:
            ipython_ext.unload_ipython_extension(shell)
        type(shell).clear_instance()
    (plain, *plain_state), (observed, *observed_state) = runs
    for source, before, after in zip(SESSION, plain, observed, strict=True):
        assert comparable(after.stdout) == comparable(before.stdout), source
        assert comparable(after.stderr) == comparable(before.stderr), source
        assert comparable(saferepr(after.result.result)) == comparable(saferepr(before.result.result)), source
        for name in ("error_before_exec", "error_in_exec"):
            left, right = getattr(before.result, name), getattr(after.result, name)
            assert type(left) is type(right), source
            assert comparable(str(left)) == comparable(str(right)), source
            assert traceback_of(left) == traceback_of(right), source
        assert after.result.success == before.result.success, source
        assert after.result.execution_count == before.result.execution_count, source
        displayed = [bundle for bundle in after.bundles if bundle not in after.annotations]
        assert displayed == before.bundles, source
    assert torch.equal(plain_state[0], observed_state[0])
    assert plain_state[1:] == observed_state[1:]


def traceback_of(error: BaseException | None) -> list[tuple[str, int]]:
    """Function and line of each frame, of the user's and of IPython's."""
    frames, step = [], None if error is None else error.__traceback__
    while step is not None:
        frames.append((step.tb_frame.f_code.co_name, step.tb_lineno))
        step = step.tb_next
    return frames


class CountingMode(TorchDispatchMode):
    """Counts every aten operation, including those that read data."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations.append(str(func))
        return func(*args, **(kwargs or {}))


SOURCES = [
    "y = x + 1",
    "y = x[0]\ny[0] = 3\nz = y",
    "x",
    "xs = [x, x]\nd = {'k': x}\nd['k'] = x\nnet = torch.nn.Linear(4, 4)",
    "for i in range(3):\n    y = x * i\nif True:\n    z = x\nw = x\nw.data = x",
    "with torch.no_grad():\n    x += 1\n    v = x.view(-1)",
]


@pytest.mark.parametrize("source", SOURCES)
def test_no_operation_is_added_and_no_data_is_read(source: str) -> None:
    counts = []
    for load in (False, True):
        shell = new_shell()
        notebook = Notebook(shell)
        notebook.run("import torch\nx = torch.ones(3, 4)")
        if load:
            ipython_ext.load_ipython_extension(shell)
        with CountingMode() as mode:
            notebook.run(source)
        # A repr hides from the mode and not from the profiler.
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            cell = notebook.run(source)
        assert bool(cell.annotations) is load
        events = sorted(event.name for event in profiled.events())
        counts.append((mode.operations, events))
        if load:
            ipython_ext.unload_ipython_extension(shell)
        type(shell).clear_instance()
    assert counts[0] == counts[1]


def test_the_check_for_added_operations_can_fail() -> None:
    x = torch.ones(2)
    with CountingMode() as mode:
        x.tolist()
        x.data  # noqa: B018
    assert mode.operations
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        repr(x)
    assert any("_local_scalar_dense" in event.name for event in profiled.events())


def test_functions_of_cells_keep_their_source_and_pickle(notebook: Notebook) -> None:
    notebook.run("def f(x):\n    # a comment\n    return x + 1\nclass C:\n    t = torch.ones(2)")
    assert inspect.getsource(notebook["f"]) == "def f(x):\n    # a comment\n    return x + 1\n"
    assert notebook["f"].__code__.co_consts == compile("def f(x):\n return x + 1", "", "exec").co_consts[0].co_consts
    assert torch.equal(pickle.loads(pickle.dumps(notebook["C"].t)), torch.ones(2))  # noqa: S301  our own bytes


@pytest.mark.usefixtures("notebook")
def test_compiled_functions_see_the_same_graphs(notebook: Notebook) -> None:
    notebook.run(
        "import torch._dynamo\ntorch._dynamo.reset()\ngraphs = []\n"
        "def backend(graph, inputs):\n    graphs.append(graph)\n    return graph.forward\n"
        "@torch.compile(backend=backend, fullgraph=True)\ndef f(x):\n    return x.relu() + 1"
    )
    notebook.run(
        "for i in range(4):\n    y = f(torch.ones(3))\nif True:\n    z = f(torch.ones(3))\nw = f(torch.ones(3))"
    )
    assert notebook.report is not None
    assert notebook.report.status == "ok"
    assert len(notebook["graphs"]) == 1


def test_tracebacks_show_no_frame_of_shapeguard(notebook: Notebook) -> None:
    cell = notebook.run("def f():\n    raise ValueError('inside')\nfor i in range(1):\n    f()")
    assert "shapeguard" not in cell.stdout + cell.stderr
    assert "ipython_ext" not in cell.stdout + cell.stderr
    assert "ValueError" in cell.stdout


def test_an_interrupt_while_shapeguard_works_lands_in_the_users_statement(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: Any, **_kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ipython_ext.capture.CellRun, "next_statement", interrupted)
        cell = notebook.run("x = torch.ones(2)\ny = x")
    assert isinstance(cell.result.error_in_exec, KeyboardInterrupt)
    assert traceback_of(cell.result.error_in_exec)[-1][0] == "<module>"
    assert "y" not in notebook.shell.user_ns
    assert notebook.names("z = torch.ones(2)") == ["z"]


def test_an_interrupt_in_a_cell_is_reported_as_such(notebook: Notebook) -> None:
    notebook.run("x = torch.ones(2)\nraise KeyboardInterrupt")
    assert notebook.report is not None
    assert notebook.report.status == "interrupted"
    assert [seen.target for seen in notebook.report.observations] == ["x"]
