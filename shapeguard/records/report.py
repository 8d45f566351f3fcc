"""Everything that one execution of a cell or a program gave."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from shapeguard.errors import RecordError
from shapeguard.records.codec import Fields, Json, Record
from shapeguard.records.finding import Finding
from shapeguard.records.gradient import GradientReport
from shapeguard.records.source import Source
from shapeguard.records.trace import Observation, observations_as_json
from shapeguard.records.verdict import Verdict

SCHEMA = 1
MIME_TYPE = "application/vnd.shapeguard.v1+json"

Status: TypeAlias = Literal["ok", "error", "interrupted", "exited"]


@dataclass(frozen=True, slots=True)
class ProgramError(Record):
    """The exception that ended a run, also where there is no finding for it."""

    type: str
    message: str

    def as_json(self) -> dict[str, Json]:
        return {"type": self.type, "message": self.message}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.text("type"), fields.text("message"))


@dataclass(frozen=True, slots=True)
class Report(Record):
    """What one run of a cell, script, module or notebook gave; the payload of the mime type."""

    sources: tuple[Source, ...]
    """[0] is what was executed; then files and earlier cells whose functions ran."""
    status: str = "ok"
    """ok | error | interrupted | exited"""
    error: ProgramError | None = None
    observations: tuple[Observation, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    gradients: GradientReport | None = None
    elapsed_us: int = 0
    """shapeguard's own share of the time, in microseconds."""

    def as_json(self) -> dict[str, Json]:
        return {
            "schema": SCHEMA,
            "sources": [source.as_json() for source in self.sources],
            "status": self.status,
            "error": None if self.error is None else self.error.as_json(),
            "observations": list[Json](observations_as_json(self.observations)),
            "findings": [finding.as_json() for finding in self.findings],
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "gradients": None if self.gradients is None else self.gradients.as_json(),
            "elapsed_us": self.elapsed_us,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        schema = fields.integer("schema")
        if schema != SCHEMA:
            message = f"Report: schema {schema} is not the {SCHEMA} that this shapeguard reads; use a newer one"
            raise RecordError(message)
        return cls(
            fields.records("sources", Source),
            fields.text("status"),
            fields.optional_record("error", ProgramError),
            fields.records("observations", Observation),
            fields.records("findings", Finding),
            fields.records("verdicts", Verdict),
            fields.optional_record("gradients", GradientReport),
            fields.integer("elapsed_us"),
        )
