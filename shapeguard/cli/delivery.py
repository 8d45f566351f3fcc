"""Where a report goes, in which format."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import click

from shapeguard.rendering import Paint
from shapeguard.rendering.terminal import painter
from shapeguard.settings import settings

FORMATS = ("text", "html", "json")
SUFFIXES: Mapping[str, str] = {".html": "html", ".htm": "html", ".json": "json", ".txt": "text"}


@dataclass(frozen=True, slots=True)
class Target:
    """One file to write."""

    path: Path
    form: str


def form_of(path: Path) -> str:
    """The format that the suffix of an output file names.

    Raises:
        UsageError: it names none.

    >>> form_of(Path("build/report.json"))
    'json'
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        message = f"-o {path}: its suffix names no format; use {', '.join(SUFFIXES)}, or --format {'|'.join(FORMATS)}"
        raise click.UsageError(message)
    return form


@dataclass(slots=True)
class Delivery:
    """The formats and files that were asked for, and the stream that standard output is for the report."""

    form: str
    targets: Sequence[Target] = ()
    stream: TextIO = field(default_factory=lambda: sys.stdout)

    @property
    def is_shown(self) -> bool:
        """Whether the report itself is the text on the screen, and the program's output stands between its parts."""
        return self.form == "text"

    @property
    def paint(self) -> Paint:
        """Colour for the stream, or none."""
        return painter(self.stream, settings.color)

    @contextmanager
    def standard_output(self) -> Iterator[None]:
        """While a program runs: unless text is wanted, what it prints goes to standard error, the report alone here.

        The descriptor is moved, not `sys.stdout` alone, since libraries and child processes write to the descriptor.
        """
        if self.is_shown:
            self.stream = sys.stdout
            yield
            return
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            with os.fdopen(os.dup(kept), "w", encoding="utf-8") as self.stream:
                yield
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)

    def deliver(self, forms: Mapping[str, Callable[[], str]]) -> None:
        """Write each file in its format; without files, the report to standard output."""
        for target in self.targets:
            target.path.parent.mkdir(parents=True, exist_ok=True)
            target.path.write_text(forms[target.form]() + "\n", encoding="utf-8")
            click.echo(f"wrote {os.path.relpath(target.path)}", err=True)
        if not self.targets:
            text = forms[self.form]()
            if text:
                self.stream.write(f"{text}\n")
        self.stream.flush()
