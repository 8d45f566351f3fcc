"""The IPython extension: `%load_ext shapeguard` annotates every cell, `%unload_ext shapeguard` restores everything."""

import linecache
import sys
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ipython_ext.capture import Capture, CellRun
from ipython_ext.configuration import Shapeguard, apply_project_file
from ipython_ext.faults import Faults
from ipython_ext.magics import ShapeguardMagics, Switch
from ipython_ext.muting import directive_transformer
from ipython_ext.positions import CellText
from ipython_ext.publish import publish_report
from shapeguard import session
from shapeguard import settings as options
from shapeguard.errors import SettingsError
from shapeguard.records import Finding, Report

__all__ = ["Extension", "last_report", "load_ipython_extension", "unload_ipython_extension"]

_loaded: "WeakKeyDictionary[Any, Extension]" = WeakKeyDictionary()


def load_ipython_extension(shell: Any) -> None:
    """Annotate the cells of `shell`; loading twice changes nothing."""
    if shell not in _loaded:
        extension = Extension(shell)
        _loaded[shell] = extension
        extension.load()


def unload_ipython_extension(shell: Any) -> None:
    """Leave `shell` as it was before `load_ipython_extension`."""
    extension = _loaded.pop(shell, None)
    if extension is not None:
        extension.unload()


def last_report(shell: Any) -> Report | None:
    """What the last cell of `shell` gave; None where it ran no statement, or the extension is not loaded."""
    extension = _loaded.get(shell)
    return None if extension is None else extension.last_report


class Extension:
    """Everything that is put into one shell, and taken out again."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.faults = Faults()
        self.capture = Capture(shell, self.faults)
        self.last_report: Report | None = None
        """What the last cell gave, what its magics ran as cells within included."""
        self.last_finding: Finding | None = None
        """What explained the last error that could be explained."""
        self._is_nested = False
        self._stream = sys.stdout
        """Standard output as it was when the cell began: the cell may have put something of its own in its place."""
        self._magics: ShapeguardMagics | None = None
        self._shadowed: dict[tuple[str, str], Any] = {}
        self._transformer = directive_transformer(self.faults.shielded)

    # --- in and out

    def load(self) -> None:
        """Options first, so that a mistake in them is told before anything is hooked."""
        options.reset()
        try:
            apply_project_file(Path.cwd())
        except SettingsError as error:
            sys.stderr.write(f"shapeguard: {error}; this file's options are left out\n")
        configuration = Shapeguard(parent=self.shell)
        self.shell.configurables.append(configuration)
        self._register_magics(configuration)
        self.shell.input_transformers_cleanup.append(self._transformer)
        self.shell.events.register("pre_run_cell", self._before_cell)
        self.shell.events.register("post_run_cell", self._after_cell)
        self.capture.install()

    def unload(self) -> None:
        """Take out what `load` put in."""
        self.capture.uninstall()
        _without(self.shell.events.callbacks["pre_run_cell"], self._before_cell)
        _without(self.shell.events.callbacks["post_run_cell"], self._after_cell)
        _without(self.shell.input_transformers_cleanup, self._transformer)
        # IPython's own base class of magics adds each instance to this list.
        self.shell.configurables[:] = [
            kept for kept in self.shell.configurables if not isinstance(kept, (Shapeguard, ShapeguardMagics))
        ]
        self._unregister_magics()
        options.reset()
        self.last_report = self.last_finding = None

    def _register_magics(self, configuration: Shapeguard) -> None:
        manager = self.shell.magics_manager
        switch = Switch(self._turn, self._state, lambda: self.last_finding)
        self._magics = ShapeguardMagics(self.shell, configuration, switch, self.faults)
        for kind, names in self._magics.magics.items():
            for name in names:
                if name in manager.magics[kind]:
                    self._shadowed[kind, name] = manager.magics[kind][name]
        manager.register(self._magics)

    def _unregister_magics(self) -> None:
        manager = self.shell.magics_manager
        if self._magics is None:
            return
        self._magics.guarding.turn(on=False)
        for kind, names in self._magics.magics.items():
            for name in names:
                manager.magics[kind].pop(name, None)
        for (kind, name), magic in self._shadowed.items():
            manager.magics[kind][name] = magic
        manager.registry.pop(type(self._magics).__name__, None)
        self._magics = None

    def _turn(self, on: bool) -> None:  # noqa: FBT001  called by Switch alone
        self.capture.active = on

    def _state(self) -> str:
        state = "on" if self.capture.active else "off"
        return f"{state}, with {self.faults.count} faults, last: {self.faults.last}" if self.faults.count else state

    # --- after each cell

    def _before_cell(self, _info: Any = None) -> None:
        self.last_report = None
        self._stream = sys.stdout

    def _after_cell(self, result: Any = None) -> None:
        """Show what the cell gave. IPython prints the traceback of whatever escapes a callback: nothing must."""
        self._is_nested = False
        try:
            self.faults.shielded(self._show, result)
            # Not in the midst of a cell, whose magic may be keeping what is printed for itself.
            if not self._is_nested:
                self.faults.tell()
        except KeyboardInterrupt:
            # It came while the block was being drawn: the cell itself is over, and only the block is lost.
            return

    def _show(self, result: Any) -> None:
        try:
            finished = self.capture.take_finished(result)
        except Exception:
            self.capture.forget()
            raise
        self._is_nested = self.capture.is_busy()
        if self.capture.active and self.capture.was_bypassed(result, finished):
            self.capture.install()
        if any(run.recorder is not None for run in finished):
            self.last_report = self._report(finished)
            self.last_finding = next(iter(self.last_report.findings), self.last_finding)
            publish_report(self.shell, self.last_report, self._stream)

    def _report(self, runs: list[CellRun]) -> Report:
        cell = runs[0].result
        return session.cell_report(
            [
                (run.raw_cell, CellText(run.raw_cell, linecache.getlines(run.filename), index), run.recorder)
                for index, run in enumerate(run for run in runs if run.recorder is not None)
                if run.recorder is not None
            ],
            cell.error_in_exec,
            cell_id=getattr(cell.info, "cell_id", None),
            count=cell.execution_count,
            keep=self.faults.keep,
            filenames=[run.filename for run in runs if run.recorder is not None],
        )


def _without(entries: list[Any], entry: Any) -> None:
    entries[:] = [kept for kept in entries if kept is not entry and kept != entry]
