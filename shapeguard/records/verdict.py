"""What generic verification says of one function."""

from dataclasses import dataclass
from typing import Self

from shapeguard.records.codec import Fields, Json, Record
from shapeguard.records.finding import Finding
from shapeguard.records.source import Span
from shapeguard.records.trace import Observation


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """Whether a function holds its annotations for every size of its named dims."""

    function: str
    span: Span | None
    status: str
    """verified | refuted | inconclusive"""
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    observations: tuple[Observation, ...] = ()
    elapsed_ms: float = 0.0

    def as_json(self) -> dict[str, Json]:
        return {
            "function": self.function,
            "span": None if self.span is None else self.span.as_json(),
            "status": self.status,
            "reason": self.reason,
            "findings": [finding.as_json() for finding in self.findings],
            "observations": [observation.as_json() for observation in self.observations],
            "elapsed_ms": self.elapsed_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.text("function"),
            fields.optional_record("span", Span),
            fields.text("status"),
            fields.optional_text("reason"),
            fields.records("findings", Finding),
            fields.records("observations", Observation),
            fields.number("elapsed_ms"),
        )
