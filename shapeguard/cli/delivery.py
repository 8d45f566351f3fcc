"""Where a report goes, in which format."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import click

from shapeguard.errors import ShapeguardError
from shapeguard.rendering import Paint, plain
from shapeguard.rendering.terminal import painter
from shapeguard.settings import settings

STANDARD_OUTPUT = "standard output"
FORMATS = ("text", "html", "json")
SUFFIXES: Mapping[str, str] = {".html": "html", ".htm": "html", ".json": "json", ".txt": "text"}


class DeliveryError(ShapeguardError):
    """A report cannot be written to where it was asked for."""


@dataclass(frozen=True, slots=True)
class Target:
    """One file to write."""

    path: Path
    """Absolute, since the program may change directory."""
    form: str
    typed: str
    """The path as the user wrote it, for messages."""

    def check(self) -> None:
        """Make the parent folder and see that the file can be written; what is at the path stays as it is.

        Raises:
            DeliveryError: it cannot.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _try_to_open(self.path)
        except OSError as error:
            raise _not_written(self.typed, error) from None

    def write(self, text: str) -> None:
        """Write the file.

        Raises:
            DeliveryError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A name that is no Unicode text may come from the file system or from the program.
            self.path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise _not_written(self.typed, error) from None


def _not_written(where: str, error: OSError) -> DeliveryError:
    return DeliveryError(f"{where}: cannot be written: {error.strerror or error}")


def _try_to_open(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        path.open("a").close()
        # A link that leads nowhere yet is itself to stay.
        path.resolve().unlink()
        return
    # A pipe would wait for its reader, and the reader would take the close for the end.
    if not stat.S_ISFIFO(mode):
        path.open("a").close()


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


def say(line: str) -> None:
    """One line on standard error, unless the program has done away with that."""
    with suppress(OSError, ValueError):
        click.echo(line, err=True)


def flush_output() -> None:
    """Flush standard output, whatever the program has made of it.

    A failure is not lost: what is still pending fails again where the report is written, or where Python exits.
    """
    with suppress(Exception):
        sys.stdout.flush()


def _is_open(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.writable()
    # Closed or detached, or an object that is a stream only in part.
    except (ValueError, AttributeError):
        return False


def show(text: str, stream: TextIO) -> None:
    """Write to a stream of the process, with an escape for each character that its encoding does not have.

    Raises:
        DeliveryError: it cannot be written.
    """
    try:
        stream.write(_encodable(text, stream))
        stream.flush()
    except BrokenPipeError:
        # Whoever reads has read enough; click ends the process without a word.
        raise
    except OSError as error:
        _discard_what_is_pending(stream)
        raise _not_written(STANDARD_OUTPUT, error) from None


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding, stream.errors or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _discard_what_is_pending(stream: TextIO) -> None:
    """Let the buffer of a stream go nowhere: closing it, or the exit of Python, would fail on it once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@dataclass(slots=True)
class Delivery:
    """The formats and files that were asked for, and the stream that standard output is for the report."""

    form: str
    targets: Sequence[Target] = ()
    stream: TextIO | None = field(default_factory=lambda: sys.stdout)

    @property
    def is_shown(self) -> bool:
        """Whether the report itself is the text on the screen, and the program's output stands between its parts."""
        return self.form == "text"

    @property
    def paint(self) -> Paint:
        """Colour for the stream, or none."""
        stream = self._open_stream()
        return painter(stream, settings.color) if stream else plain

    @contextmanager
    def standard_output(self) -> Iterator[None]:
        """While a program runs: unless text is wanted, what it prints goes to standard error, the report alone here.

        The descriptor is moved, not `sys.stdout` alone, since libraries and child processes write to the descriptor.
        """
        if self.is_shown:
            self.stream = sys.stdout
            yield
            return
        flush_output()
        try:
            kept = os.dup(1)
        except OSError:
            # The process was started without standard output.
            yield
            return
        os.dup2(2, 1)
        try:
            with os.fdopen(os.dup(kept), "w", encoding="utf-8") as self.stream:
                yield
        finally:
            flush_output()
            os.dup2(kept, 1)
            os.close(kept)

    def check(self) -> None:
        """See that every file can be written, before a program runs for long.

        Raises:
            DeliveryError: one cannot.
        """
        for target in self.targets:
            target.check()

    def deliver(self, forms: Mapping[str, Callable[[], str]]) -> None:
        """Write each file in its format; without files, the report to standard output.

        Raises:
            DeliveryError: something could not be written; all else is.
        """
        failures = []
        for target in self.targets:
            try:
                target.write(forms[target.form]())
            except DeliveryError as error:
                failures.append(str(error))
            else:
                say(f"wrote {target.typed}")
        if failures:
            raise DeliveryError("; ".join(failures))
        if not self.targets:
            self._show(forms[self.form]())

    def _show(self, text: str) -> None:
        stream = self._open_stream()
        if stream is not None:
            show(f"{text}\n" if text else "", stream)
        elif text:
            say("shapeguard: standard output is closed; use -o PATH")

    def _open_stream(self) -> TextIO | None:
        """The stream for the report, or what stands for it where the program closed or detached it."""
        return next(filter(_is_open, (self.stream, sys.__stdout__, sys.stdout)), None)
