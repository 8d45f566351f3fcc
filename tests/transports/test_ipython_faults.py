"""A fault anywhere in shapeguard leaves the user's cell as it is, and one line tells of it, once."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import ipython_ext
import shapeguard
from ipython_ext.faults import Faults

from .conftest import Notebook, new_shell

CELLS = [
    "import torch, collections, dataclasses\nimport numpy as np",
    "x = torch.ones(3, 4, requires_grad=True)\ny = (x * 2).sum()\ny.backward()",
    "x.grad",
    "x.T;",
    "\n  for i in range(3):\n      z = torch.ones(i)\n      if i:\n          w = z",
    "net = torch.nn.Sequential(torch.nn.Linear(4, 2))\nnet[0].bias = None\nnet.extra = x\nd = {'k': [x, np.ones(2)]}\nd['j'] = x",
    "%%time\nt = torch.ones(2)",
    "%time u = torch.ones(2)",
    "a, *b = torch.ones(3)\nprint((c := a + 1).shape)\na += 1\na[...] = 3",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    q = torch.ones(1)\nwith torch.no_grad():\n    q += 1",
    "x @ torch.ones(3)",
    "%%capture caught\nnested = torch.ones(1)",
    "名 = torch.ones(2); é = 3",
    "s = torch.eye(2).to_sparse()\nlazy = torch.nn.LazyLinear(2)",
    "match x.shape:\n    case [p, *r]:\n        m = torch.ones(p)",
    "import math as mathematics\nv: object = x",
    "x",
]

EXEMPT = {
    # The shield itself, and what tells of a fault.
    "Faults.shielded",
    "Faults.keep",
    "Faults.tell",
    "Extension._after_cell",
}


def modules() -> Iterator[ModuleType]:
    for package in (shapeguard, ipython_ext):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not any(part in found.name for part in (".cli", ".__main__", ".notebook", ".enforcement", ".magics")):
                yield importlib.import_module(found.name)
    yield ipython_ext


def functions() -> Iterator[tuple[Any, str, str]]:
    """Owner, attribute and readable name of every function that shapeguard itself defines."""
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield module, name, name
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                for attribute, method in vars(value).items():
                    is_ours = isinstance(method, FunctionType) and method.__module__ == module.__name__
                    if is_ours and not (attribute.startswith("__") and attribute != "__init__"):
                        yield value, attribute, f"{value.__qualname__}.{attribute}"


FUNCTIONS = {
    f"{getattr(owner, '__module__', owner.__name__)}:{name}": (owner, attribute)
    for owner, attribute, name in functions()
    if name not in EXEMPT
}
OUTSIDE = {"load_ipython_extension", "unload_ipython_extension", "last_report"}


class InjectedError(Exception):
    """The fault."""


def inject(patch: pytest.MonkeyPatch, owner: Any, attribute: str) -> list[int]:
    """Make a function raise wherever it is referred to; the answer counts its calls."""
    original = vars(owner)[attribute]
    calls: list[int] = []

    @functools.wraps(original)
    def raising(*_args: Any, **_kwargs: Any) -> Any:
        calls.append(1)
        raise InjectedError(attribute)

    patch.setattr(owner, attribute, raising)
    if isinstance(owner, ModuleType):
        for module in modules():
            for name, value in list(vars(module).items()):
                if value is original:
                    patch.setattr(module, name, raising)
                elif type(value) in (dict, tuple) and module.__name__ in (
                    "shapeguard.tensors",
                    "shapeguard.rendering.rows",
                ):
                    patch.setattr(module, name, _replaced(value, original, raising))
    return calls


def _replaced(value: Any, original: Any, raising: Any) -> Any:
    """A table of handlers with one of them exchanged."""
    if value is original:
        return raising
    if type(value) is tuple:
        return tuple(_replaced(entry, original, raising) for entry in value)
    if type(value) is dict:
        return {_replaced(key, original, raising): _replaced(entry, original, raising) for key, entry in value.items()}
    return value


def outcomes(notebook: Notebook) -> list[Any]:
    answers = []
    for source in CELLS:
        cell = notebook.run(source)
        error = cell.result.error_in_exec
        value = cell.result.result
        answers.append(
            (
                None if error is None else (type(error).__name__, str(error)),
                type(value).__name__,
                getattr(value, "shape", None),
                [line for line in cell.stdout.splitlines() if "time" not in line.lower() and "CPU" not in line],
                [line for line in cell.stderr.splitlines() if not line.startswith("shapeguard: ")],
            )
        )
    return answers


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    shell = new_shell()
    answers = outcomes(Notebook(shell))
    type(shell).clear_instance()
    return answers


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_fault_changes_no_result_and_is_told_once(
    name: str, expected: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    owner, attribute = FUNCTIONS[name]
    shell = new_shell()
    notebook = Notebook(shell)
    shapeguard.tensors._interned.clear()
    ipython_ext.load_ipython_extension(shell)
    told: list[str] = []
    run = notebook.run
    monkeypatch.setattr(notebook, "run", lambda source: (cell := run(source), told.extend(_told(cell.stderr)))[0])
    with monkeypatch.context() as patch:
        calls = inject(patch, owner, attribute)
        answers = outcomes(notebook)
        # What is told while `%%capture` runs a cell within, it keeps like anything else.
        told += _told(getattr(notebook.shell.user_ns.get("caught"), "stderr", ""))
    assert answers == expected
    assert "Traceback" not in capfd.readouterr().err
    extension = ipython_ext._loaded[shell]
    assert len(told) == (1 if extension.faults.count else 0)
    if calls and not _is_degraded(name):
        assert len(told) == 1
        assert attribute in told[0]
    ipython_ext.unload_ipython_extension(shell)
    type(shell).clear_instance()


def _told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("shapeguard: internal fault")]


def _is_degraded(name: str) -> bool:
    """Where a fault has another answer than being told of.

    `describe` never raises: a handler that fails becomes a trait of the Spec. Settings are read at load only. Of the
    rules that may explain an error the next one is asked, and of the repairs the next one is tried.
    """
    rooms = ("shapeguard.tensors:", "shapeguard.settings:", "shapeguard.explanation", "shapeguard.records.finding:")
    return name.startswith(rooms)


def test_most_functions_are_reached_by_these_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the cells to reach too little, the test above would pass for nothing."""
    reached = set()
    for name, (owner, attribute) in FUNCTIONS.items():
        original = vars(owner)[attribute]

        def counted(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            reached.add(_name)
            return _original(*args, **kwargs)

        monkeypatch.setattr(owner, attribute, functools.wraps(original)(counted))
        for module in modules():
            for key, value in list(vars(module).items()):
                if value is original:
                    monkeypatch.setattr(module, key, vars(owner)[attribute])
    shell = new_shell()
    shapeguard.tensors._interned.clear()
    ipython_ext.load_ipython_extension(shell)
    outcomes(Notebook(shell))
    ipython_ext.unload_ipython_extension(shell)
    type(shell).clear_instance()
    assert {"shapeguard.observation.recorder:Recorder.begin", "shapeguard.session:cell_report"} <= reached
    assert len(reached) >= 80


def test_a_fault_is_described_by_text_alone_and_counted() -> None:
    faults = Faults()
    assert faults.shielded(lambda: 1 / 0) is None
    assert faults.shielded(lambda: 3) == 3
    assert faults.count == 1
    assert faults.last is not None
    assert "ZeroDivisionError at test_ipython_faults.py" in faults.last
    with pytest.raises(KeyboardInterrupt):
        faults.shielded(_interrupt)


def _interrupt() -> None:
    raise KeyboardInterrupt


MAGICS = [
    "%shapes",
    "%shapes x",
    "%shapes --kind tensor x*",
    "%shapeguard status",
    "%shapeguard set rows 3",
    "%shapeguard off",
    "%explain",
]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, value in vars(ipython_ext.magics.ShapeguardMagics).items()
        if name.startswith("_") and isinstance(value, FunctionType) and name not in ("__init__", "_run")
    ],
)
def test_a_fault_in_a_magic_is_told_in_one_line(name: str, notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.run("x = torch.ones(2)")
    calls = inject(monkeypatch, ipython_ext.magics.ShapeguardMagics, name)
    cells = [notebook.run(line) for line in MAGICS]
    assert calls
    assert all(cell.result.success for cell in cells)
    (line,) = [line for cell in cells for line in cell.stderr.splitlines()]
    assert "InjectedError" in line
