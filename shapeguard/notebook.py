"""An .ipynb in an in-process shell: no server, no kernel, the same extension."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import TextIOBase
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from shapeguard import session
from shapeguard.errors import ProgramFileError
from shapeguard.records import Report

EXTENSION = "ipython_ext"
"""Loaded by name, as `%load_ext` does it: the extension stands above this module."""

EXPECTED_ERROR_TAG = "raises-exception"
"""The cell tag by which nbclient and nbconvert know a cell that is meant to fail."""


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """One code cell that was run."""

    cell: Any
    number: int
    """Counted from 1 over the code cells."""
    report: Report
    error: BaseException | None
    error_line: int | None
    """Of the cell, where it is known."""
    expected: bool
    """Whether the cell is tagged as one that is meant to fail."""


class Listener:
    """What a transport hears while a notebook runs; each method may be overridden."""

    def cell_starts(self, cell: Any, number: int | None) -> None:
        """A cell is next; `number` is None for markdown and raw cells."""

    def output(self, output: Any) -> None:
        """The running cell gave an nbformat output."""

    def cell_ended(self, outcome: CellOutcome) -> None:
        """The code cell has run."""


def read_notebook(path: Path) -> Any:
    """The notebook at `path`, in nbformat 4.

    Raises:
        ProgramFileError: no file is there, it is no notebook, or its language is not Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        message = f"{path}: cannot be read: {reason}"
        raise ProgramFileError(message) from None
    try:
        json.loads(text)
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except json.JSONDecodeError as error:
        message = f"{path}:{error.lineno}:{error.colno}: not a notebook: not JSON ({error.msg})"
        raise ProgramFileError(message) from None
    except nbformat.ValidationError as error:
        place = "/".join(str(step) for step in getattr(error, "absolute_path", ())) or "top level"
        message = f"{path}: not a valid notebook: at {place}: {str(error).splitlines()[0]}"
        raise ProgramFileError(message) from None
    # nbformat raises KeyError, AttributeError and TypeError, among others, for JSON of other shapes.
    except Exception as error:  # noqa: BLE001
        message = f"{path}: not a notebook in a format that nbformat {nbformat.__version__} knows ({type(error).__name__}: {error})"
        raise ProgramFileError(message) from None
    language = _language(notebook)
    if language.lower() not in ("python", "ipython", "python3"):
        message = f"{path}: the notebook's language is {language}; shapeguard runs Python notebooks only"
        raise ProgramFileError(message)
    return notebook


def _language(notebook: Any) -> str:
    metadata = notebook.metadata
    named = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    return str(named or "python")


def run_notebook(notebook: Any, path: Path, listener: Listener) -> list[CellOutcome]:
    """Run the code cells in order, in the notebook's folder, and put their outputs into `notebook`.

    The run ends at the first cell that fails without being tagged `raises-exception`; the outcomes reach from the
    first cell to that one.
    """
    outcomes: list[CellOutcome] = []
    with _shell(path) as shell:
        for cell in notebook.cells:
            is_code = cell.cell_type == "code"
            number = len(outcomes) + 1 if is_code else None
            listener.cell_starts(cell, number)
            if number is None:
                continue
            outcome = _run_cell(shell, cell, number, listener)
            outcomes.append(outcome)
            listener.cell_ended(outcome)
            if outcome.error is not None and not outcome.expected:
                break
    return outcomes


def _run_cell(shell: "NotebookShell", cell: Any, number: int, listener: Listener) -> CellOutcome:
    shell.sink = Sink(listener.output)
    with redirect_stdout(shell.streams[0]), redirect_stderr(shell.streams[1]):
        result = shell.run_cell(cell.source, store_history=True, cell_id=cell.get("id"))
    error = result.error_before_exec or result.error_in_exec
    cell.outputs = shell.sink.outputs
    cell.execution_count = result.execution_count
    expected = EXPECTED_ERROR_TAG in cell.metadata.get("tags", [])
    # A blank cell leaves the report of the cell before it.
    report = import_module(EXTENSION).last_report(shell) if cell.source.strip() else None
    if report is None or (error is not None and report.error is None):
        # Blank cells, cells that are muted and cells that are no Python never ran a statement.
        report = session.blank_cell_report(cell.source, error, cell_id=cell.get("id"), count=result.execution_count)
    return CellOutcome(cell, number, report, error, _line_of(error, cell.source, shell.user_ns), expected)


def _line_of(error: BaseException | None, source: str, namespace: object) -> int | None:
    """The line of the cell at which it failed; IPython counts from the first line that is not blank."""
    blank = len(source) - len(source.lstrip("\n"))
    if isinstance(error, SyntaxError):
        return None if error.lineno is None else error.lineno + blank
    step = None if error is None else error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_name == "<module>" and step.tb_frame.f_globals is namespace:
            return step.tb_lineno + blank
        step = step.tb_next
    return None


