"""Nothing is kept alive: a tensor is freed when a plain shell would free it."""

import gc
import weakref
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import ipython_ext

from .conftest import KeepingShell, Notebook, new_shell

MAKE = "import torch, weakref\nalive = []\ndef made(*shape):\n    t = torch.ones(shape)\n    alive.append(weakref.ref(t))\n    return t"

LIFETIMES = {
    "del": ["x = made(2)", "del x"],
    "del in the same cell": ["x = made(2)\ndel x\nnow = alive[0]() is None", "pass"],
    "rebinding in the same cell": ["x = made(2)\nx = made(3)\nnow = alive[0]() is None"],
    "rebinding in a later cell": ["x = made(2)", "x = made(3)\nnow = alive[0]() is None"],
    "rebinding in a loop": ["for i in range(3):\n    x = made(i)\nnow = [r() is None for r in alive]"],
    "rebinding in a branch": [
        "x = made(1)",
        "if True:\n    x = None\n    now = alive[0]() is None\nelse:\n    x = made(2)",
    ],
    "an error in a function": ["def f():\n    x = made(2)\n    raise ValueError\nf()", "1", "2"],
    "an error at top level": ["x = made(2)\n1 / 0", "del x", "1"],
    "a displayed value": ["made(2)", "1"],
    "a displayed value after more displays": ["made(2)", "1", "2", "3", "4"],
    "a value dropped by a semicolon": ["made(2);", "1"],
    "a list": ["xs = [made(2), made(3)]", "xs.clear()"],
    "a module": ["net = torch.nn.Linear(2, 2)\nalive.append(weakref.ref(net.weight))", "del net"],
    "an attribute": ["net = torch.nn.Linear(2, 2)\nnet.w = made(3)", "net.w = None"],
    "a graph": ["x = made(2).requires_grad_()\ny = (x * 2).sum()\nalive.append(weakref.ref(y))", "del x, y"],
    "in-place work": ["x = made(2)\nx += 1\nx[0] = 1", "del x"],
    "with a block": ["with torch.no_grad():\n    x = made(2)\n    del x\n    now = alive[0]() is None"],
    "nested cells that fail": [
        "ip = get_ipython()\ndef bad():\n    x = made(2)\n    raise ValueError",
        "for i in range(4):\n    ip.run_cell('bad()')\nimport gc\ngc.collect()\nnow = sum(r() is not None for r in alive)",
    ],
    "a magic": ["%time x = made(2)", "del x"],
}


def lifetimes(cells: list[str], *, load: bool, kind: type[InteractiveShell]) -> tuple[list[bool], Any, bool]:
    """Which of the tensors are alive after the last cell, what the cells saw themselves, and whether rows were shown."""
    shell = new_shell(kind)
    notebook = Notebook(shell)
    notebook.run(MAKE)
    if load:
        ipython_ext.load_ipython_extension(shell)
    shown = False
    for source in cells:
        cell = notebook.run(source)
        shown = shown or bool(notebook.observations) or bool(cell.annotations)
    alive = [reference() is not None for reference in notebook["alive"]]
    answer = alive, shell.user_ns.get("now"), shown
    if load:
        ipython_ext.unload_ipython_extension(shell)
    type(shell).clear_instance()
    return answer


@pytest.mark.parametrize("case", LIFETIMES)
def test_values_die_when_a_plain_shell_lets_them(case: str) -> None:
    for kind in (KeepingShell, InteractiveShell):
        plain = lifetimes(LIFETIMES[case], load=False, kind=kind)
        observed = lifetimes(LIFETIMES[case], load=True, kind=kind)
        assert observed[:2] == plain[:2]
        assert not plain[2]


def test_rows_were_shown_in_the_cells_that_bind() -> None:
    shown = {case: lifetimes(cells, load=True, kind=KeepingShell)[2] for case, cells in LIFETIMES.items()}
    unseen = {case for case, was_shown in shown.items() if not was_shown}
    # There nothing is left to be shown when the statement or the cell is over.
    assert unseen == {"an error in a function", "with a block", "nested cells that fail"}


def test_an_unloaded_extension_keeps_neither_itself_nor_the_shell() -> None:
    shell = new_shell()
    notebook = Notebook(shell)
    ipython_ext.load_ipython_extension(shell)
    notebook.run("import torch\nx = torch.ones(2)")
    reference = weakref.ref(ipython_ext._loaded[shell])
    ipython_ext.unload_ipython_extension(shell)
    gc.collect()
    assert reference() is None
    type(shell).clear_instance()
