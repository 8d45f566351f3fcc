"""Packages are guarded as they are imported, by a call, in a `with`, or by pytest."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from shapeguard.enforcement import TypeCheckError, install_import_hook

SOURCE = '''
"""Docstring."""
from __future__ import annotations
from dataclasses import dataclass
from functools import cache
from typing import no_type_check, overload
from jaxtyping import Float
from torch import Tensor

def free(x):
    return x

def f(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    return x

@no_type_check
def unchecked(x: int) -> int:
    return x

@cache
def cached(n: int) -> int:
    return n

class Layer:
    @property
    def size(self) -> int:
        return "no"

    @staticmethod
    def fixed(x: Float[Tensor, "3"]) -> None: ...

@dataclass(frozen=True)
class Pair:
    x: Float[Tensor, "n"]
    y: Float[Tensor, "n"]

async def slow(n: int) -> int:
    return n

def outer():
    def inner(n: int) -> int:
        return n
    return inner
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "guardme"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "sub" / "__init__.py").write_text(SOURCE)
    (tmp_path / "guardmenot.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("guardme", "guardmenot")]:
        del sys.modules[name]


def refuses(function: Any, *args: Any) -> bool:
    try:
        function(*args)
    except TypeCheckError:
        return True
    return False


def refusals(module: ModuleType) -> dict[str, bool]:
    a, b = torch.zeros(2), torch.zeros(3)
    return {
        "f": refuses(module.f, a, b),
        "free": refuses(module.free, "a"),
        "unchecked": refuses(module.unchecked, "a"),
        "cached": refuses(module.cached, "a"),
        "property": refuses(lambda: module.Layer().size),
        "static": refuses(module.Layer.fixed, a),
        "dataclass": refuses(module.Pair, a, b),
        "inner": refuses(module.outer(), "a"),
    }


GUARDED = {"f", "cached", "property", "static", "dataclass", "inner"}


@pytest.mark.usefixtures("package")
def test_every_annotated_function_of_the_named_packages_is_guarded_and_no_other() -> None:
    with install_import_hook("guardme"):
        module, other = import_module("guardme.sub"), import_module("guardmenot")
    assert {name for name, refused in refusals(module).items() if refused} == GUARDED
    assert not any(refusals(other).values())
    assert module.__doc__ == "Docstring."
    assert module.f(torch.zeros(2), torch.zeros(2)).shape == (2,)


@pytest.mark.usefixtures("package")
def test_after_the_with_nothing_more_is_guarded_not_even_from_pycache() -> None:
    with install_import_hook(["guardme"]):
        import_module("guardme.sub")
    for name in ("guardme.sub", "guardme"):
        del sys.modules[name]
    assert not any(refusals(import_module("guardme.sub")).values())
    hook = install_import_hook(["guardme"])
    hook.uninstall()
    assert hook not in sys.meta_path


def test_pytest_guards_what_it_is_told_to_and_nothing_else(package: Path) -> None:
    (package / "test_it.py").write_text(
        textwrap.dedent(
            """
            import torch
            from guardme.sub import f

            def test_it():
                assert f(torch.zeros(2), torch.zeros(1)).shape == (2,)
            """
        )
    )
    # Where shapeguard is installed, pytest has found its plugin already, and takes it only once.
    installed = any(one.name == "shapeguard" for one in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "shapeguard.pytest_plugin"]
    for option, code in (("--shapeguard-packages=guardme", 1), ("--shapeguard-packages=other", 0), ("-q", 0)):
        command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", option, "test_it.py"]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == code, done.stdout
        assert ("f(y): dim 0 of y is 1, but n is 2" in done.stdout) == bool(code)


def test_disabled_by_the_environment_guard_gives_back_what_it_was_given(package: Path) -> None:
    program = (
        "from shapeguard import guard, install_import_hook\n"
        "def f(n: int) -> int: return n\n"
        "assert guard(f) is f\n"
        "with install_import_hook('guardme'): import guardme.sub\n"
        "assert guardme.sub.cached('a') == 'a'\n"
    )
    environment = {"SHAPEGUARD_DISABLE": "1", "PYTHONPATH": f"{Path(__file__).parents[3]}:{package}"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)  # noqa: S603


def test_importing_shapeguard_loads_no_pytest() -> None:
    program = "import sys, shapeguard; shapeguard.guard; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(Path(__file__).parents[3])})  # noqa: S603