@contextmanager
def _shell(path: Path) -> Iterator["NotebookShell"]:
    """The shell, in the notebook's folder as in Jupyter; the process is left as it was found."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    before = Path.cwd(), sys.path[:], sys.argv, sys.modules["__main__"]
    os.chdir(path.absolute().parent)
    sys.argv = [path.name]
    shell = NotebookShell.instance(config=config)
    # A kernel imports modules from the notebook's folder.
    sys.path.insert(0, "")
    import_module(EXTENSION).load_ipython_extension(shell)
    shell.streams = Stream(shell, "stdout", sys.stdout), Stream(shell, "stderr", sys.stderr)
    try:
        yield shell
    finally:
        NotebookShell.clear_instance()
        os.chdir(before[0])
        sys.path[:], sys.argv, sys.modules["__main__"] = before[1:]


class Sink:
    """The outputs of one cell, in nbformat's form, as they arrive."""

    def __init__(self, tell: Callable[[Any], None]) -> None:
        self.outputs: list[Any] = []
        self._tell = tell
        self._by_display_id: dict[str, Any] = {}
        self._clear_before_next = False

    def add(self, output: Any, display_id: str | None = None) -> None:
        """One output; pieces of one stream become one."""
        if self._clear_before_next:
            self.clear()
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last.output_type == output.output_type == "stream" and last.name == output.name:
            last.text += output.text
        else:
            self.outputs.append(output)
        if display_id is not None:
            self._by_display_id[display_id] = output
        self._tell(output)

    def update(self, output: Any, display_id: str) -> None:
        """What was displayed under `display_id` changes in place."""
        earlier = self._by_display_id.get(display_id)
        if earlier is not None:
            earlier.data, earlier.metadata = output.data, output.metadata

    def clear(self, *, wait: bool = False) -> None:
        """Forget the outputs so far, or, with `wait`, when the next one arrives."""
        self._clear_before_next = wait
        if not wait:
            self.outputs.clear()
            self._by_display_id.clear()


def _output(kind: str, **fields: Any) -> Any:
    """An nbformat output. `nbformat.v4.new_output` would validate each, which costs a millisecond a printed line."""
    return nbformat.from_dict({"output_type": kind, **fields})


class Stream(TextIOBase):
    """Standard output or error of whatever cell is running, since a log handler made in one cell outlives it."""

    def __init__(self, shell: "NotebookShell", name: str, outer: Any) -> None:
        super().__init__()
        self._shell = shell
        self._name = name
        self._outer = outer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """UTF-8, as in a kernel."""
        return "utf-8"

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The real stream's, for programs that write to it themselves."""
        return int(self._outer.fileno())

    def write(self, text: str) -> int:
        """Add `text` to the cell's outputs."""
        # What a text stream answers to bytes.
        if not isinstance(text, str):
            message = f"write() argument must be str, not {type(text).__name__}"  # type: ignore[unreachable]
            raise TypeError(message)
        if text:
            self._shell.sink.add(_output("stream", name=self._name, text=text))
        return len(text)


class NotebookDisplayHook(DisplayHook):
    """Results become `execute_result` outputs."""

    shell: Any

    def write_output_prompt(self) -> None:
        """The output carries its number."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Add one result."""
        output = _output("execute_result", data=format_dict, metadata=md_dict or {}, execution_count=self.prompt_count)
        self.shell.sink.add(output)

    def finish_displayhook(self) -> None:
        """Nothing was written, so nothing is flushed."""
        self._is_active = False


class NotebookDisplayPublisher(DisplayPublisher):
    """Displays become `display_data` outputs."""

    shell: Any

    def publish(  # IPython's signature; `source` was deprecated there and then dropped
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,  # noqa: ARG002
        *,
        transient: Any = None,
        update: bool = False,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Add or update one display."""
        display_id = (transient or {}).get("display_id")
        output = _output("display_data", data=data, metadata=metadata or {})
        if update and display_id is not None:
            self.shell.sink.update(output, display_id)
        else:
            self.shell.sink.add(output, display_id)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002  IPython's signature
        """Forget the outputs of the cell."""
        self.shell.sink.clear(wait=wait)


class NotebookShell(InteractiveShell):
    """A shell whose outputs are those of a notebook."""

    displayhook_class = Type(NotebookDisplayHook)
    display_pub_class = Type(NotebookDisplayPublisher)
    sink: Sink = Sink(lambda _output: None)
    streams: tuple["Stream", "Stream"]

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.sink.add(_output("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb)))

    def enable_gui(self, gui: Any = None) -> None:
        """No event loop runs beside a notebook that is executed from end to end."""


def html_of(notebook: Any, title: str) -> str:
    """The executed notebook as one page."""
    from nbconvert import HTMLExporter  # noqa: PLC0415  it takes a second to import, and only this format needs it

    exporter = HTMLExporter(embed_images=True)
    page, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    return str(page)
