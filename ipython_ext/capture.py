"""Hooking the shell's execution: what each top-level statement of a cell bound, with the user's code untouched.

IPython compiles each top-level statement of a cell on its own and awaits `run_code` for each. Two plain wrappers, as
instance attributes of the shell, see the boundary between them. They return the original coroutines, so that no
frame of shapeguard's ever stands on the user's stack. Two more, on the display hook, see what is displayed.
"""

import ast
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter_ns
from types import CodeType
from typing import Any

from ipython_ext.faults import Faults
from ipython_ext.muting import is_muted
from ipython_ext.opaque import opaque_body
from shapeguard.observation import Recorder
from shapeguard.observation.statements import failing_line


class CellRun:
    """One call of `run_ast_nodes`: a cell, or a piece of code that a magic of it runs as a nested cell."""

    def __init__(self, shell: Any, nodes: list[ast.stmt], result: Any) -> None:
        self.raw_cell: str = result.info.raw_cell
        self.result = result
        self.thread = threading.get_ident()
        self.coroutine: weakref.ref[Any] | None = None
        self.index = 0
        self.missed_statements = False
        """Whether the cell ran cleanly and yet not every statement of it passed by: our wrapper is not in place."""
        self.recorder: Recorder | None = Recorder(shell.user_ns, walrus=":=" in self.raw_cell)
        """None where the run is not to be recorded: muted, or given up after a fault."""
        self._nodes = nodes
        # IPython appends to `nodes` in place for `ast_node_interactivity = "last_expr_or_assign"`.
        self._written = len(nodes)
        self._displayable: ast.expr | None = None
        self._last_code: CodeType | None = None
        self._closed = False

    def next_statement(self, code: CodeType, *, watched: bool = True) -> None:
        """The shell is about to run the code of the next statement, which is to be `watched` or not."""
        # Where two of our wrappers stand in one chain, because another extension re-installed one, count once.
        recorder, index = self.recorder, self.index
        if recorder is None or code is self._last_code:
            return
        self._last_code = code
        self._displayable = None
        self.index = index + 1
        if index >= self._written or not watched:
            recorder.end()
            return
        node = self._nodes[index]
        if type(node) is not ast.Expr:
            recorder.begin(node, code)
            return
        body = opaque_body(node, self.raw_cell)
        if body is None:
            recorder.begin(node, code)
        else:
            recorder.begin_opaque(node, body)
        shown = body[-1] if body else node
        self._displayable = shown.value if isinstance(shown, ast.Expr) else None

    @property
    def filename(self) -> str:
        """The name under which the shell compiled the cell; empty where no statement of it ran."""
        return "" if self._last_code is None else self._last_code.co_filename

    def displayed(self, value: object, name: str | None) -> None:
        """The statement under way displays `value`, kept as `name`; or drops it, since it ends in `;`."""
        if self.recorder is not None and self._displayable is not None:
            self.recorder.result(self._displayable, value, name)

    def finish(self) -> None:
        """The cell has run, to its end or to an exception."""
        if self._closed:
            return
        self._closed = True
        self.missed_statements = self.result.success and self.index < self._written
        if self.recorder is not None:
            error = self.result.error_in_exec
            self.recorder.end(None if error is None else failing_line(error, self.filename) or 0)

    def let_go(self) -> None:
        """Keep nothing of the shell's: a result holds what was displayed, and an error the frames that it left."""
        self.result = None

    def is_running(self) -> bool:
        """Whether the cell's coroutine is on the stack right now."""
        coroutine = None if self.coroutine is None else self.coroutine()
        return coroutine is not None and bool(coroutine.cr_running)

    def is_over(self, result: Any) -> bool:
        """Whether the run has ended, now that the cell of `result` has.

        One that waits in an `await` has not, though it is off the stack: a task in the background may run cells of
        its own. One that Ctrl-C left there has: the shell then gives the cell a result of its own making.
        """
        if self._closed or self.result is result:
            return True
        coroutine = None if self.coroutine is None else self.coroutine()
        if coroutine is None or coroutine.cr_frame is None:
            return True
        return not coroutine.cr_running and getattr(getattr(result, "info", None), "raw_cell", None) == self.raw_cell


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One method that was replaced on one object."""

    owner: Any
    name: str
    replacement: Callable[..., Any]
    original: Callable[..., Any]
    was_own: bool
    """Whether the object had an attribute of that name itself, rather than its class."""

    def remove(self) -> None:
        """Put the original back, unless another extension has wrapped ours in the meantime: then ours passes through."""
        if vars(self.owner).get(self.name) is not self.replacement:
            return
        if self.was_own:
            setattr(self.owner, self.name, self.original)
        else:
            delattr(self.owner, self.name)


class Capture:
    """The wrappers on one shell, and the runs that are under way, of every thread."""

    def __init__(self, shell: Any, faults: Faults) -> None:
        self.shell = shell
        self.active = True
        self._faults = faults
        self._shielded = self._shield()
        self._runs: list[CellRun] = []
        self._newest: CellRun | None = None
        """The run whose statement was last; it is asked first."""
        self._wrappers: list[Wrapper] = []
        self._interrupted = False
        self._entered = False

    # --- in and out

    def install(self) -> None:
        """Wrap what the shell runs cells with at this moment; what is ours already stays."""
        hook = self.shell.displayhook
        self._wrap(self.shell, "run_ast_nodes", self._around_run_ast_nodes)
        self._wrap(self.shell, "run_code", self._around_run_code)
        self._wrap(hook, "quiet", self._around_quiet)
        self._wrap(hook, "fill_exec_result", self._around_fill_exec_result)

    def uninstall(self) -> None:
        """Remove every wrapper, the newest first."""
        self.active = False
        while self._wrappers:
            self._wrappers.pop().remove()
        self._runs.clear()
        self._newest = None

    def _wrap(self, owner: Any, name: str, around: Callable[[Any], Callable[..., Any]]) -> None:
        current = getattr(owner, name)
        if any(wrapper.replacement is current for wrapper in self._wrappers):
            return
        replacement = functools.wraps(current)(around(current))
        self._wrappers.append(Wrapper(owner, name, replacement, current, name in vars(owner)))
        setattr(owner, name, replacement)

    # --- the wrappers

    def _around_run_ast_nodes(self, original: Any) -> Callable[..., Any]:
        def run_ast_nodes(nodelist: list[ast.stmt], *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
            run = self._shielded(self._begin, nodelist, kwargs.get("result")) if self.active else None
            coroutine: Coroutine[Any, Any, Any] = original(nodelist, *args, **kwargs)
            if run is not None:
                run.coroutine = weakref.ref(coroutine)
            return coroutine

        return run_ast_nodes

    def _around_run_code(self, original: Any) -> Callable[..., Any]:
        def run_code(
            code_obj: CodeType,
            result: Any = None,
            async_: bool = False,  # noqa: FBT001, FBT002  IPython's signature
            **kwargs: Any,
        ) -> Coroutine[Any, Any, Any]:
            if result is not None and self._runs:
                # As `_shielded`, with fewer calls: this stands between every two statements.
                try:
                    run = self._newest
                    if run is None or run.result is not result:
                        run = self._run_of(result)
                    if run is not None:
                        run.next_statement(code_obj, watched=self.active)
                except Exception as error:  # noqa: BLE001
                    self._give_up(result, error)
                except KeyboardInterrupt:
                    self._interrupted = True
                if self._interrupted:
                    # It arrived while shapeguard was at work; it is the user's statement that it was meant for.
                    self._interrupted = False
                    code_obj, async_ = interruption(code_obj), False
            coroutine: Coroutine[Any, Any, Any]
            if kwargs:  # of an IPython to come; unpacking even an empty dict is slower than not
                coroutine = original(code_obj, result, async_=async_, **kwargs)
            else:
                coroutine = original(code_obj, result, async_=async_)
            return coroutine

        return run_code

    def _around_quiet(self, original: Any) -> Callable[..., Any]:
        def quiet() -> Any:
            answer = original()
            if answer and self.active:
                # The display hook asks this before it drops the value; no method of it is given the value.
                self._shielded(self._dropped, sys._getframe(1).f_locals.get("result"))  # noqa: SLF001
            return answer

        return quiet

    def _around_fill_exec_result(self, original: Any) -> Callable[..., Any]:
        def fill_exec_result(result: Any) -> Any:
            if self.active:
                self._shielded(self._displayed, result)
            return original(result)

        return fill_exec_result

    def _shield(self) -> Callable[..., Any]:
        """Runs one step of ours on the way to the user's code, which neither a fault nor an interrupt may leave."""
        faults = self._faults

        def shielded(step: Callable[..., Any], *args: Any) -> Any:
            try:
                return faults.shielded(step, *args)
            except KeyboardInterrupt:
                self._interrupted = True
                return None

        return shielded

    # --- what they tell

    def _begin(self, nodes: list[ast.stmt], result: Any) -> CellRun | None:
        self._entered = True
        info = getattr(result, "info", None)
        if info is None or info.silent or not nodes or any(run.result is result for run in self._runs):
            return None
        started = perf_counter_ns()
        run = CellRun(self.shell, nodes, result)
        if run.recorder is not None:
            if is_muted(run.raw_cell) or any(outer.recorder is None for outer in self._own_runs()):
                run.recorder = None
            else:
                run.recorder.elapsed_ns += perf_counter_ns() - started
        self._runs.append(run)
        return run

    def _run_of(self, result: Any) -> CellRun | None:
        self._newest = next((run for run in reversed(self._runs) if run.result is result), None)
        return self._newest

    def _give_up(self, result: Any, error: Exception) -> None:
        """Record no more of a run: what it has seen so far may be half of the truth."""
        self._faults.keep(error)
        for run in self._runs:
            if run.result is result:
                run.recorder = None

    def _displayed(self, value: object) -> None:
        run = self._running()
        if run is not None:
            run.displayed(value, f"Out[{self.shell.displayhook.prompt_count}]")

    def _dropped(self, value: object) -> None:
        run = self._running()
        if run is not None:
            run.displayed(value, None)

    def _running(self) -> CellRun | None:
        """The innermost run on this thread's stack."""
        return next((run for run in reversed(self._own_runs()) if run.is_running()), None)

    def _own_runs(self) -> list[CellRun]:
        thread = threading.get_ident()
        return [run for run in self._runs if run.thread == thread]

    def forget(self) -> None:
        """Drop every run, whatever has become of it."""
        self._runs.clear()
        self._newest = None

    def is_busy(self) -> bool:
        """Whether a cell of this thread goes on."""
        return bool(self._own_runs())

    def was_bypassed(self, result: Any, finished: list[CellRun]) -> bool:
        """Whether the cell of `result` ran, and ran past a wrapper of ours: another extension has undone it."""
        entered, self._entered = self._entered, False
        if any(run.missed_statements for run in finished):
            return True
        ran = result is not None and result.error_before_exec is None and result.info.raw_cell.strip()
        return bool(ran) and not entered

    def take_finished(self, result: Any) -> list[CellRun]:
        """The runs that ended with the cell of `result`, closed, outermost first; none while an outer cell goes on."""
        self._interrupted = False
        own = self._own_runs()
        finished = [run for run in own if run.is_over(result)]
        for run in finished:
            self._faults.shielded(run.finish)
        self._newest = None
        if len(finished) < len(own):
            for run in finished:
                run.let_go()
                if run.recorder is None or not run.recorder.sightings:
                    self._runs.remove(run)
            return []
        for run in finished:
            self._runs.remove(run)
        return finished


def interruption(code: CodeType) -> CodeType:
    """Code that raises KeyboardInterrupt where `code` would have begun."""
    tree = ast.parse("raise KeyboardInterrupt")
    ast.increment_lineno(tree, code.co_firstlineno - 1)
    return compile(tree, code.co_filename, "exec")
