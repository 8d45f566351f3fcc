"""Loading is explicit, unloading is complete."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ipython_ext
from shapeguard import settings

from .conftest import Notebook, new_shell


def state_of(shell: Any) -> dict[str, Any]:
    """Everything that an extension can reach, by identity."""
    manager = shell.magics_manager
    return {
        "shell": {name: id(value) for name, value in vars(shell).items() if name not in VOLATILE},
        "displayhook": {name: id(value) for name, value in vars(shell.displayhook).items() if name not in ("_", "__")},
        "callbacks": {name: list(map(id, callbacks)) for name, callbacks in shell.events.callbacks.items()},
        "magics": {
            kind: {name: str(magic) for name, magic in magics.items()} for kind, magics in manager.magics.items()
        },
        "registry": sorted(manager.registry),
        "transformers": list(map(id, shell.input_transformers_cleanup)),
        "configurables": list(map(id, shell.configurables)),
        "ast": list(map(id, shell.ast_transformers)),
        "names": sorted(shell.user_ns),
        "settings": str(settings.settings),
        "path": sys.path[:],
        "hooks": (id(sys.displayhook), id(sys.excepthook), id(sys.gettrace())),
    }


VOLATILE = {"_last_input_line", "_logger", "_trait_values", "last_execution_result", "last_execution_succeeded"}


def test_unloading_restores_everything(plain: Notebook) -> None:
    plain.run("import torch\nx = torch.ones(2)")
    before = state_of(plain.shell)
    ipython_ext.load_ipython_extension(plain.shell)
    loaded = state_of(plain.shell)
    assert loaded["callbacks"] != before["callbacks"]
    assert loaded["shell"] != before["shell"]
    assert loaded["magics"] != before["magics"]
    settings.change("rows", "3")
    plain.run("x = torch.ones(2)\nx;")
    plain.run("1 / 0")
    ipython_ext.unload_ipython_extension(plain.shell)
    plain.shell.user_ns.pop("_i", None)
    after = state_of(plain.shell)
    for name, value in before.items():
        if name != "names":
            assert after[name] == value, name
    assert plain.run("x = torch.ones(3)").bundles == []


def test_the_magics_of_ipython_load_reload_and_unload_it(plain: Notebook) -> None:
    plain.run("import torch\n%load_ext shapeguard")
    assert plain.names("x = torch.ones(2)") == ["x"]
    assert "already loaded" in plain.run("%load_ext shapeguard").stdout
    plain.run("%reload_ext shapeguard")
    cell = plain.run("x = torch.ones(2)")
    assert [bundle["text/plain"] for bundle in cell.annotations] == ["  x   f32[2]"]
    plain.run("%unload_ext shapeguard")
    assert plain.run("x = torch.ones(2)").bundles == []
    plain.run("%load_ext shapeguard")
    assert plain.names("x = torch.ones(2)") == ["x"]
    plain.run("%unload_ext shapeguard")


def test_loading_twice_changes_nothing(notebook: Notebook) -> None:
    before = state_of(notebook.shell)
    ipython_ext.load_ipython_extension(notebook.shell)
    assert state_of(notebook.shell) == before
    assert len(notebook.run("x = torch.ones(2)").annotations) == 1


def test_unloading_what_was_never_loaded_is_harmless(plain: Notebook) -> None:
    before = state_of(plain.shell)
    ipython_ext.unload_ipython_extension(plain.shell)
    assert state_of(plain.shell) == before


def test_the_cell_that_loads_it_may_use_it_in_its_next_one(plain: Notebook) -> None:
    cell = plain.run("import torch\n%load_ext shapeguard\nx = torch.ones(2)")
    assert cell.stderr == ""
    assert plain.names("y = x") == ["y"]
    cell = plain.run("%unload_ext shapeguard\nz = x")
    assert cell.stderr == ""
    assert cell.bundles == []


def test_a_magic_of_the_users_under_the_same_name_comes_back(plain: Notebook) -> None:
    plain.shell.register_magic_function(lambda line: f"mine {line}", magic_name="shapes")
    mine = plain.shell.find_line_magic("shapes")
    ipython_ext.load_ipython_extension(plain.shell)
    assert plain.shell.find_line_magic("shapes") is not mine
    ipython_ext.unload_ipython_extension(plain.shell)
    assert plain.shell.find_line_magic("shapes") is mine


def test_two_shells_are_apart() -> None:
    first = Notebook(new_shell())
    ipython_ext.load_ipython_extension(first.shell)
    second = Notebook(new_shell())
    second.run("import torch")
    assert second.run("x = torch.ones(2)").bundles == []
    ipython_ext.load_ipython_extension(second.shell)
    ipython_ext.unload_ipython_extension(first.shell)
    assert second.names("x = torch.ones(2)") == ["x"]
    ipython_ext.unload_ipython_extension(second.shell)
    type(second.shell).clear_instance()


@pytest.mark.parametrize("statement", ["import shapeguard", "from shapeguard import describe; describe(3)"])
def test_importing_it_imports_neither_torch_nor_ipython_nor_a_checker(statement: str) -> None:
    code = f"{statement}; import sys; print([m for m in ('torch', 'numpy', 'IPython', 'beartype') if m in sys.modules])"
    done = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


def test_options_come_from_pyproject_then_from_ipythons_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.shapeguard]\nrows = 7\nkinds = ['tensor']\n")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    shell = new_shell()
    shell.config.Shapeguard.rows = 5
    ipython_ext.load_ipython_extension(shell)
    assert settings.settings.rows == 5
    assert settings.settings.kinds == ("tensor",)
    ipython_ext.unload_ipython_extension(shell)
    assert settings.settings.rows == 40
    type(shell).clear_instance()


def test_a_mistake_in_pyproject_is_one_line_and_the_extension_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plain: Notebook
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.shapeguard]\nrow = 7\n")
    monkeypatch.chdir(tmp_path)
    ipython_ext.load_ipython_extension(plain.shell)
    (line,) = capsys.readouterr().err.splitlines()
    assert "'row' is not an option; valid are rows, items, kinds, names, color, guard" in line
    assert plain.names("import torch\nx = torch.ones(1)") == ["x"]
    ipython_ext.unload_ipython_extension(plain.shell)
