"""`shapeguard run FILE.ipynb`: every cell as it runs, with its annotations."""

import sys
from pathlib import Path
from typing import Any

import click
from pygments import highlight
from pygments.formatters import TerminalFormatter
from pygments.lexers import PythonLexer

from shapeguard.cli.delivery import Delivery, say, show
from shapeguard.notebook import CellOutcome, Listener, html_of, read_notebook, run_notebook
from shapeguard.records import MIME_TYPE
from shapeguard.rendering import Selection, coloured, report_text
from shapeguard.rendering.terminal import wants_color
from shapeguard.settings import settings

ERROR, INTERRUPTED = 1, 130


def run_notebook_file(file: Path, delivery: Delivery) -> int:
    """Run a notebook, deliver its reports, and give the exit code.

    Raises:
        ProgramFileError: the file is no Python notebook.
        DeliveryError: the reports cannot be written; before the notebook runs, where that is known.
    """
    notebook = read_notebook(file)
    delivery.check()
    printer = Printer(delivery, sum(cell.cell_type == "code" for cell in notebook.cells))
    outcomes = run_notebook(notebook, file, printer)
    delivery.deliver(
        {
            "json": lambda: f"[{','.join(outcome.report.to_json() for outcome in outcomes)}]",
            "html": lambda: html_of(notebook, file.stem),
            "text": lambda: printer.transcript,
        }
    )
    last = outcomes[-1] if outcomes else None
    if last is None or last.error is None or last.expected:
        return 0
    return _tell_ending(file, last)


def _tell_ending(file: Path, outcome: CellOutcome) -> int:
    error = outcome.error
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        say(str(error.code))
        return ERROR
    # A SyntaxError's text would add the shell's own name for the cell.
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    first_line = (text.splitlines() or [""])[0]
    line = f" line {outcome.error_line}" if outcome.error_line else ""
    say(f"shapeguard: {file}: cell {outcome.number}{line}: {type(error).__name__}: {first_line}")
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else ERROR


class Printer(Listener):
    """Draws a notebook in a terminal while it runs; where text is not wanted, one line a cell on standard error."""

    def __init__(self, delivery: Delivery, cells: int) -> None:
        self._delivery = delivery
        self._cells = cells
        self._stream = sys.stdout if delivery.is_shown else sys.stderr
        self._colored = wants_color(self._stream, settings.color)
        self._parts: list[str] = []

    @property
    def transcript(self) -> str:
        """What was drawn, for a file; empty where it is on the screen already."""
        return "".join(self._parts).rstrip("\n") if self._delivery.targets else ""

    def cell_starts(self, cell: Any, number: int | None) -> None:
        """The cell's text, before it runs."""
        if not self._delivery.is_shown:
            if number is not None:
                say(f"cell {number} of {self._cells}")
        elif number is None:
            self._draw(f"{cell.source}\n\n")
        else:
            self._draw(_indented(f"In [{number}]: ", self._highlighted(cell.source)))

    def output(self, output: Any) -> None:
        """What the program prints or shows, as it comes."""
        text = _text_of(output)
        if text and (self._delivery.is_shown or output.output_type == "stream"):
            self._draw(text)

    def cell_ended(self, outcome: CellOutcome) -> None:
        """The cell's annotations."""
        if not self._delivery.is_shown:
            return
        selection = Selection(settings.rows, settings.kinds, settings.names)
        shown = any(MIME_TYPE in output.get("data", {}) for output in outcome.cell.outputs)
        text = (
            report_text(outcome.report, selection, coloured if self._colored else lambda _role, text: text)
            if shown
            else ""
        )
        self._draw(f"{text}\n\n" if text else "\n")

    def _highlighted(self, source: str) -> str:
        return highlight(source, PythonLexer(), TerminalFormatter()).rstrip("\n") if self._colored else source

    def _draw(self, text: str) -> None:
        self._parts.append(click.unstyle(text))
        # Not through sys.stdout: while a cell runs, that is the cell's own.
        show(text if self._colored else click.unstyle(text), self._stream)


def _indented(prompt: str, text: str) -> str:
    first, *rest = text.split("\n")
    continuation = "...: ".rjust(len(prompt))
    return "\n".join([f"{prompt}{first}", *(f"{continuation}{line}".rstrip() for line in rest)]) + "\n"


def _text_of(output: Any) -> str:
    """The plain form of an nbformat output; annotations are drawn from their report instead."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback) + "\n"
    if MIME_TYPE in output.data:
        return ""
    text = str(output.data.get("text/plain", ""))
    if output.output_type == "execute_result":
        return f"Out[{output.execution_count}]: {text}\n"
    return f"{text}\n"
