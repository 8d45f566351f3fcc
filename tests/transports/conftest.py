"""A real InteractiveShell whose displays are kept, so that annotations and the program's own output stand apart."""

import atexit
import builtins
import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

import ipython_ext
from shapeguard import settings
from shapeguard.notation import brief
from shapeguard.records import MIME_TYPE, Observation, Report


class KeepingPublisher(DisplayPublisher):
    """Keeps what is published, as a notebook front end would receive it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bundles: list[dict[str, Any]] = []

    def publish(self, data: Any, *_args: Any, **_kwargs: Any) -> None:
        self.bundles.append(data)


class KeepingShell(InteractiveShell):
    """A shell of the notebook kind."""

    display_pub_class = Type(KeepingPublisher)


@dataclass
class Cell:
    """What one executed cell gave."""

    result: Any
    stdout: str
    stderr: str
    bundles: list[dict[str, Any]] = field(default_factory=list)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        return [bundle for bundle in self.bundles if MIME_TYPE in bundle]

    @property
    def text(self) -> str:
        return "\n".join(bundle["text/plain"] for bundle in self.annotations)


class Notebook:
    """Runs cells in one shell, one after the other."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def run(self, source: str, **options: Any) -> Cell:
        publisher = self.shell.display_pub
        kept = getattr(publisher, "bundles", [])
        kept.clear()
        out, err = io.StringIO(), io.StringIO()
        options.setdefault("store_history", True)
        with redirect_stdout(out), redirect_stderr(err):
            result = self.shell.run_cell(source, **options)
        return Cell(result, out.getvalue(), err.getvalue(), list(kept))

    @property
    def report(self) -> Report | None:
        return ipython_ext.last_report(self.shell)

    @property
    def observations(self) -> tuple[Observation, ...]:
        return () if self.report is None else self.report.observations

    def rows(self, source: str) -> list[tuple[str, str, int]]:
        """Target, brief and line of everything that the cell shows."""
        self.run(source)
        return [(seen.target, brief(seen.spec), seen.span.line) for seen in self.observations]

    def names(self, source: str) -> list[str]:
        return [target for target, _, _ in self.rows(source)]

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


def new_shell(kind: type[InteractiveShell] = KeepingShell, **configuration: Any) -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.update(configuration)
    kind.clear_instance()
    # Python's own display hook, where a test elsewhere went through it, leaves `_` there, and a shell respects that.
    vars(builtins).pop("_", None)
    shell = kind.instance(config=config)
    # IPython 8 collects garbage for each shell at exit, and keeps all of them until then.
    atexit.unregister(shell.atexit_operations)
    return shell


@pytest.fixture
def plain() -> Iterator[Notebook]:
    """A notebook without the extension."""
    shell = new_shell()
    yield Notebook(shell)
    type(shell).clear_instance()


@pytest.fixture
def notebook(plain: Notebook) -> Iterator[Notebook]:
    """A notebook with the extension loaded and torch imported."""
    plain.run("import torch")
    ipython_ext.load_ipython_extension(plain.shell)
    yield plain
    ipython_ext.unload_ipython_extension(plain.shell)
    settings.reset()


@pytest.fixture
def terminal() -> Iterator[Notebook]:
    """A terminal's shell, whose `display_pub` prints, with the extension loaded."""
    shell = new_shell(InteractiveShell)
    notebook = Notebook(shell)
    notebook.run("import torch")
    ipython_ext.load_ipython_extension(shell)
    yield notebook
    ipython_ext.unload_ipython_extension(shell)
    type(shell).clear_instance()
    settings.reset()
