"""Where code came from and which part of it is meant."""

import re
from dataclasses import dataclass
from typing import Self

from shapeguard.records.codec import Fields, Json, Record


@dataclass(frozen=True, slots=True)
class Span(Record):
    """A range in one source text: lines count from 1, columns from 0 in code points of the text as the user wrote it."""

    source: int
    """Index into `Report.sources`."""
    line: int
    column: int
    end_line: int
    end_column: int

    def as_json(self) -> dict[str, Json]:
        return {
            "source": self.source,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.integer("source"),
            fields.integer("line"),
            fields.integer("column"),
            fields.integer("end_line"),
            fields.integer("end_column"),
        )


_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str) -> list[str]:
    r"""The lines of a source text as Python counts them, which unlike `str.splitlines` ends none at a form feed.

    >>> lines_of("x = 1\r\ny = 2")
    ['x = 1', 'y = 2']
    """
    lines = _LINE_END.split(text) if "\r" in text else text.split("\n")
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True, slots=True)
class Source(Record):
    """One text that was executed, or whose functions ran."""

    uri: str
    kind: str
    """cell | script | module | notebook"""
    cell_id: str | None = None
    execution_count: int | None = None
    sha256: str = ""
    process: str | None = None
    """Rank or worker, where there are several."""

    def as_json(self) -> dict[str, Json]:
        return {
            "uri": self.uri,
            "kind": self.kind,
            "cell_id": self.cell_id,
            "execution_count": self.execution_count,
            "sha256": self.sha256,
            "process": self.process,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("uri"),
            fields.text("kind"),
            fields.optional_text("cell_id"),
            fields.optional_integer("execution_count"),
            fields.text("sha256"),
            fields.optional_text("process"),
        )
